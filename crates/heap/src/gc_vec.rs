//! Vectors that grow, with their elements in the heap.
//!
//! An object of two words and a slice with room behind the elements that count. There is nothing here that a program could
//! not write itself: it is a `Vec` that counts against the heap's limit.

use crate::alloc::alloc_failed;
use crate::error::AllocError;
use crate::heap::Heap;
use crate::raw::Gc;
use crate::trace::{Describer, Trace, Tracer};
use std::fmt;

/// A vector whose elements are in the heap: what a guest's arrays and lists can be made of.
///
/// It is put into the heap, and used through its handle. A `Gc<Vec<T>>` has all the methods of `Vec`, but its elements are in
/// memory that the heap's limit does not know. Here they count, a push that finds no room is an [`AllocError`] that gives
/// the element back, and of a long vector that is written to the collector looks at parts. Both take about the same time.
///
/// Elements are `Copy`, as handles and enums of handles are, and have a default, which fills the room behind them. The vector
/// takes 32 bytes of the heap, and 8 for its elements and at most twice what these need.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, GcVec, Heap, Trace};
///
/// #[derive(Copy, Clone, Debug, Default, PartialEq, Trace)]
/// enum Value {
///     #[default]
///     Nil,
///     Number(f64),
///     Array(Gc<GcVec<Value>>),
/// }
///
/// let mut heap = Heap::new();
/// let array = heap.alloc(GcVec::new());
/// array.push(&mut heap, Value::Number(1.0));
/// array.push(&mut heap, Value::Array(array)); // in itself, which is no trouble
/// heap.collect(&array);
/// assert_eq!(array.as_slice(&heap), [Value::Number(1.0), Value::Array(array)]);
/// assert_eq!(array.pop(&mut heap), Some(Value::Array(array)));
/// assert_eq!(array.len(&heap), 1);
/// ```
pub struct GcVec<T: Trace + 'static> {
    /// None as long as nothing was put in. **Invariant:** what is behind `len` is the default, and keeps nothing alive.
    slots: Option<Gc<[T]>>,
    /// **Invariant:** not more than there are slots.
    len: usize,
}

const LEAST_SLOTS: usize = 4;

impl<T: Trace + Copy + Default + 'static> GcVec<T> {
    /// An empty vector, to be put into a heap.
    ///
    /// ```
    /// # use tumulus_heap::{Gc, GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let words: Gc<GcVec<Option<Gc<str>>>> = heap.alloc(GcVec::new());
    /// assert!(words.is_empty(&heap));
    /// ```
    pub const fn new() -> GcVec<T> {
        GcVec { slots: None, len: 0 }
    }

    /// A vector of these elements, to be put into a heap.
    ///
    /// # Errors
    ///
    /// As [`Heap::try_alloc_slice`].
    ///
    /// ```
    /// # use tumulus_heap::{AllocError, GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let numbers = GcVec::try_from_slice(&mut heap, &[1, 2, 3])?;
    /// let numbers = heap.try_alloc(numbers)?;
    /// assert_eq!(numbers.as_slice(&heap), [1, 2, 3]);
    /// # Ok::<(), AllocError>(())
    /// ```
    pub fn try_from_slice(heap: &mut Heap, elements: &[T]) -> Result<GcVec<T>, AllocError> {
        let slots = if elements.is_empty() { None } else { Some(heap.try_alloc_slice(elements)?) };
        Ok(GcVec { slots, len: elements.len() })
    }
}

