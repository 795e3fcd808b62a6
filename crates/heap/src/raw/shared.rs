//! A counted reference, like `Rc`, but one whose memory may be refused: `Rc` would abort the process then.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

struct Counted<T> {
    /// **Invariant:** how many references there are.
    count: Cell<usize>,
    value: T,
}

/// One of the references to a value, which goes with the last of them.
///
/// It stays on its thread, as a `NonNull` does: the count is a plain number.
pub(crate) struct Shared<T> {
    /// **Invariant:** allocated by `Shared::new` with the layout of a `Counted<T>`, and holds one as long as there is a
    /// reference.
    counted: NonNull<Counted<T>>,
}

impl<T> Shared<T> {
    const LAYOUT: Layout = Layout::new::<Counted<T>>();

    /// The first reference to what `make` gives, which is not called where the system has no memory for it.
    pub(crate) fn new(make: impl FnOnce() -> T) -> Option<Shared<T>> {
        // SAFETY: with its count, it is not of size zero.
        let counted = NonNull::new(unsafe { alloc(Self::LAYOUT) })?.cast::<Counted<T>>();
        // A panic leaves the empty block behind.
        let value = make();
        // SAFETY: allocated just now, with this layout.
        unsafe { counted.write(Counted { count: Cell::new(1), value }) };
        Some(Shared { counted })
    }

    #[inline(always)]
    fn counted(&self) -> &Counted<T> {
        // SAFETY: it lives as long as a reference to it does, and nobody has it exclusively.
        unsafe { self.counted.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Shared<T> {
        let count = &self.counted().count;
        // References that were forgotten could make it overflow, after centuries.
        count.set(count.get().checked_add(1).expect("2^64 references to one value"));
        Shared { counted: self.counted }
    }
}

impl<T> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        let count = &self.counted().count;
        count.set(count.get() - 1);
        if count.get() == 0 {
            // SAFETY: this was the last reference, so that nobody else will look at the value, or free it.
            unsafe {
                self.counted.drop_in_place();
                dealloc(self.counted.as_ptr().cast(), Self::LAYOUT);
            }
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> PartialEq for Shared<T> {
    /// Whether both refer to one place.
    #[inline]
    fn eq(&self, other: &Shared<T>) -> bool {
        self.counted == other.counted
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn a_value_goes_with_its_last_reference() {
        let witness = Rc::new(());
        let first = Shared::new(|| Rc::clone(&witness)).unwrap();
        let second = first.clone();
        assert!(first == second && first != Shared::new(|| Rc::clone(&witness)).unwrap());
        drop(first);
        assert_eq!((Rc::strong_count(&witness), Rc::strong_count(&second)), (2, 2));
        drop(second);
        assert_eq!(Rc::strong_count(&witness), 1);
    }
}
