//! Deleters that tell what they were called with.
//!
//! The one unsafe block wraps bytes of a box that was leaked, and whose deleter puts it together again.

use parking_lot::Mutex;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ThreadId};
use tumulus_arraybuffer::{BackingStore, release};
use tumulus_heap::{Event, Heap};

/// Watches deleters: how often they are called, on which thread, with what, and after which collection.
///
/// A probe expects a number of calls. When it is dropped, it waits for what the [releaser](release) still has to do, and
/// panics unless there were as many. [`verify`](DeleterProbe::verify) does so earlier.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::ArrayBuffer;
/// use tumulus_testing::DeleterProbe;
///
/// let mut heap = tumulus_heap::Heap::new();
/// let probe = DeleterProbe::expect_once();
/// let store = probe.store(vec![0; 117]);
/// let address = store.data().addr().get();
/// ArrayBuffer::from_store(&mut heap, store)?;
/// assert_eq!(probe.count(), 0);
///
/// heap.collect(&());
/// probe.verify();
/// assert_eq!((probe.calls()[0].address, probe.calls()[0].bytes), (address, 117));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
///
/// A deleter that is not called is a leak:
///
/// ```
/// use tumulus_testing::{DeleterProbe, panic_message};
///
/// let probe = DeleterProbe::expect_once();
/// let store = probe.store(vec![0; 117]);
/// let words = panic_message(|| drop(probe)).unwrap();
/// assert!(words.contains("were to be called 1 times, and were called 0 times"), "{words}");
/// ```
#[derive(Debug)]
pub struct DeleterProbe {
    shared: Arc<Shared>,
    expected: usize,
    made: &'static Location<'static>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    /// Collections that the watched heap has completed.
    collections: AtomicU64,
}

/// A call of a deleter, as a [`DeleterProbe`] saw it.
///
/// ```
/// let probe = tumulus_testing::DeleterProbe::expect_once();
/// drop(probe.store(vec![1, 2, 3]));
/// assert_eq!(probe.calls()[0].bytes, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The pointer that it was given.
    pub address: usize,
    /// The length that it was given.
    pub bytes: usize,
    /// The thread that it was called on.
    pub thread: ThreadId,
    /// The thread's name, if it has one.
    pub thread_name: Option<String>,
    /// How many collections the heap that is [watched](DeleterProbe::watch) had completed by then.
    pub collections: u64,
}

impl DeleterProbe {
    /// Expects one call.
    ///
    /// ```
    /// let probe = tumulus_testing::DeleterProbe::expect_once();
    /// drop(probe.store(vec![1]));
    /// ```
    #[track_caller]
    pub fn expect_once() -> DeleterProbe {
        DeleterProbe::expect_times(1)
    }

    /// Expects none, while it exists.
    ///
    /// ```
    /// let probe = tumulus_testing::DeleterProbe::expect_never();
    /// let store = probe.store(vec![1]);
    /// probe.verify();
    /// drop((probe, store)); // the probe first
    /// ```
    #[track_caller]
    pub fn expect_never() -> DeleterProbe {
        DeleterProbe::expect_times(0)
    }

    /// Expects so many calls, of all of its deleters together.
    ///
    /// ```
    /// let probe = tumulus_testing::DeleterProbe::expect_times(2);
    /// drop((probe.store(vec![1]), probe.store(vec![2])));
    /// ```
    #[track_caller]
    pub fn expect_times(calls: usize) -> DeleterProbe {
        DeleterProbe { shared: Arc::default(), expected: calls, made: Location::caller() }
    }

    /// A store of these bytes with a deleter that the probe watches, and which frees them.
    ///
    /// ```
    /// let probe = tumulus_testing::DeleterProbe::expect_once();
    /// let store = probe.store(vec![1, 2, 3]);
    /// assert_eq!(store.with_bytes(|bytes| bytes[2])?, 3);
    /// # drop(store);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn store(&self, bytes: Vec<u8>) -> BackingStore {
        /// A box as a number: it is the store's as long as that exists.
        struct Leaked(NonNull<[u8]>);
        // SAFETY: whoever has it owns the box, whose contents are `Send`.
        unsafe impl Send for Leaked {}

