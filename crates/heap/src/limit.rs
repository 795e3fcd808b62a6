//! Limits: what happens when a heap may not, or cannot, grow.

use crate::alloc::alloc_failed;
use crate::collect::Due;
use crate::error::{AllocError, AllocErrorKind, NoValue};
use crate::heap::Heap;
use crate::observe::Operation;
use crate::raw::{Store, Vacancy, requested_bytes};
use crate::trace::Trace;
use std::alloc::Layout;
use std::any::type_name;
use std::panic::Location;

/// Called when the limit is reached; returns the new one.
type NearLimitCallback = Box<dyn FnMut(NearLimit) -> usize>;

/// What a near-limit callback is told.
///
/// # Examples
///
/// A host that grants what is asked for, up to a bound of its own:
///
/// ```
/// use tumulus_heap::{Heap, NearLimit};
///
/// fn up_to_a_megabyte(near: NearLimit) -> usize {
///     near.limit.max(near.used.saturating_add(near.requested)).min(1 << 20)
/// }
///
/// let mut heap = Heap::builder().limit(64 << 10).build();
/// heap.on_near_limit(up_to_a_megabyte);
/// assert!(heap.try_alloc_slice(&[0_u8; 500_000]).is_ok());
/// assert!(heap.limit() >= 500_000);
/// assert!(heap.try_alloc_slice(&[0_u8; 2_000_000]).is_err());
/// assert_eq!(heap.limit(), 1 << 20);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearLimit {
    /// Bytes that the heap has committed, and that its objects keep alive outside of it.
    pub used: usize,
    /// Bytes that are asked for, and do not fit.
    pub requested: usize,
    /// The limit.
    pub limit: usize,
}

impl Heap {
    /// The most bytes that the heap may commit; `usize::MAX` when it has no limit.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// assert_eq!(Heap::builder().limit(1 << 20).build().limit(), 1 << 20);
    /// ```
    pub fn limit(&self) -> usize {
        self.store.limit
    }

    /// Sets the limit. One below what is committed stops all growth until a collection has made room.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::new();
    /// heap.set_limit(0);
    /// assert!(heap.try_alloc(1).is_err());
    /// heap.set_limit(1 << 20);
    /// assert!(heap.try_alloc(1).is_ok());
    /// ```
    pub fn set_limit(&mut self, limit: usize) {
        self.observed(Operation::SetLimit(limit), &(), |heap| {
            heap.store.limit = limit;
            heap.limit_changed();
        });
    }

    /// Sets a callback that is asked when an allocation runs into the limit, before it fails.
    ///
    /// It returns the new limit. If that is more than the old one, the allocation is tried again, and the callback asked
    /// again if it still does not fit; if not, the allocation fails. The usual use is to grant a little once, so that
    /// the program can wind down.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::builder().limit(64 << 10).build();
    /// let mut granted = false;
    /// heap.on_near_limit(move |near| {
    ///     let more = if granted { 0 } else { 128 << 10 };
    ///     granted = true;
    ///     near.limit + more
    /// });
    /// let error = loop {
    ///     if let Err(error) = heap.try_alloc([0_u64; 16]) {
    ///         break error;
    ///     }
    /// };
    /// assert_eq!(error.limit, 192 << 10);
    /// ```
    pub fn on_near_limit(&mut self, callback: impl FnMut(NearLimit) -> usize + 'static) {
        self.pressure.near_limit = Some(Box::new(callback));
    }
}

/// What an allocation that finds no cell at hand turns to.
#[derive(Default)]
pub(crate) struct Pressure {
    /// What safepoints compare with.
    pub(crate) due: Due,
    /// An allocation has failed, or nearly so, since the last collection.
    pub(crate) failed: bool,
    near_limit: Option<NearLimitCallback>,
}

impl Pressure {
    /// Finds a cell, if need be after the callback has raised the limit.
    #[cold]
    #[inline(never)]
    pub(crate) fn vacancy<T: Trace + 'static>(
        &mut self,
        store: &mut Store,
        host: &'static Location<'static>,
    ) -> Result<Vacancy, AllocError> {
        loop {
            match store.find_vacancy::<T>(host) {
                Ok(vacancy) => return Ok(vacancy),
                Err(kind) => self.refused(store, kind, requested_bytes(Layout::new::<T>()), type_name::<T>())?,
            }
        }
    }

    /// The same for the forms that panic.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn vacancy_or_panic<T: Trace + 'static>(
        &mut self,
        store: &mut Store,
        host: &'static Location<'static>,
    ) -> Vacancy {
        self.vacancy::<T>(store, host).unwrap_or_else(|error| alloc_failed(&error))
    }

    /// What becomes of an allocation that was refused for `kind`: `Ok` if the limit has been raised, so that it should be
    /// tried again, else its error.
    pub(crate) fn refused(
        &mut self,
        store: &mut Store,
        kind: AllocErrorKind,
        requested: usize,
        type_name: &'static str,
    ) -> Result<(), AllocError> {
        if matches!(kind, AllocErrorKind::Limit | AllocErrorKind::System | AllocErrorKind::AddressSpace) {
            // What failed once will fail again soon: collect at the next safepoint.
            self.due.hasten(store.taken_bytes());
            self.failed = true;
        }
        let (used, limit) = (store.limited_bytes(), store.limit);
        let error = AllocError { value: NoValue, kind, used, limit, requested, type_name };
        if kind != AllocErrorKind::Limit {
            return Err(error);
        }
        let Some(callback) = &mut self.near_limit else { return Err(error) };
        let raised = callback(NearLimit { used, requested, limit });
        if raised <= limit {
            return Err(error);
        }
        store.limit = raised;
        Ok(())
    }
}
