//! How stores change their size. They never move: memory is taken and given back behind addresses that are reserved.

use super::mapping;
use super::record::{Record, Traits};
use super::words;
use tumulus_heap::{ExternalBytes, HeapId};

impl Record {
    /// Changes the length of a resizable store that is not shared: false if the system refuses the memory.
    ///
    /// # Safety
    ///
    /// `bytes` is at most the maximum; and the caller may touch the bytes (R5) and no reference to them exists.
    pub(crate) unsafe fn resize(&self, bytes: usize) -> bool {
        debug_assert!(self.traits().has(Traits::RESIZABLE) && !self.traits().has(Traits::SHARED));
        assert!(bytes <= self.max_byte_length(), "the length was checked");
        let before = self.byte_length();
        // SAFETY: the caller's promise; both are at most the maximum.
        unsafe {
            if bytes > before && !self.commit(before, bytes) {
                return false;
            }
            if bytes < before {
                self.clear(bytes, before);
            }
        }
        self.set_byte_length(bytes);
        self.locked(|_, payer| {
            if let Some(payer) = payer.get() {
                // The same as one change by the difference.
                payer.add(bytes);
                payer.sub(before);
            }
        });
        true
    }

    /// Lets a growable shared store grow, for a heap, which pays for it if nobody does. The result is the length before; it is
    /// `bytes` if nothing was to be done.
    pub(crate) fn grow(&self, bytes: usize, heap: Option<(HeapId, ExternalBytes)>) -> Result<usize, GrowError> {
        debug_assert!(self.traits().has(Traits::RESIZABLE.and(Traits::SHARED)));
        if bytes > self.max_byte_length() {
            return Err(GrowError::Length { current: self.byte_length() });
        }
        self.locked(|claim, payer| {
            // The lock keeps growth and payer together; readers take no lock, and see one length or the other.
            let before = self.byte_length();
            if bytes < before {
                return Err(GrowError::Length { current: before });
            }
            // SAFETY: at most the maximum, as was checked.
            if !unsafe { self.commit(before, bytes) } {
                return Err(GrowError::Memory);
            }
            // Before the length changes, which is what is on the account.
            let paying = self.payer(claim, payer);
            self.set_byte_length(bytes);
            match (paying, heap) {
                (Some(account), _) => account.add(bytes - before),
                (None, Some(heap)) => self.pay(claim, payer, heap),
                (None, None) => {}
            }
            Ok(before)
        })
    }

    /// Makes bytes usable that the length did not include. They are zero.
    ///
    /// # Safety
    ///
    /// Both are at most the maximum.
    unsafe fn commit(&self, from: usize, to: usize) -> bool {
        if !self.traits().has(Traits::RESERVED) {
            return true;
        }
        let (Some(start), Some(end)) = (mapping::round(from), mapping::round(to)) else { return false };
        // SAFETY: whole grains of the reservation, whose size is the maximum rounded up.
        unsafe { mapping::commit(self.data().add(start), end - start) }
    }

    /// Makes the bytes `from..to`, which the length is not to include any more, zero, and gives their memory back.
    ///
    /// # Safety
    ///
    /// As for [`resize`](Record::resize).
    unsafe fn clear(&self, from: usize, to: usize) {
        let data = self.data();
        // SAFETY: all is inside of the bytes in use; whole grains of a reservation can be given back.
        unsafe {
            let mut end = to;
            if self.traits().has(Traits::RESERVED)
                && let (Some(start), Some(rounded)) = (mapping::round(from), mapping::round(to))
                && start < rounded
            {
                mapping::discard(data.add(start), rounded - start);
                end = start.min(to);
            }
            data.add(from).write_bytes(0, end - from);
        }
    }

    /// The shared bytes of a shared store.
    pub(crate) fn words(&self) -> words::Words<'_> {
        assert!(self.traits().has(Traits::SHARED), "only shared bytes are touched by words");
        // SAFETY: the store is shared, so that all touch its bytes this way (R6); its bytes are there while the reference
        // that the caller came by is (R2).
        unsafe { words::Words::new(self.data(), self.byte_length(), self.max_byte_length()) }
    }
}

/// Why a shared store did not grow.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum GrowError {
    /// The length is above the maximum, or below what it was.
    Length { current: usize },
    /// The system refused the memory.
    Memory,
}
