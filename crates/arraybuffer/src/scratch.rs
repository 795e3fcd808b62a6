//! Memory that an operation takes for itself: refused, it is an error.

use crate::error::{Error, NoMemory};

/// A list with room for so many; no more are to be pushed.
pub(crate) fn list<T>(operation: &'static str, count: usize) -> Result<Vec<T>, Error> {
    let mut list = Vec::new();
    if list.try_reserve_exact(count).is_ok() {
        return Ok(list);
    }
    let requested = count.saturating_mul(size_of::<T>());
    Err(Error::OutOfMemory { operation, requested, reason: NoMemory::Allocator })
}

/// Text with room for so many bytes.
pub(crate) fn text(operation: &'static str, bytes: usize) -> Result<String, Error> {
    list(operation, bytes).map(|empty| String::from_utf8(empty).unwrap_or_default())
}
