//! Limits: what happens when a heap may not, or cannot, grow.

use crate::error::{AllocError, AllocErrorKind};
use crate::heap::Heap;

/// Called when the limit is reached; returns the new one.
pub(crate) type NearLimitCallback = Box<dyn FnMut(NearLimit) -> usize>;

/// What a near-limit callback is told.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearLimit {
    /// Bytes that the heap has committed.
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
        self.store.limit = limit;
        self.reschedule();
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
        self.near_limit = Some(Box::new(callback));
    }

    /// Whether the near-limit callback has made room for an allocation that failed.
    pub(crate) fn limit_was_raised(&mut self, kind: AllocErrorKind, requested: usize) -> bool {
        // What failed once will fail again soon: collect at the next safepoint.
        self.due = 0;
        let limit = self.store.limit;
        let Some(callback) = self.near_limit.as_mut().filter(|_| kind == AllocErrorKind::Limit) else { return false };
        let raised = callback(NearLimit { used: self.store.committed_bytes(), requested, limit });
        if raised <= limit {
            return false;
        }
        self.set_limit(raised);
        true
    }

    /// The error for an allocation that failed for good.
    pub(crate) fn alloc_error<T>(
        &self,
        value: T,
        kind: AllocErrorKind,
        requested: usize,
        type_name: &'static str,
    ) -> AllocError<T> {
        AllocError { value, kind, used: self.store.committed_bytes(), limit: self.store.limit, requested, type_name }
    }
}