/// The methods of a [`GcVec`]. All of them panic if the vector is dead.
impl<T: Trace + Copy + Default + 'static> Gc<GcVec<T>> {
    /// How many elements there are.
    ///
    /// ```
    /// # use tumulus_heap::{GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let vec = heap.alloc(GcVec::new());
    /// vec.push(&mut heap, 1);
    /// assert_eq!(vec.len(&heap), 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn len(self, heap: &Heap) -> usize {
        heap.get(self).len
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use tumulus_heap::{GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let vec = heap.alloc(GcVec::<u8>::new());
    /// assert!(vec.is_empty(&heap));
    /// ```
    #[inline]
    #[track_caller]
    pub fn is_empty(self, heap: &Heap) -> bool {
        self.len(heap) == 0
    }

    /// The elements.
    ///
    /// ```
    /// # use tumulus_heap::{GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let vec = heap.alloc(GcVec::new());
    /// vec.push(&mut heap, 1);
    /// assert_eq!(vec.as_slice(&heap).iter().sum::<i32>(), 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn as_slice(self, heap: &Heap) -> &[T] {
        let vec = heap.get(self);
        match vec.slots {
            Some(slots) => &heap.get(slots)[..vec.len],
            None => &[],
        }
    }

    /// Replaces an element, if there is one at that place. Gives whether there was.
    ///
    /// ```
    /// # use tumulus_heap::{GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let vec = heap.alloc(GcVec::new());
    /// vec.push(&mut heap, 1);
    /// assert!(vec.set(&mut heap, 0, 5));
    /// assert!(!vec.set(&mut heap, 1, 6));
    /// assert_eq!(vec.as_slice(&heap), [5]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn set(self, heap: &mut Heap, at: usize, element: T) -> bool {
        let vec = heap.get(self);
        match vec.slots {
            Some(slots) if at < vec.len => {
                heap.set(slots, at, element);
                true
            }
            _ => false,
        }
    }

    /// Puts an element behind the others. Never collects.
    ///
    /// # Panics
    ///
    /// If there is no room. See [`try_push`](Gc::try_push).
    ///
    /// ```
    /// # use tumulus_heap::{GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let vec = heap.alloc(GcVec::new());
    /// (0..100).for_each(|n| vec.push(&mut heap, n));
    /// assert_eq!(vec.as_slice(&heap)[99], 99);
    /// ```
    #[inline]
    #[track_caller]
    pub fn push(self, heap: &mut Heap, element: T) {
        self.try_push(heap, element).unwrap_or_else(|error| alloc_failed(&error.without_value()));
    }

    /// Puts an element behind the others, if there is room. Never collects. Takes constant time on average.
    ///
    /// # Errors
    ///
    /// As [`Heap::try_alloc`], with the element. The vector is as it was.
    ///
    /// # Examples
    ///
    /// A guest that pushes for ever gets an error:
    ///
    /// ```
    /// # use tumulus_heap::{AllocErrorKind, GcVec, Heap};
    /// let mut heap = Heap::builder().limit(1 << 20).build();
    /// let vec = heap.alloc(GcVec::new());
    /// let error = (0_u64..).find_map(|n| vec.try_push(&mut heap, n).err()).unwrap();
    /// assert_eq!((error.kind, error.value as usize), (AllocErrorKind::Limit, vec.len(&heap)));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_push(self, heap: &mut Heap, element: T) -> Result<(), AllocError<T>> {
        let vec = heap.get(self);
        let (len, slots) = (vec.len, vec.slots);
        let slots = match slots {
            Some(slots) if len < heap.get(slots).len() => slots,
            _ => match self.grow(heap) {
                Ok(slots) => slots,
                Err(error) => return Err(error.with_value(element).1),
            },
        };
        heap.set(slots, len, element);
        heap.get_mut(self).len = len + 1;
        Ok(())
    }

    /// Takes the last element.
    ///
    /// ```
    /// # use tumulus_heap::{GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let vec = heap.alloc(GcVec::new());
    /// vec.push(&mut heap, 1);
    /// assert_eq!((vec.pop(&mut heap), vec.pop(&mut heap)), (Some(1), None));
    /// ```
    #[inline]
    #[track_caller]
    pub fn pop(self, heap: &mut Heap) -> Option<T> {
        let last = *self.as_slice(heap).last()?;
        self.truncate(heap, self.len(heap) - 1);
        Some(last)
    }

    /// Lets go of all elements but so many. The room stays; that of a vector without elements is given up.
    ///
    /// ```
    /// # use tumulus_heap::{GcVec, Heap};
    /// # let mut heap = Heap::new();
    /// let vec = heap.alloc(GcVec::new());
    /// (0..5).for_each(|n| vec.push(&mut heap, n));
    /// vec.truncate(&mut heap, 2);
    /// assert_eq!(vec.as_slice(&heap), [0, 1]);
    /// ```
    #[track_caller]
    pub fn truncate(self, heap: &mut Heap, len: usize) {
        let vec = heap.get(self);
        let (from, slots) = (vec.len, vec.slots);
        let Some(slots) = slots else { return };
        if len >= from {
            return;
        }
        if len == 0 && from > LEAST_SLOTS {
            heap.get_mut(self).slots = None;
        } else {
            // Nothing in the room behind may keep anything alive.
            heap.slice_mut(slots, len..from).fill(T::default());
        }
        heap.get_mut(self).len = len;
    }

    #[cold]
    #[inline(never)]
    fn grow(self, heap: &mut Heap) -> Result<Gc<[T]>, AllocError> {
        let vec = heap.get(self);
        let (len, old) = (vec.len, vec.slots);
        let room = LEAST_SLOTS.max(len.saturating_mul(2));
        let new = heap.try_alloc_slice_with(room, |_| T::default()).map_err(AllocError::without_value)?;
        if let Some(old) = old {
            for at in 0..len {
                let element = heap.get(old)[at];
                heap.set(new, at, element);
            }
        }
        heap.get_mut(self).slots = Some(new);
        Ok(new)
    }
}