        let (len, leaked) = (bytes.len(), Leaked(NonNull::from(Box::leak(bytes.into_boxed_slice()))));
        let data = leaked.0.cast::<u8>();
        let told = self.deleter();
        let free = move |given: *mut u8, bytes: usize, leaked: Leaked| {
            told(given, bytes, ());
            assert!(len == 0 || ptr::addr_eq(given, leaked.0.as_ptr()), "the pointer of another store");
            // SAFETY: leaked above, and put together by the one call of this.
            drop(unsafe { Box::from_raw(leaked.0.as_ptr()) });
        };
        // SAFETY: the bytes are initialised, stay where they are until `free` is called, and nobody else knows of them.
        unsafe { BackingStore::from_raw(data.as_ptr(), len, free, leaked) }.expect("a box is not null, and not wrapped")
    }

    /// A deleter for [`BackingStore::from_raw`] that tells the probe, and frees nothing.
    ///
    /// ```
    /// use tumulus_arraybuffer::BackingStore;
    ///
    /// let probe = tumulus_testing::DeleterProbe::expect_once();
    /// let mut bytes = [0; 100];
    /// // SAFETY: the array outlives the store, and nobody touches it meanwhile.
    /// let store = unsafe { BackingStore::from_raw(bytes.as_mut_ptr(), 100, probe.deleter(), ())? };
    /// drop(store);
    /// assert_eq!(probe.calls()[0].bytes, 100);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn deleter(&self) -> impl FnOnce(*mut u8, usize, ()) + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move |data: *mut u8, bytes, ()| {
            let current = thread::current();
            shared.calls.lock().push(Call {
                address: data.addr(),
                bytes,
                thread: current.id(),
                thread_name: current.name().map(str::to_string),
                collections: shared.collections.load(Ordering::Acquire),
            });
        }
    }

    /// Counts the collections of a heap, from now on, so that [`Call::collections`] says after how many a deleter was called.
    ///
    /// It is the heap's [`on_event`](Heap::on_event) callback.
    ///
    /// ```
    /// use tumulus_arraybuffer::ArrayBuffer;
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let probe = tumulus_testing::DeleterProbe::expect_once();
    /// probe.watch(&mut heap);
    /// let held = probe.store(vec![0; 8]);
    /// ArrayBuffer::from_store(&mut heap, held.clone())?;
    /// heap.collect(&());
    /// heap.collect(&());
    /// drop(held);
    /// assert_eq!(probe.calls()[0].collections, 2);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn watch(&self, heap: &mut Heap) {
        let shared = Arc::clone(&self.shared);
        heap.on_event(move |event| {
            if let Event::Ended { .. } = event {
                shared.collections.fetch_add(1, Ordering::Release);
            }
        });
    }

    /// How many calls there were. It does not wait.
    ///
    /// ```
    /// assert_eq!(tumulus_testing::DeleterProbe::expect_never().count(), 0);
    /// ```
    pub fn count(&self) -> usize {
        self.shared.calls.lock().len()
    }

    /// The calls, in their order.
    ///
    /// ```
    /// assert_eq!(tumulus_testing::DeleterProbe::expect_never().calls(), []);
    /// ```
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().clone()
    }

    /// Waits for the releaser, and panics unless there were as many calls as were expected.
    ///
    /// ```
    /// tumulus_testing::DeleterProbe::expect_never().verify();
    /// ```
    #[track_caller]
    pub fn verify(&self) {
        release::flush();
        let calls = self.calls();
        assert_eq!(
            calls.len(),
            self.expected,
            "the deleters of the probe made at {} were to be called {} times, and were called {} times: {calls:#?}",
            self.made,
            self.expected,
            calls.len()
        );
    }
}

impl Drop for DeleterProbe {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.verify();
        }
    }
}
