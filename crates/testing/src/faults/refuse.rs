//! Which allocations of a piece of code are refused.
//!
//! The plan is a thread's own, in cells without a destructor, so that the allocator can look at it at any time.

use std::cell::Cell;

thread_local! {
    static PLAN: Cell<Plan> = const { Cell::new(Plan { is_active: false, first: 0, last: 0, seen: 0, refused: 0 }) };
}

#[derive(Copy, Clone)]
struct Plan {
    is_active: bool,
    /// The allocations that are refused, counted from 1.
    first: u64,
    last: u64,
    seen: u64,
    refused: u64,
}

/// Which allocations are refused, counted from 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refuse {
    /// None: they are counted only.
    Nothing,
    /// The one of this number.
    Once(u64),
    /// The one of this number, and all after it.
    From(u64),
}

/// What came of it; from [`refuse`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome<R> {
    /// What the code returned.
    pub result: R,
    /// How many allocations it tried.
    pub allocations: u64,
    /// How many of them were refused.
    pub refused: u64,
}

/// Called by the allocator for each allocation.
pub(super) fn is_refused() -> bool {
    let look = |cell: &Cell<Plan>| {
        let mut plan = cell.get();
        if !plan.is_active {
            return false;
        }
        plan.seen += 1;
        let is_refused = (plan.first..=plan.last).contains(&plan.seen);
        plan.refused += u64::from(is_refused);
        cell.set(plan);
        is_refused
    };
    PLAN.try_with(look).unwrap_or(false)
}

/// Runs `body`, while allocations of this thread are refused as `which` says. They are allocations of Rust's allocator;
/// memory that is mapped by other means is not counted.
///
/// A panic in `body` goes on, and nothing is refused from then on. Its message is made while allocations are refused.
///
/// # Panics
///
/// If the program's allocator is no [`FailingAllocator`](super::FailingAllocator); or within another call of `refuse`.
///
/// # Examples
///
/// See [`FailingAllocator`](super::FailingAllocator). Without one:
///
/// ```
/// use tumulus_testing::{faults, panic_message};
///
/// let words = panic_message(|| faults::refuse(faults::Refuse::Nothing, || ())).unwrap();
/// assert!(words.contains("#[global_allocator]"), "{words}");
/// ```
#[track_caller]
pub fn refuse<R>(which: Refuse, body: impl FnOnce() -> R) -> Outcome<R> {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            PLAN.with(|cell| cell.set(Plan { is_active: false, ..cell.get() }));
        }
    }
    let (first, last) = match which {
        Refuse::Nothing => (u64::MAX, 0),
        Refuse::Once(number) => (number, number),
        Refuse::From(number) => (number, u64::MAX),
    };
    assert!(!PLAN.get().is_active, "`refuse` within `refuse`");
    PLAN.set(Plan { is_active: true, first: u64::MAX, last: 0, seen: 0, refused: 0 });
    let ends = Ends;
    drop(std::hint::black_box(Box::new(0_u8)));
    let is_there = PLAN.get().seen > 0;
    if !is_there {
        drop(ends);
        panic!("nothing can be refused: the program needs `#[global_allocator] static A: FailingAllocator = ..`");
    }
    PLAN.set(Plan { is_active: true, first, last, seen: 0, refused: 0 });
    let result = body();
    drop(ends);
    let Plan { seen, refused, .. } = PLAN.get();
    Outcome { result, allocations: seen, refused }
}

/// Runs `body` again and again: its first allocation is refused, then its second, and so on, until it makes do without one that
/// was refused. Then the same with all later ones refused as well. The result is how many allocations there are.
///
/// `body` gets what to pass to [`refuse`], and returns what that gave. So it can prepare what it needs before, and look at it
/// afterwards, with memory.
///
/// # Panics
///
/// As [`refuse`]; and after a million runs.
///
/// # Examples
///
/// ```
/// use tumulus_testing::faults::{FailingAllocator, for_each_allocation, refuse};
///
/// #[global_allocator]
/// static ALLOCATOR: FailingAllocator = FailingAllocator::new();
///
/// fn main() {
///     let count = for_each_allocation(|which| {
///         let (mut one, mut two) = (Vec::<u8>::new(), Vec::<u8>::new());
///         refuse(which, || one.try_reserve(1).and_then(|()| two.try_reserve(1)))
///     });
///     assert_eq!(count, 2);
/// }
/// ```
#[track_caller]
pub fn for_each_allocation<R>(mut body: impl FnMut(Refuse) -> Outcome<R>) -> u64 {
    let mut most = 0;
    for plan in [Refuse::Once, Refuse::From] {
        let mut number = 1;
        while body(plan(number)).refused > 0 {
            number += 1;
            assert!(number < 1_000_000, "a million allocations, and no end");
        }
        most = most.max(number - 1);
    }
    most
}
