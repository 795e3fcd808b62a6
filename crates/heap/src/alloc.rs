//! Allocation of single values. Slices and strings are in `slices.rs`.

use crate::error::{AllocError, AllocErrorKind, NoValue};
use crate::heap::Heap;
use crate::raw::{Gc, Object, Store, requested_bytes};
use crate::trace::Trace;
use std::alloc::Layout;
use std::any::type_name;
use std::convert::Infallible;
use std::panic::Location;

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
        self.alloc_with(|| value)
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
    #[track_caller]
    pub fn try_alloc<T: Trace + 'static>(&mut self, value: T) -> Result<Gc<T>, AllocError<T>> {
        let mut value = Some(value);
        self.try_put(|| value.take().expect("made once")).map_err(|error| {
            let value = value.take().expect("not made when there is no room");
            error.with_value(value).1
        })
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
        if const { Store::is_outline::<T>() } || !self.temporaries.has_room() {
            return self.put_slow(make).unwrap_or_else(|error| alloc_failed(&error));
        }
        // Only who observes, and takes the slow path for that, wants to know.
        let here = Location::caller();
        let Heap { store, pressure, temporaries, .. } = self;
        let Ok(gc) = store.put(make, |store| Ok::<_, Infallible>(pressure.vacancy_or_panic::<T>(store, here)));
        temporaries.note(gc.erase());
        gc
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
    #[track_caller]
    pub fn try_alloc_with<T: Trace + 'static, F: FnOnce() -> T>(&mut self, make: F) -> Result<Gc<T>, AllocError<F>> {
        let mut make = Some(make);
        self.try_put(|| make.take().expect("called once")()).map_err(|error| {
            let make = make.take().expect("not called when there is no room");
            error.with_value(make).1
        })
    }

    #[inline(always)]
    #[track_caller]
    fn try_put<T: Trace + 'static>(&mut self, make: impl FnOnce() -> T) -> Result<Gc<T>, AllocError> {
        if const { Store::is_outline::<T>() } || !self.temporaries.has_room() {
            return self.put_slow(make);
        }
        let here = Location::caller();
        let Heap { store, pressure, temporaries, .. } = self;
        let gc = store.put(make, |store| pressure.vacancy::<T>(store, here))?;
        temporaries.note(gc.erase());
        Ok(gc)
    }

    /// Puts what `make` returns into a block of its own; or says that there is no room for a temporary.
    #[inline(never)]
    fn put_slow<T: Trace + 'static>(&mut self, make: impl FnOnce() -> T) -> Result<Gc<T>, AllocError> {
        if !Store::is_outline::<T>() {
            return Err(self.no_temporaries(type_name::<T>()));
        }
        let mut make = Some(make);
        let put = |store: &mut Store| store.put_outline(|| make.take().expect("called once")());
        match self.put_with::<false, _, _>(type_name::<T>(), || requested_bytes(Layout::new::<T>()), put)? {
            Ok(gc) => Ok(gc),
            Err(never) => match never {},
        }
    }

    /// Runs `put` until it finds room or there is none, and puts the result on the list of an open scope.
    pub(crate) fn put_with<const ASKS: bool, T: Object + ?Sized, E>(
        &mut self,
        type_name: &'static str,
        requested: impl Fn() -> usize,
        mut put: impl FnMut(&mut Store) -> Result<Result<Gc<T>, E>, AllocErrorKind>,
    ) -> Result<Result<Gc<T>, E>, AllocError> {
        if !self.temporaries.has_room() {
            return Err(self.no_temporaries(type_name));
        }
        let Heap { store, pressure, temporaries, .. } = self;
        loop {
            match put(store) {
                Ok(Ok(gc)) => {
                    temporaries.note(gc.erase());
                    return Ok(Ok(gc));
                }
                Ok(Err(error)) => return Ok(Err(error)),
                Err(_) if !ASKS && store.asks_where() => store.say_here(None),
                Err(kind) if ASKS && store.asks_where() => {
                    let (used, limit) = (store.limited_bytes(), store.limit);
                    return Err(AllocError { value: NoValue, kind, used, limit, requested: requested(), type_name });
                }
                Err(kind) => pressure.refused(store, kind, requested(), type_name)?,
            }
        }
    }

    /// What becomes of an allocation by one of the forms that panic, when it was refused: it is tried again, if somebody
    /// who observes wants to know where it is.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn try_again<T: Object + ?Sized>(
        &mut self,
        error: &AllocError,
        again: impl FnOnce(&mut Heap) -> Result<Gc<T>, AllocError>,
    ) -> Gc<T> {
        if !self.store.asks_where() {
            alloc_failed(error);
        }
        self.saying_where(again).unwrap_or_else(|error| alloc_failed(&error))
    }

    /// Tries an allocation again that was refused only because somebody who observes wants to know where it is.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn saying_where<R>(&mut self, again: impl FnOnce(&mut Heap) -> R) -> R {
        self.store.say_here(Some(Location::caller()));
        let made = again(self);
        self.store.forget_here();
        made
    }

    /// The error for an allocation that the list of temporaries has no room for.
    #[cold]
    #[inline(never)]
    fn no_temporaries(&self, type_name: &'static str) -> AllocError {
        AllocError {
            value: NoValue,
            kind: AllocErrorKind::System,
            used: self.store.limited_bytes(),
            limit: self.store.limit,
            requested: size_of::<u64>(),
            type_name,
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
    #[track_caller]
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

    /// Does what allocates; collects and does it once more if there is no room.
    ///
    /// This is [`alloc_or_collect`](Heap::alloc_or_collect) for everything else that can fail for lack of memory: strings,
    /// slices, insertions into weak maps, or several of these together. What `attempt` needs the second time has to be among
    /// the `roots`, or kept otherwise: handles that it has captured are not seen.
    ///
    /// # Errors
    ///
    /// That of the second attempt.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{AllocError, Gc, Heap};
    ///
    /// let mut heap = Heap::builder().limit(256 << 10).build();
    /// let mut stack: Vec<Gc<str>> = vec![heap.alloc_str("mound")];
    /// for _ in 0..1_000 {
    ///     let text = heap[stack[0]].repeat(1_000);
    ///     heap.try_or_collect(&stack, |heap| heap.try_alloc_str(&text))?;
    /// }
    /// # Ok::<(), AllocError>(())
    /// ```
    pub fn try_or_collect<T, V, R: Trace + ?Sized>(
        &mut self,
        roots: &R,
        mut attempt: impl FnMut(&mut Heap) -> Result<T, AllocError<V>>,
    ) -> Result<T, AllocError<V>> {
        attempt(self).or_else(|_| {
            self.collect(roots);
            attempt(self)
        })
    }
}
