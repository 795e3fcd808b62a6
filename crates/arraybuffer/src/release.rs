//! The releaser: a thread that releases what dead buffers leave, where that takes long.
//!
//! | whose bytes | when they are released |
//! |---|---|
//! | of the default allocator | when the collector drops the buffer, for the next store; that takes some nanoseconds |
//! | resizable, foreign, or of an allocator of the program's | by the releaser, usually within two milliseconds |
//! | of a store whose last reference is a [`BackingStore`](crate::BackingStore), or is detached | at once, on that thread |
//!
//! The thread is started when there is something for it to do, and joined when the process exits. [`flush`] waits until
//! everything is released that was dead before. [`set_mode`] makes collections release everything themselves.
//!
//! A deleter that panics on the thread has been called, like all others; [`statistics`] counts it.

use crate::raw;
use crate::sync::thread::{self, JoinHandle, ThreadId};
use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, MutexGuard, thread_local};
use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the thread waits for more before it goes to sleep, and needs to be woken.
const LINGER: Duration = Duration::from_millis(1);

/// More bytes than the standard library takes for a thread, but for its stack, which it asks for.
const NEEDED_BY_THREAD: usize = 4 << 10;

/// Who releases what dead buffers leave.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::release::{self, Mode};
///
/// release::set_mode(Mode::Inline); // for a program that wants no other threads
/// # release::set_mode(Mode::Background);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A thread of its own does what takes long. Under Miri, which wants all threads joined, this is not the default.
    Background,
    /// The collection does, while it drops the buffer.
    Inline,
}

/// What the releaser has done; made by [`statistics`].
///
/// ```
/// let before = tumulus_arraybuffer::release::statistics();
/// assert!(before.panicked_deleters <= before.rounds + 1);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How often the thread has looked for work.
    pub rounds: u64,
    /// Deleters that panicked on it.
    pub panicked_deleters: u64,
    /// Whether it runs.
    pub is_running: bool,
}

static INLINE: AtomicBool = AtomicBool::new(cfg!(miri));
/// The thread sleeps, or was not started.
static MUST_WAKE: AtomicBool = AtomicBool::new(true);
static TRIM: AtomicBool = AtomicBool::new(false);
static PANICKED: AtomicU64 = AtomicU64::new(0);
static STATE: Mutex<State> = Mutex::new(State {
    thread: None,
    id: None,
    begun: 0,
    done: 0,
    wanted: 0,
    releasing: 0,
    stopping: false,
    has_exited: false,
});
thread_local! {
    /// This thread releases what waits, though it is not the releaser.
    static RELEASES: Cell<bool> = const { Cell::new(false) };
}
/// There is something to do.
static WORK: Condvar = Condvar::new();
/// A round is done.
static DONE: Condvar = Condvar::new();

struct State {
    thread: Option<JoinHandle<()>>,
    id: Option<ThreadId>,
    /// Rounds that were begun, done, and that somebody waits for.
    begun: u64,
    done: u64,
    wanted: u64,
    /// Other threads that release what waits.
    releasing: u64,
    stopping: bool,
    /// The process exits: nothing is started any more.
    has_exited: bool,
}

/// Chooses who releases what dead buffers leave, from now on and in the whole process.
///
/// ```
/// use tumulus_arraybuffer::release;
///
/// release::set_mode(release::Mode::Inline);
/// # release::set_mode(release::Mode::Background);
/// ```
pub fn set_mode(mode: Mode) {
    INLINE.store(mode == Mode::Inline, Ordering::SeqCst);
}

/// Waits until all is released that was dead before.
///
/// Called by a deleter on the releaser's own thread, or on another one that does its work, it returns at once.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::{ArrayBuffer, BackingStore, release};
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// let bytes: Arc<[u8]> = Arc::from([1, 2, 3]);
/// let store = BackingStore::from_arc(Arc::clone(&bytes));
/// ArrayBuffer::from_store(&mut heap, store)?;
/// heap.collect(&());
/// release::flush();
/// assert_eq!(Arc::strong_count(&bytes), 1);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn flush() {
    let mut state = STATE.lock();
    if state.id == Some(thread::current().id()) || RELEASES.try_with(Cell::get).unwrap_or(false) {
        return;
    }
    // A round that begins from now on sees all that is dead.
    let target = state.begun + 1;
    if state.thread.is_some() || state.stopping {
        state.wanted = state.wanted.max(target);
        MUST_WAKE.store(false, Ordering::SeqCst);
        WORK.notify_one();
    }
    // One that stops may be in the midst of a deleter.
    while state.done < target && (state.thread.is_some() || state.stopping) {
        DONE.wait(&mut state);
    }
    if state.done < target {
        MutexGuard::unlocked(&mut state, release_here);
    }
    // Another thread may be in the midst of what it found.
    while state.releasing > 0 {
        DONE.wait(&mut state);
    }
}

