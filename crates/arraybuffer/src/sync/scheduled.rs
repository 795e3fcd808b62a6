//! Atomics and locks between whose operations Shuttle may change the thread.
//!
//! Shuttle runs the threads of a model one at a time, and chooses at each step which goes on. Its own locks and atomics belong
//! to one execution of a model, but those of this crate are in statics. So each is a real one here, with a step before it is
//! touched, and who waits takes steps until the wait is over: a thread that nobody wakes makes the model exceed its steps.
//! Outside of a model, as when the process ends, all are as usual.

use parking_lot::lock_api::{self, GuardNoSend};
pub(crate) use shuttle::{thread, thread_local};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{self, Ordering};
use std::time::{Duration, Instant};

/// Where another thread may go on.
fn step() {
    if is_in_model() {
        thread::yield_now();
    }
}

fn is_in_model() -> bool {
    // A thread that unwinds is not to be left any more.
    shuttle::current::try_get_current_task().is_some() && !std::thread::panicking()
}

/// An atomic value. Each operation on it begins with a step.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Stepped<A>(A);

impl<A> Deref for Stepped<A> {
    type Target = A;

    fn deref(&self) -> &A {
        step();
        &self.0
    }
}

macro_rules! stepped {
    ($($name:ident: $value:ty),* $(,)?) => {$(
        pub(crate) type $name = Stepped<atomic::$name>;

        impl Stepped<atomic::$name> {
            pub(crate) const fn new(value: $value) -> Self {
                Stepped(atomic::$name::new(value))
            }
        }
    )*};
}

stepped!(AtomicBool: bool, AtomicU8: u8, AtomicU16: u16, AtomicU64: u64, AtomicUsize: usize);

pub(crate) type AtomicPtr<T> = Stepped<atomic::AtomicPtr<T>>;

impl<T> Stepped<atomic::AtomicPtr<T>> {
    pub(crate) const fn new(value: *mut T) -> Self {
        Stepped(atomic::AtomicPtr::new(value))
    }
}

/// A lock; each attempt to take it is a step, and so is letting it go.
pub(crate) struct RawMutex(parking_lot::RawMutex);

// SAFETY: it is the lock inside, which excludes.
unsafe impl lock_api::RawMutex for RawMutex {
    #[allow(clippy::declare_interior_mutable_const, reason = "as the trait has it")]
    const INIT: RawMutex = RawMutex(<parking_lot::RawMutex as lock_api::RawMutex>::INIT);

    type Guard = GuardNoSend;

    fn lock(&self) -> GuardNoSend {
        step();
        loop {
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
            if !is_in_model() {
                return self.0.lock();
            }
            step();
        }
    }

    fn try_lock(&self) -> Option<GuardNoSend> {
        step();
        self.0.try_lock()
    }

    unsafe fn unlock(&self, guard: GuardNoSend) {
        step();
        // SAFETY: the caller's promise.
        unsafe { self.0.unlock(guard) }
    }

    fn is_locked(&self) -> bool {
        self.0.is_locked()
    }
}

pub(crate) type Mutex<T> = lock_api::Mutex<RawMutex, T>;
pub(crate) type MutexGuard<'m, T> = lock_api::MutexGuard<'m, RawMutex, T>;

/// A condition variable that wakes exactly who is notified.
#[derive(Debug)]
pub(crate) struct Condvar {
    /// Those who wait, the first to come in front. Nobody steps while this is locked.
    waiting: parking_lot::Mutex<Vec<Arc<atomic::AtomicBool>>>,
}

impl Condvar {
    pub(crate) const fn new() -> Condvar {
        Condvar { waiting: parking_lot::Mutex::new(Vec::new()) }
    }

    pub(crate) fn notify_one(&self) {
        step();
        let mut waiting = self.waiting.lock();
        if !waiting.is_empty() {
            waiting.remove(0).store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn notify_all(&self) {
        step();
        self.waiting.lock().drain(..).for_each(|waiter| waiter.store(true, Ordering::SeqCst));
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_unless(guard, || false);
    }

    /// How long it waits is left to chance.
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _most: Duration) {
        self.wait_unless(guard, || shuttle::rand::Rng::r#gen(&mut shuttle::rand::thread_rng()));
    }

    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, until: Instant) {
        self.wait_unless(guard, || Instant::now() >= until);
    }

    fn wait_unless<T>(&self, guard: &mut MutexGuard<'_, T>, mut is_over: impl FnMut() -> bool) {
        let is_notified = Arc::new(atomic::AtomicBool::new(false));
        self.waiting.lock().push(Arc::clone(&is_notified));
        MutexGuard::unlocked(guard, || {
            while !is_notified.load(Ordering::SeqCst) {
                if is_over() {
                    self.waiting.lock().retain(|waiter| !Arc::ptr_eq(waiter, &is_notified));
                    return;
                }
                step();
            }
        });
    }
}
