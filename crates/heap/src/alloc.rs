//! Allocation of single values. Slices and strings are in `slices.rs`.

use crate::error::{AllocError, AllocErrorKind};
use crate::heap::Heap;
use crate::raw::{Gc, requested_bytes};
use crate::trace::Trace;
use std::alloc::Layout;
use std::any::type_name;

/// The panic of the plain forms, which is the message of the error of the `try_` forms.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn alloc_failed(error: &AllocError) -> ! {
    panic!("{error}")
}

impl Heap {
    /// Puts a value into the heap. Never collects.
    ///
    /// Takes a few nanoseconds. The cell has 8 bytes of header, and its size is a multiple of 16; a value of more than 2
    /// KiB gets a block of its own.
    ///
    /// # Panics
    ///
    /// If the heap's limit is reached, or the system refuses memory. See [`try_alloc`](Heap::try_alloc) and
    /// [`alloc_or_collect`](Heap::alloc_or_collect).
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let gc: Gc<(u8, f64)> = heap.alloc((1, 2.0));
    /// assert_eq!(heap[gc].1, 2.0);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn alloc<T: Trace + 'static>(&mut self, value: T) -> Gc<T> {
        match self.try_alloc(value) {
            Ok(gc) => gc,
            Err(error) => alloc_failed(&error.without_value()),
        }
    }

    /// Puts a value into the heap, or gives it back. Never collects.
    ///
    /// # Errors
    ///
    /// [`AllocError`], with the value, the bound that was reached, and the numbers. The heap is as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::builder().limit(0).build();
    /// let error = heap.try_alloc("mound").unwrap_err();
    /// assert_eq!((error.value, error.used, error.limit), ("mound", 0, 0));
    /// ```
    #[inline(always)]
    pub fn try_alloc<T: Trace + 'static>(&mut self, value: T) -> Result<Gc<T>, AllocError<T>> {
        if !self.temporaries.has_room() {
            return Err(self.no_temporaries(value));
        }
        match self.store.put(value) {
            Ok(gc) => {
                self.temporaries.note(gc.erase());
                Ok(gc)
            }
            Err((value, kind)) => self.try_alloc_slow(value, kind),
        }
    }

    /// Asks the near-limit callback, and tries again as long as it raises the limit.
    #[cold]
    #[inline(never)]
    fn try_alloc_slow<T: Trace + 'static>(
        &mut self,
        mut value: T,
        mut kind: AllocErrorKind,
    ) -> Result<Gc<T>, AllocError<T>> {
        let requested = requested_bytes(Layout::new::<T>());
        while self.limit_was_raised(kind, requested) {
            (value, kind) = match self.store.put(value) {
                Ok(gc) => {
                    self.temporaries.note(gc.erase());
                    return Ok(gc);
                }
                Err(refused) => refused,
            };
        }
        Err(self.alloc_error(value, kind, requested, type_name::<T>()))
    }

    #[cold]
    #[inline(never)]
    fn no_temporaries<T>(&self, value: T) -> AllocError<T> {
        self.alloc_error(value, AllocErrorKind::System, size_of::<u64>(), type_name::<T>())
    }

    /// Puts what `make` returns into the heap. Never collects.
    ///
    /// Room is found first, so that a large value is made where it will be. If `make` panics, the heap is as it was.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Heap::alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let table = heap.alloc_with(|| [0_u64; 1024]);
    /// assert_eq!(heap[table].len(), 1024);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn alloc_with<T: Trace + 'static>(&mut self, make: impl FnOnce() -> T) -> Gc<T> {
        match self.try_alloc_with(make) {
            Ok(gc) => gc,
            Err(error) => alloc_failed(&error.without_value()),
        }
    }

    /// Puts what `make` returns into the heap, or gives `make` back, which has not been called. Never collects.
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Heap::try_alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::builder().limit(0).build();
    /// let make = heap.try_alloc_with(|| 7).unwrap_err().into_value();
    /// heap.set_limit(1 << 20);
    /// let gc = heap.alloc_with(make);
    /// assert_eq!(heap[gc], 7);
    /// ```
    #[inline(always)]
    pub fn try_alloc_with<T: Trace + 'static, F: FnOnce() -> T>(&mut self, make: F) -> Result<Gc<T>, AllocError<F>> {
        if !self.temporaries.has_room() {
            return Err(self.no_temporaries(make));
        }
        let mut make = Some(make);
        loop {
            let call = || make.take().expect("`make` is called once")();
            match self.store.put_with(call) {
                Ok(gc) => {
                    self.temporaries.note(gc.erase());
                    return Ok(gc);
                }
                Err(kind) => {
                    let requested = requested_bytes(Layout::new::<T>());
                    if !self.limit_was_raised(kind, requested) {
                        let make = make.expect("`make` is not called when there is no room");
                        return Err(self.alloc_error(make, kind, requested, type_name::<T>()));
                    }
                }
            }
        }
    }

    /// Puts a value into the heap; collects and tries once more if there is no room.
    ///
    /// The value's own handles count as roots in that collection, beside `roots`.
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Heap::try_alloc), when there is still no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::builder().limit(64 << 10).build();
    /// for n in 0..100_000_u64 {
    ///     heap.alloc_or_collect(&(), [n; 16])?; // all garbage at once: the limit is never a problem
    /// }
    /// # Ok::<(), tumulus_heap::AllocError<[u64; 16]>>(())
    /// ```
    pub fn alloc_or_collect<T: Trace + 'static, R: Trace + ?Sized>(
        &mut self,
        roots: &R,
        value: T,
    ) -> Result<Gc<T>, AllocError<T>> {
        match self.try_alloc(value) {
            Ok(gc) => Ok(gc),
            Err(error) => {
                self.collect(&(roots, &error.value));
                self.try_alloc(error.value)
            }
        }
    }
}