/// Releases what is dead, and ends and joins the thread. It is started again when it is needed.
///
/// When the process exits this happens by itself.
///
/// ```
/// tumulus_arraybuffer::release::join();
/// assert!(!tumulus_arraybuffer::release::statistics().is_running);
/// ```
pub fn join() {
    let thread = {
        let mut state = STATE.lock();
        if state.id == Some(thread::current().id()) {
            return;
        }
        // Somebody else may be at it already, whose request stands.
        while state.stopping {
            DONE.wait(&mut state);
        }
        let thread = state.thread.take();
        state.stopping = thread.is_some();
        WORK.notify_one();
        thread
    };
    if let Some(thread) = thread {
        // It catches all panics.
        let _ = thread.join();
        let mut state = STATE.lock();
        (state.stopping, state.id) = (false, None);
        MUST_WAKE.store(true, Ordering::SeqCst);
        DONE.notify_all();
    }
    release_here();
}

/// Gives the memory back to the system that is kept for the next who needs some.
///
/// Beyond a few dozen mebibytes the releaser does so by itself.
///
/// ```
/// tumulus_arraybuffer::release::trim();
/// ```
pub fn trim() {
    raw::trim_all();
}

/// What the releaser has done.
///
/// ```
/// println!("{:?}", tumulus_arraybuffer::release::statistics());
/// ```
pub fn statistics() -> Statistics {
    let state = STATE.lock();
    Statistics {
        rounds: state.done,
        panicked_deleters: PANICKED.load(Ordering::Relaxed),
        is_running: state.thread.is_some(),
    }
}

/// Whether work may be put on the queue.
pub(crate) fn takes_work() -> bool {
    !INLINE.load(Ordering::Relaxed)
}

/// Says that there is something on the queue.
#[inline]
pub(crate) fn notify() {
    // In order with the look at the queue that the thread takes before it sleeps.
    if MUST_WAKE.load(Ordering::SeqCst) && !wake() {
        release_here();
    }
}

/// Says that more memory is kept than should be.
///
/// No deleter is run here: who calls may be in the midst of returning a block.
pub(crate) fn want_trim() {
    if takes_work() {
        TRIM.store(true, Ordering::SeqCst);
        if !MUST_WAKE.load(Ordering::SeqCst) || wake() {
            return;
        }
        TRIM.store(false, Ordering::SeqCst);
    }
    raw::trim();
}

/// Wakes the thread. False if there is none to be had, so that who calls has to do the work.
#[cold]
#[inline(never)]
fn wake() -> bool {
    let mut state = STATE.lock();
    if !MUST_WAKE.swap(false, Ordering::SeqCst) {
        return true;
    }
    if state.thread.is_none() && !state.stopping && !state.has_exited {
        static AT_EXIT: Once = Once::new();
        // In a model, nothing is left when it ends.
        if !cfg!(tumulus_shuttle) {
            AT_EXIT.call_once(|| raw::at_exit(exit));
        }
        state.thread = start();
        state.id = state.thread.as_ref().map(|thread| thread.thread().id());
    }
    if state.thread.is_none() {
        // No thread to be had: whoever comes next does it.
        MUST_WAKE.store(true, Ordering::SeqCst);
        return false;
    }
    WORK.notify_one();
    true
}

/// The thread, if there is one to be had.
fn start() -> Option<JoinHandle<()>> {
    // The standard library takes what a thread needs without asking, and the process would abort if the system refused it.
    Vec::<u8>::new().try_reserve_exact(NEEDED_BY_THREAD).ok()?;
    thread::Builder::new().name("tumulus-releaser".to_string()).spawn(run).ok()
}

extern "C" fn exit() {
    STATE.lock().has_exited = true;
    set_mode(Mode::Inline);
    join();
}

fn release() {
    PANICKED.fetch_add(raw::release_queue(), Ordering::Relaxed);
    if TRIM.swap(false, Ordering::SeqCst) {
        raw::trim();
    }
}

/// Releases what waits, on a thread that is not the releaser's.
fn release_here() {
    // A deleter may come here again, and what it finds is part of what is released here.
    if RELEASES.try_with(|releases| releases.replace(true)).unwrap_or(true) {
        return release();
    }
    STATE.lock().releasing += 1;
    release();
    let _ = RELEASES.try_with(|releases| releases.set(false));
    STATE.lock().releasing -= 1;
    DONE.notify_all();
}

fn has_work(state: &State) -> bool {
    state.stopping || state.wanted > state.done || TRIM.load(Ordering::SeqCst) || !raw::queue_is_empty()
}

fn run() {
    let mut state = STATE.lock();
    loop {
        state.begun += 1;
        let round = state.begun;
        drop(state);
        release();
        state = STATE.lock();
        state.done = round;
        DONE.notify_all();
        if state.stopping && raw::queue_is_empty() {
            return;
        }
        if !has_work(&state) {
            WORK.wait_for(&mut state, LINGER);
        }
        while !has_work(&state) {
            MUST_WAKE.store(true, Ordering::SeqCst);
            // Something may have come before that was seen.
            if !has_work(&state) {
                WORK.wait(&mut state);
            }
        }
        MUST_WAKE.store(false, Ordering::SeqCst);
    }
}
