//! A background thread that lags, or is not there.

use std::sync::mpsc::{self, Sender};
use tumulus_arraybuffer::release::{self, Mode};
use tumulus_arraybuffer::{ArrayBuffer, BackingStore};
use tumulus_heap::Heap;

/// Keeps the [releaser](release) from its work as long as it exists: what it is left to release waits, as it does where the
/// thread gets no time.
///
/// It is busy with a deleter that waits. So [`flush`](release::flush) waits as well, and is not to be called meanwhile.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, release};
/// use tumulus_testing::DeleterProbe;
/// use tumulus_testing::faults::LaggingReleaser;
///
/// let mut heap = tumulus_heap::Heap::new();
/// let probe = DeleterProbe::expect_once();
/// ArrayBuffer::from_store(&mut heap, probe.store(vec![0; 117]))?;
///
/// let lag = LaggingReleaser::new();
/// heap.collect(&());
/// assert_eq!(heap.statistics().external_bytes, 0); // the heap is done with it
/// assert_eq!(probe.count(), 0);
/// drop(lag);
/// probe.verify();
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Debug)]
pub struct LaggingReleaser {
    /// Hung up, it lets the deleter go on.
    _busy: Sender<()>,
}

impl LaggingReleaser {
    /// Makes the releaser busy, which it is when this returns. If it is not [in the background](Mode::Background), it is so
    /// from now on.
    ///
    /// ```
    /// let lag = tumulus_testing::faults::LaggingReleaser::new();
    /// ```
    pub fn new() -> LaggingReleaser {
        release::set_mode(Mode::Background);
        let (busy, until) = mpsc::channel::<()>();
        let (begun, is_begun) = mpsc::channel();
        let byte = Box::into_raw(Box::new(0_u8));
        let deleter = move |byte: *mut u8, _: usize, ()| {
            let _ = begun.send(());
            // Ends with an error when the other end goes.
            let _ = until.recv();
            // SAFETY: made above, and put together by the one call of this.
            drop(unsafe { Box::from_raw(byte) });
        };
        // SAFETY: the byte is there until the deleter is called, and nobody else knows of it.
        let store =
            unsafe { BackingStore::from_raw(byte, 1, deleter, ()) }.expect("a box is not null, and not wrapped");
        let mut heap = Heap::builder().build();
        ArrayBuffer::from_store(&mut heap, store).expect("a new heap has room for a byte");
        heap.collect(&());
        is_begun.recv().expect("the releaser comes to it");
        LaggingReleaser { _busy: busy }
    }
}

impl Default for LaggingReleaser {
    fn default() -> LaggingReleaser {
        LaggingReleaser::new()
    }
}

/// Runs `body` in a process without a releaser: collections release everything themselves. It is as it is by default
/// afterwards, also if `body` panics.
///
/// It holds for all threads; tests that count on one or the other have to run one after the other.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, release};
/// use tumulus_testing::{DeleterProbe, faults};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let probe = DeleterProbe::expect_once();
/// ArrayBuffer::from_store(&mut heap, probe.store(vec![0; 117]))?;
/// faults::without_releaser(|| {
///     heap.collect(&());
///     assert_eq!(probe.calls()[0].thread, std::thread::current().id());
///     assert!(!release::statistics().is_running);
/// });
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn without_releaser<R>(body: impl FnOnce() -> R) -> R {
    struct Restores;
    impl Drop for Restores {
        fn drop(&mut self) {
            release::set_mode(if cfg!(miri) { Mode::Inline } else { Mode::Background });
        }
    }
    release::set_mode(Mode::Inline);
    release::join();
    let _restores = Restores;
    body()
}
