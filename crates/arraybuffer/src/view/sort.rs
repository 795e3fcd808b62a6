//! Sorting.

use super::array::{Extent, load, store};
use super::kind::{Element, ElementKind, Native};
use super::witness::Witness;
use crate::error::Error;
use crate::{raw, scratch};
use std::cmp::Ordering;
use tumulus_heap::Heap;

impl Witness {
    /// Sorts the elements by their values: -0 before 0, NaN last.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfBounds`], [`Error::Immutable`]; [`Error::OutOfMemory`], as what is shared, and floats,
    /// are sorted in memory of their own.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Float32, 4)?;
    /// array.as_mut_slice(&mut heap)?.copy_from_slice(&[f32::NAN, 1.5, -2.0, f32::NEG_INFINITY]);
    /// array.validate_to_write(&heap, "sort")?.sort(&mut heap)?;
    /// assert_eq!(array.as_slice::<f32>(&heap)?[..3], [f32::NEG_INFINITY, -2.0, 1.5]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn sort(self, heap: &mut Heap) -> Result<(), Error> {
        let extent = self.again_to_write(heap)?;
        let is_sorted = match extent.kind {
            ElementKind::Int8 => sort_in_place::<i8>(heap, &extent),
            ElementKind::Uint8 | ElementKind::Uint8Clamped => sort_in_place::<u8>(heap, &extent),
            ElementKind::Int16 => sort_in_place::<i16>(heap, &extent),
            ElementKind::Uint16 => sort_in_place::<u16>(heap, &extent),
            ElementKind::Int32 => sort_in_place::<i32>(heap, &extent),
            ElementKind::Uint32 => sort_in_place::<u32>(heap, &extent),
            ElementKind::BigInt64 => sort_in_place::<i64>(heap, &extent),
            ElementKind::BigUint64 => sort_in_place::<u64>(heap, &extent),
            ElementKind::Float16 | ElementKind::Float32 | ElementKind::Float64 => false,
        };
        if !is_sorted {
            let mut elements = scratch::list(self.operation, extent.length)?;
            elements.extend((0..extent.length).map(|index| load(heap, &extent, index)));
            // Elements that are equal in this order are the same, but for the bits of NaNs.
            elements.sort_unstable_by(Element::order);
            write_back(heap, &extent, &elements);
        }
        Ok(())
    }

    /// Sorts the elements by an order of the program's, which may do what it likes with the heap meanwhile: also collect, if
    /// the array is reachable, detach and resize. What the array has become too short for is lost. Equal elements keep their
    /// order.
    ///
    /// An order that contradicts itself gives some order.
    ///
    /// # Errors
    ///
    /// Those of [`sort`](Witness::sort), or the first error of `compare`. The array is as it was then, but for what `compare` has done to it.
    ///
    /// # Panics
    ///
    /// If `compare` panics.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, Error, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 3)?;
    /// array.as_mut_slice(&mut heap)?.copy_from_slice(&[1_i8, 3, 2]);
    /// let witness = array.validate_to_write(&heap, "sort")?;
    /// witness.sort_by(&mut heap, |_, a, b| Ok::<_, Error>(b.order(&a)))?;
    /// assert_eq!(array.as_slice::<i8>(&heap)?, [3, 2, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn sort_by<E: From<Error>>(
        self,
        heap: &mut Heap,
        mut compare: impl FnMut(&mut Heap, Element, Element) -> Result<Ordering, E>,
    ) -> Result<(), E> {
        let extent = self.again_to_write(heap)?;
        let length = extent.length.min(self.length);
        let mut elements = scratch::list(self.operation, length)?;
        elements.extend((0..length).map(|index| load(heap, &extent, index)));
        let spare = scratch::list(self.operation, length)?;
        let sorted = merge_sort(elements, spare, &mut |a, b| compare(heap, a, b))?;
        // What was written to may be gone, or have become immutable; that is no error any more.
        if let Ok(extent) = self.array.writable_extent(heap, self.operation) {
            write_back(heap, &extent, &sorted);
        }
        Ok(())
    }
}

/// Sorts integers where they are, if they are neither shared nor askew.
fn sort_in_place<T: Native + Ord>(heap: &mut Heap, extent: &Extent) -> bool {
    let Some(bytes) = heap.get_mut(extent.buffer).plain_mut() else { return false };
    let bytes = &mut bytes[extent.start..extent.start + extent.byte_length()];
    raw::elements_mut::<T>(bytes).map(<[T]>::sort_unstable).is_some()
}

/// Writes as many elements as there are places.
fn write_back(heap: &mut Heap, extent: &Extent, elements: &[Element]) {
    for (index, &element) in elements.iter().enumerate().take(extent.length) {
        let bytes = extent.kind.encode("sort", element).expect("it came from this array");
        store(heap, extent, index, bytes);
    }
}

/// A stable sort by an order that may fail, or contradict itself. (The sorts of the standard library may panic at the
/// latter, and cannot be left in the midst.)
fn merge_sort<E>(
    mut from: Vec<Element>,
    mut to: Vec<Element>,
    compare: &mut impl FnMut(Element, Element) -> Result<Ordering, E>,
) -> Result<Vec<Element>, E> {
    let mut width = 1;
    while width < from.len() {
        to.clear();
        for pair in from.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some((&first, rest)), Some((&second, others))) = (left.split_first(), right.split_first()) {
                if compare(first, second)? == Ordering::Greater {
                    to.push(second);
                    right = others;
                } else {
                    to.push(first);
                    left = rest;
                }
            }
            to.extend_from_slice(left);
            to.extend_from_slice(right);
        }
        std::mem::swap(&mut from, &mut to);
        width *= 2;
    }
    Ok(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sort_is_stable_and_survives_nonsense() {
        for length in 0..40_u32 {
            let elements: Vec<Element> =
                (0..length).map(|n| Element::Number(f64::from(n * 7 % 10 * 100 + n))).collect();
            let tens = |element| match element {
                Element::Number(number) => (number / 100.0).trunc(),
                Element::BigInt(_) => 0.0,
            };
            let mut expected = elements.clone();
            expected.sort_by(|&a, &b| tens(a).total_cmp(&tens(b)));
            let sorted =
                merge_sort(elements.clone(), Vec::new(), &mut |a, b| Ok::<_, ()>(tens(a).total_cmp(&tens(b)))).unwrap();
            assert_eq!(sorted, expected);
            let nonsense = merge_sort(elements, Vec::new(), &mut |_, _| Ok::<_, ()>(Ordering::Greater)).unwrap();
            assert_eq!(nonsense.len(), length as usize);
        }
        let failed = merge_sort(vec![Element::BigInt(0); 2], Vec::new(), &mut |_, _| Err("no"));
        assert_eq!(failed, Err("no"));
    }
}
