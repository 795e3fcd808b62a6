//! Slices and strings, whose payload lies in the heap.
//!
//! All forms of allocation come down to [`Heap::try_build_slice`]'s core: room for a known number of elements is found, they are made
//! one after the other in their place, and the last step makes an object of them. A closure or an iterator that panics
//! or fails leaves the heap as it was, with the elements made so far dropped.

use crate::alloc::alloc_failed;
use crate::error::{AllocError, BuildError, HandleError};
use crate::heap::Heap;
use crate::raw::{Gc, requested_bytes};
use crate::trace::Trace;
use std::alloc::Layout;
use std::any::type_name;
use std::convert::Infallible;
use std::ops::{Bound, RangeBounds};

/// Access to parts of slices.
impl Heap {
    /// Borrows some elements of a slice exclusively.
    ///
    /// It is what `&mut heap.get_mut(gc)[range]` gives. The difference is what the collector has to do after it: of a long
    /// slice that may contain handles it looks at the sixteen elements around each of these again, and not at the whole
    /// slice.
    ///
    /// # Panics
    ///
    /// If the handle is stale, or the range is not inside the slice.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let buckets: Gc<[Option<Gc<str>>]> = heap.alloc_slice(&[None; 1_000_000]);
    /// let word = heap.alloc_str("mound");
    /// heap.slice_mut(buckets, 7..8)[0] = Some(word);
    /// assert_eq!(heap[buckets][7], Some(word));
    /// ```
    #[inline]
    #[track_caller]
    pub fn slice_mut<T: Trace + 'static>(&mut self, gc: Gc<[T]>, range: impl RangeBounds<usize>) -> &mut [T] {
        match self.try_slice_mut(gc, range) {
            Ok(elements) => elements,
            Err(error) => panic!("{error}"),
        }
    }

    /// Borrows some elements of a slice exclusively, if it is alive and has them.
    ///
    /// # Errors
    ///
    /// [`HandleError::OutOfRange`], or as [`try_get_mut`](Heap::try_get_mut).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::{Heap, HandleError};
    /// # let mut heap = Heap::new();
    /// let numbers = heap.alloc_slice(&[1, 2, 3]);
    /// assert_eq!(heap.try_slice_mut(numbers, 1..)?, [2, 3]);
    /// let error = heap.try_slice_mut(numbers, 2..5).unwrap_err();
    /// assert!(matches!(error, HandleError::OutOfRange { start: 2, end: 5, len: 3, .. }));
    /// # Ok::<(), HandleError>(())
    /// ```
    #[inline]
    pub fn try_slice_mut<T: Trace + 'static>(
        &mut self,
        gc: Gc<[T]>,
        range: impl RangeBounds<usize>,
    ) -> Result<&mut [T], HandleError> {
        let len = self.try_get(gc)?.len();
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => len,
        };
        if start > end || end > len {
            return Err(HandleError::OutOfRange { type_name: type_name::<[T]>(), start, end, len });
        }
        if T::HAS_EDGES {
            self.store.before_write_to::<T>(gc.handle(), len, &(start..end));
        }
        match self.store.get_mut(gc) {
            Some(slice) => Ok(&mut slice[start..end]),
            None => unreachable!("it was there a moment ago"),
        }
    }
}

/// Writing one element.
impl Heap {
    /// Sets an element of a slice.
    ///
    /// As with [`slice_mut`](Heap::slice_mut), the collector looks again at the elements around it only, where `heap[gc][at] =
    /// value` lets it look at all of a slice with handles.
    ///
    /// # Panics
    ///
    /// If the handle is stale, or the slice has no such element.
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let items = heap.alloc_slice(&[None; 1_000_000]);
    /// let word = heap.alloc_str("mound");
    /// heap.set(items, 7, Some(word));
    /// assert_eq!(heap[items][7], Some(word));
    /// ```
    #[inline]
    #[track_caller]
    pub fn set<T: Trace + 'static>(&mut self, gc: Gc<[T]>, at: usize, value: T) {
        let len = self.get(gc).len();
        if at >= len {
            let (type_name, start, end) = (type_name::<[T]>(), at, at.saturating_add(1));
            panic!("{}", HandleError::OutOfRange { type_name, start, end, len });
        }
        if T::HAS_EDGES {
            self.store.before_write_to::<T>(gc.handle(), len, &(at..at + 1));
        }
        match self.store.get_mut(gc) {
            Some(slice) => slice[at] = value,
            None => unreachable!("it was there a moment ago"),
        }
    }
}

