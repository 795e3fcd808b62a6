//! A clock that jumps.

use std::cell::{Cell, RefCell};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// What a [`clock`] does at a reading.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tumulus_testing::faults::{Jump, clock, with_jumps};
///
/// let hour = Duration::from_secs(3600);
/// with_jumps(&[Jump::Ahead(hour), Jump::Back(2 * hour)], || {
///     let first = clock();
///     assert!(clock() < first);
/// });
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Jump {
    /// It goes as clocks do.
    Goes,
    /// It is set ahead by so much.
    Ahead(Duration),
    /// It is set back by so much.
    Back(Duration),
    /// It shows what it did at the last reading.
    Stands,
}

/// Where clocks begin: far from where the system's own do, so that there is room to be set back.
static START: LazyLock<(Instant, Instant)> = LazyLock::new(|| {
    let now = Instant::now();
    (now, now + Duration::from_secs(1 << 36))
});

thread_local! {
    static JUMPS: RefCell<(Vec<Jump>, usize)> = const { RefCell::new((Vec::new(), 0)) };
    /// What the clock shows, and what the system's did at that reading.
    static SHOWN: Cell<(Instant, Instant)> = Cell::new((START.1, START.0));
}

/// A clock for [`HeapBuilder::clock`](tumulus_heap::HeapBuilder::clock) that jumps as [`with_jumps`] says, and goes otherwise.
///
/// Each thread has one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tumulus_heap::{Budget, Heap};
/// use tumulus_testing::faults::{Jump, clock, with_jumps};
///
/// let mut heap = Heap::builder().clock(clock).pause_budget(Budget::time(Duration::from_micros(50))).build();
/// let list: Vec<_> = (0..10_000).map(|n| heap.alloc(n)).collect();
/// with_jumps(&[Jump::Back(Duration::from_secs(1))], || {
///     heap.start_major();
///     while heap.statistics().collections == 0 {
///         heap.safepoint(&list);
///     }
/// });
/// heap.verify()?;
/// # Ok::<(), tumulus_heap::VerifyError>(())
/// ```
pub fn clock() -> Instant {
    let jump = JUMPS.with_borrow_mut(|(jumps, at)| {
        let jump = jumps.get(*at).copied().unwrap_or(Jump::Goes);
        *at = (*at + 1).checked_rem(jumps.len()).unwrap_or(0);
        jump
    });
    let (shown, read_at) = SHOWN.get();
    let now = Instant::now();
    let goes = shown + (now - read_at);
    let shows = match jump {
        Jump::Goes => goes,
        // Set ahead further than it can show, it stays where it is.
        Jump::Ahead(by) => goes.checked_add(by).unwrap_or(goes),
        Jump::Back(by) => goes.checked_sub(by).unwrap_or(goes),
        Jump::Stands => shown,
    };
    SHOWN.set((shows, now));
    shows
}

/// Runs `body` while this thread's [`clock`] does one of `jumps` at each reading, in turn and from the front again. It goes as
/// clocks do after that, also if `body` panics.
///
/// # Examples
///
/// ```
/// use tumulus_testing::faults::{Jump, clock, with_jumps};
///
/// with_jumps(&[Jump::Stands], || assert_eq!(clock(), clock()));
/// assert!(clock() < clock() + std::time::Duration::from_nanos(1));
/// ```
pub fn with_jumps<R>(jumps: &[Jump], body: impl FnOnce() -> R) -> R {
    struct Restores;
    impl Drop for Restores {
        fn drop(&mut self) {
            JUMPS.set((Vec::new(), 0));
        }
    }
    JUMPS.set((jumps.to_vec(), 0));
    let _restores = Restores;
    body()
}