impl<T: Trace + Copy + Default + 'static> Default for GcVec<T> {
    fn default() -> GcVec<T> {
        GcVec::new()
    }
}

impl<T: Trace + 'static> Trace for GcVec<T> {
    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.slots.trace(tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.field("elements", &self.slots);
    }
}

impl<T: Trace + 'static> fmt::Debug for GcVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcVec").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zeal::Zeal;

    fn heap() -> Heap {
        Heap::builder().zeal(Zeal::none()).build()
    }

    #[test]
    fn it_does_what_a_vec_does() {
        let mut heap = heap();
        let vec = heap.alloc(GcVec::new());
        let mut model = Vec::new();
        let mut random = 7_u64;
        for turn in 0..3_000_u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = (random >> 33) as usize;
            match number % 10 {
                0..6 => {
                    vec.push(&mut heap, turn);
                    model.push(turn);
                }
                6 | 7 => assert_eq!(vec.pop(&mut heap), model.pop()),
                8 => {
                    let at = number / 10 % (model.len() + 1);
                    assert_eq!(vec.set(&mut heap, at, turn), model.get(at).is_some());
                    model.iter_mut().skip(at).take(1).for_each(|element| *element = turn);
                }
                _ if turn % 20 == 0 => {
                    let len = number / 10 % (model.len() + 2);
                    vec.truncate(&mut heap, len);
                    model.truncate(len);
                }
                _ => heap.collect(&vec),
            }
            assert_eq!(vec.as_slice(&heap), model);
        }
    }

    #[test]
    fn what_is_taken_out_is_not_kept_by_the_room_behind() {
        let mut heap = heap();
        let vec = heap.alloc(GcVec::new());
        let words = [0; 6].map(|_| heap.alloc("word"));
        for &word in &words {
            vec.push(&mut heap, Some(word));
        }
        heap.collect(&vec); // it is old now, and so are they
        assert_eq!(vec.pop(&mut heap), Some(Some(words[5])));
        vec.truncate(&mut heap, 3);
        assert!(vec.set(&mut heap, 0, None));
        heap.collect(&vec);
        assert_eq!(words.map(|word| heap.contains(word)), [false, true, true, false, false, false]);
        vec.truncate(&mut heap, 0);
        heap.collect(&vec);
        assert_eq!((vec.as_slice(&heap), heap.contains(words[1])), ([].as_slice(), false));
    }

    #[test]
    fn what_was_pushed_to_an_old_vector_lives_through_a_minor_collection() {
        let mut heap = heap();
        let vec = heap.alloc(GcVec::new());
        vec.push(&mut heap, None);
        heap.collect(&vec);
        for n in 0..10_000 {
            let word = heap.alloc(n);
            vec.push(&mut heap, Some(word));
            if n % 1_000 == 0 {
                heap.collect_minor(&vec);
            }
        }
        heap.collect_minor(&vec);
        assert!(vec.as_slice(&heap)[1..].iter().enumerate().all(|(n, word)| heap[word.unwrap()] == n));
    }

    #[test]
    fn a_refused_push_changes_nothing() {
        let mut heap = Heap::builder().limit(1 << 20).zeal(Zeal::none()).build();
        let vec = heap.alloc(GcVec::new());
        (0..4_u8).for_each(|n| vec.push(&mut heap, n));
        let error = (0..).find_map(|_| vec.try_push(&mut heap, 9).err()).unwrap();
        let len = vec.len(&heap);
        assert_eq!(error.value, 9);
        assert!(vec.try_push(&mut heap, 9).is_err());
        assert_eq!((vec.len(&heap), &vec.as_slice(&heap)[..4]), (len, [0, 1, 2, 3].as_slice()));
        heap.verify().unwrap();
    }
}