/// Allocation.
impl Heap {
    /// Puts a copy of a slice into the heap. Never collects.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Heap::alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let numbers = heap.alloc_slice(&[1, 2, 3]);
    /// heap[numbers][1] = 20;
    /// assert_eq!(heap[numbers], [1, 20, 3]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn alloc_slice<T: Trace + Clone + 'static>(&mut self, elements: &[T]) -> Gc<[T]> {
        let mut make = |at: usize| elements[at].clone();
        match self.slice_of(elements.len(), &mut make) {
            Ok(gc) => gc,
            Err(error) => self.try_again(&error, |heap| heap.slice_of(elements.len(), &mut make)),
        }
    }

    /// Puts a copy of a slice into the heap, if there is room. Never collects.
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Heap::try_alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::builder().limit(1 << 20).build();
    /// assert!(heap.try_alloc_slice(&[0_u8; 1 << 19]).is_ok());
    /// assert!(heap.try_alloc_slice(&[0_u8; 1 << 20]).is_err());
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_alloc_slice<T: Trace + Clone + 'static>(&mut self, elements: &[T]) -> Result<Gc<[T]>, AllocError> {
        self.try_alloc_slice_with(elements.len(), |at| elements[at].clone())
    }

    /// Puts a slice into the heap whose elements `make` returns, given their positions. Never collects.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Heap::alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let squares = heap.alloc_slice_with(4, |n| n * n);
    /// assert_eq!(heap[squares], [0, 1, 4, 9]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn alloc_slice_with<T: Trace + 'static>(&mut self, len: usize, mut make: impl FnMut(usize) -> T) -> Gc<[T]> {
        match self.slice_of(len, &mut make) {
            Ok(gc) => gc,
            Err(error) => self.try_again(&error, |heap| heap.slice_of(len, &mut make)),
        }
    }

    /// Puts a slice into the heap whose elements `make` returns, if there is room. Never collects.
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Heap::try_alloc); `make` has not been called then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::AllocErrorKind;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let error = heap.try_alloc_slice_with(usize::MAX, |_| 0_u64).unwrap_err();
    /// assert_eq!(error.kind, AllocErrorKind::TooLarge);
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_alloc_slice_with<T: Trace + 'static>(
        &mut self,
        len: usize,
        mut make: impl FnMut(usize) -> T,
    ) -> Result<Gc<[T]>, AllocError> {
        match self.slice_of(len, &mut make) {
            Err(_) if self.store.asks_where() => self.saying_where(|heap| heap.slice_of(len, &mut make)),
            made => made,
        }
    }

    /// A slice whose elements do not fail. It is refused when somebody who observes wants to know where it is.
    #[inline]
    fn slice_of<T: Trace + 'static>(
        &mut self,
        len: usize,
        make: &mut impl FnMut(usize) -> T,
    ) -> Result<Gc<[T]>, AllocError> {
        match self.build_slice::<true, T, _>(len, |at| Ok::<T, Infallible>(make(at))) {
            Ok(gc) => Ok(gc),
            Err(BuildError::Alloc(error)) => Err(error),
            Err(BuildError::Element(never)) => match never {},
        }
    }

    /// Puts a slice into the heap whose elements `make` returns, unless one of them fails. Never collects.
    ///
    /// # Errors
    ///
    /// [`BuildError::Element`] with the first error that `make` returns, or [`BuildError::Alloc`] if there is no room, in
    /// which case `make` has not been called. Nothing is left in the heap.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::BuildError;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let words = ["1", "2", "x"];
    /// let error = heap.try_build_slice(3, |at| words[at].parse::<i32>()).unwrap_err();
    /// assert!(matches!(error, BuildError::Element(_)));
    /// let numbers = heap.try_build_slice(2, |at| words[at].parse::<i32>())?;
    /// assert_eq!(heap[numbers], [1, 2]);
    /// # Ok::<(), BuildError<std::num::ParseIntError>>(())
    /// ```
    pub fn try_build_slice<T: Trace + 'static, E>(
        &mut self,
        len: usize,
        mut make: impl FnMut(usize) -> Result<T, E>,
    ) -> Result<Gc<[T]>, BuildError<E>> {
        self.build_slice::<false, T, E>(len, &mut make)
    }

    fn build_slice<const ASKS: bool, T: Trace + 'static, E>(
        &mut self,
        len: usize,
        mut make: impl FnMut(usize) -> Result<T, E>,
    ) -> Result<Gc<[T]>, BuildError<E>> {
        let requested = || Layout::array::<T>(len).map_or(usize::MAX, requested_bytes);
        let built = self.put_with::<ASKS, _, _>(type_name::<[T]>(), requested, |store| store.put_slice(len, &mut make));
        built.map_err(BuildError::Alloc)?.map_err(BuildError::Element)
    }

    /// Puts the items of an iterator into the heap, as many as its [`len`](ExactSizeIterator::len) says. Never collects.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Heap::alloc), and if the iterator yields fewer or more items than it said.
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let words: Vec<String> = vec!["a".into(), "b".into()];
    /// let words = heap.alloc_slice_from_iter(words.into_iter());
    /// assert_eq!(heap[words], ["a", "b"]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn alloc_slice_from_iter<I>(&mut self, items: I) -> Gc<[I::Item]>
    where
        I: IntoIterator<IntoIter: ExactSizeIterator, Item: Trace + 'static>,
    {
        match self.try_alloc_slice_from_iter(items) {
            Ok(gc) => gc,
            Err(error) => alloc_failed(&error.without_value()),
        }
    }

    /// Puts the items of an iterator into the heap, if there is room. Never collects.
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Heap::try_alloc); the error gives the iterator back, with all its items.
    ///
    /// # Panics
    ///
    /// If the iterator yields fewer or more items than its [`len`](ExactSizeIterator::len) said. The items are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::builder().limit(0).build();
    /// let items = heap.try_alloc_slice_from_iter(0..3).unwrap_err().into_value();
    /// assert_eq!(items, 0..3);
    /// ```
    #[track_caller]
    pub fn try_alloc_slice_from_iter<I>(&mut self, items: I) -> Result<Gc<[I::Item]>, AllocError<I::IntoIter>>
    where
        I: IntoIterator<IntoIter: ExactSizeIterator, Item: Trace + 'static>,
    {
        let mut items = items.into_iter();
        let len = items.len();
        let made = self.try_alloc_slice_with(len, |at| {
            let Some(item) = items.next() else {
                panic!("an iterator said that it has {len} items, and yielded {at}");
            };
            if at + 1 == len {
                assert!(items.next().is_none(), "an iterator said that it has {len} items, and yielded more");
            }
            item
        });
        match made {
            Ok(gc) => {
                assert!(
                    len > 0 || items.next().is_none(),
                    "an iterator said that it has {len} items, and yielded more"
                );
                Ok(gc)
            }
            Err(error) => Err(error.with_value(items).1),
        }
    }

    /// Puts a string into the heap. Never collects.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Heap::alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::Gc;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let word: Gc<str> = heap.alloc_str("tumulus");
    /// assert_eq!(&heap[word], "tumulus");
    /// ```
    #[inline]
    #[track_caller]
    pub fn alloc_str(&mut self, text: &str) -> Gc<str> {
        match self.str_of(text) {
            Ok(gc) => gc,
            Err(error) => self.try_again(&error, |heap| heap.str_of(text)),
        }
    }

    /// Puts a string into the heap, if there is room. Never collects.
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Heap::try_alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::builder().limit(0).build();
    /// assert!(heap.try_alloc_str("tumulus").is_err());
    /// ```
    #[track_caller]
    pub fn try_alloc_str(&mut self, text: &str) -> Result<Gc<str>, AllocError> {
        match self.str_of(text) {
            Err(_) if self.store.asks_where() => self.saying_where(|heap| heap.str_of(text)),
            made => made,
        }
    }

    /// It is refused when somebody who observes wants to know where it is.
    fn str_of(&mut self, text: &str) -> Result<Gc<str>, AllocError> {
        let requested = || requested_bytes(Layout::for_value(text));
        match self.put_with::<true, _, _>(type_name::<str>(), requested, |store| store.put_str(text))? {
            Ok(gc) => Ok(gc),
            Err(never) => match never {},
        }
    }
}
