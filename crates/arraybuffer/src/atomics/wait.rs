//! Waiting for an element to change, and notifying who waits.
//!
//! Who waits for an element is on a list, the first to come in front: threads, which sleep, and tickets, which are polled. The
//! lists are behind a lock each for a part of all addresses, under which the element is compared as well, so that no
//! notification is lost between the comparison and the sleep. Each waiter sleeps on a lock and a condition variable of its own:
//! whoever is notified wakes and nobody else, and meets nobody on its way. (Where sleepers had the lock of the list, who had
//! notified and went to sleep was in the way of who woke up, and a round trip took 1.4 times that of bare parking.)

use super::{check_index, validate};
use crate::convert::to_integer_or_infinity;
use crate::error::{Error, NoMemory};
use crate::raw::{self, Bytes};
use crate::scratch;
use crate::store::BackingStore;
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::view::{Element, ElementKind, Extent, TypedArray};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tumulus_heap::Heap;

/// How a wait ended.
///
/// ```
/// use tumulus_arraybuffer::atomics::WaitOutcome;
///
/// assert_eq!(WaitOutcome::NotEqual.name(), "not-equal");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    /// It was notified.
    Ok,
    /// The element was another one in the first place.
    NotEqual,
    /// The time was up.
    TimedOut,
}

impl WaitOutcome {
    /// As the language calls it.
    ///
    /// ```
    /// # use tumulus_arraybuffer::atomics::WaitOutcome;
    /// assert_eq!(WaitOutcome::TimedOut.name(), "timed-out");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            WaitOutcome::Ok => "ok",
            WaitOutcome::NotEqual => "not-equal",
            WaitOutcome::TimedOut => "timed-out",
        }
    }
}

/// Somebody who waits.
#[derive(Debug)]
struct Waiter {
    state: Mutex<State>,
    wakes: Condvar,
    deadline: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    is_notified: bool,
    /// Who is to be told, if this is a ticket that a task waits for.
    waker: Option<Waker>,
}

impl Waiter {
    fn new(operation: &'static str, timeout: f64) -> Result<Arc<Waiter>, Error> {
        // An `Arc` takes its block without asking, and the process would abort if the system refused it. So there is asked
        // for more right before.
        drop(scratch::list::<[Waiter; 4]>(operation, 1)?);
        Ok(Arc::new(Waiter { state: Mutex::default(), wakes: Condvar::new(), deadline: deadline(timeout) }))
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Wakes it, which is off its list. The result is who else is to be woken.
    fn notify(&self) -> Option<Waker> {
        let waker = {
            let mut state = self.state.lock();
            state.is_notified = true;
            state.waker.take()
        };
        self.wakes.notify_one();
        waker
    }

    /// Sleeps until it is notified, or it is late. False in the latter case.
    fn sleep(&self) -> bool {
        let mut state = self.state.lock();
        while !state.is_notified {
            match self.deadline {
                None => self.wakes.wait(&mut state),
                Some(deadline) => {
                    self.wakes.wait_until(&mut state, deadline);
                    if !state.is_notified && self.is_late() {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// Those who wait for elements of some addresses, by address.
type Lists = HashMap<usize, VecDeque<Arc<Waiter>>>;

fn lists(address: usize) -> &'static Mutex<Lists> {
    static LISTS: LazyLock<[Mutex<Lists>; 64]> = LazyLock::new(|| std::array::from_fn(|_| Mutex::default()));
    &LISTS[(address >> 2 ^ address >> 8) % LISTS.len()]
}

/// Puts a waiter on its list, behind the others.
fn add(lists: &mut Lists, address: usize, waiter: &Arc<Waiter>, operation: &'static str) -> Result<(), Error> {
    let is_room = lists.try_reserve(1).is_ok();
    if is_room {
        let list = lists.entry(address).or_default();
        if list.try_reserve(1).is_ok() {
            list.push_back(Arc::clone(waiter));
            return Ok(());
        }
        if list.is_empty() {
            lists.remove(&address);
        }
    }
    Err(Error::OutOfMemory { operation, requested: size_of::<Arc<Waiter>>(), reason: NoMemory::Allocator })
}

/// Takes a waiter off its list. False if it is not there any more, as it was notified.
fn remove(lists: &mut Lists, address: usize, waiter: &Arc<Waiter>) -> bool {
    let Some(list) = lists.get_mut(&address) else { return false };
    let Some(at) = list.iter().position(|other| Arc::ptr_eq(other, waiter)) else { return false };
    list.remove(at);
    if list.is_empty() {
        lists.remove(&address);
    }
    true
}

/// What is compared, and where it is.
struct Place {
    store: BackingStore,
    offset: usize,
    address: usize,
    expected: [u8; 8],
    size: usize,
}

impl Place {
    /// Locks the list, if the element is as expected.
    fn lock_if_equal(&self) -> Option<MutexGuard<'static, Lists>> {
        let lists = lists(self.address).lock();
        let words = self.store.record.words();
        let now = if self.size == 4 {
            super::wide(&words.update::<4>(self.offset, |_| None))
        } else {
            words.update_double(self.offset, |_| None).to_ne_bytes()
        };
        (now[..self.size] == self.expected[..self.size]).then_some(lists)
    }
}

/// The place to wait at. The order of checks is the language's.
fn place(heap: &Heap, array: TypedArray, index: u64, value: Element, operation: &'static str) -> Result<Place, Error> {
    let extent = validate_waitable(heap, array, operation)?;
    let Bytes::Shared(_) = heap[extent.buffer].bytes() else { return Err(Error::NotShared { operation }) };
    check_index(&extent, index, operation)?;
    let record = heap[extent.buffer].record().expect("a shared buffer is never detached");
    let store = BackingStore::to(record);
    let offset = extent.at(index as usize);
    let expected = extent.kind.encode(operation, value)?;
    let address = store.data().addr().get() + offset;
    Ok(Place { store, offset, address, expected, size: extent.kind.size() })
}

fn validate_waitable(heap: &Heap, array: TypedArray, operation: &'static str) -> Result<Extent, Error> {
    let is_right = |kind| matches!(kind, ElementKind::Int32 | ElementKind::BigInt64);
    validate(heap, array, operation, is_right, "an Int32Array or a BigInt64Array")
}

/// When so many milliseconds are over; `None` if never. NaN is for ever, and less than nothing is nothing.
fn deadline(timeout: f64) -> Option<Instant> {
    let milliseconds = if timeout.is_nan() { f64::INFINITY } else { timeout.max(0.0) };
    let time = Duration::try_from_secs_f64(milliseconds / 1000.0).ok()?;
    Instant::now().checked_add(time)
}

/// Sleeps until the element is notified, if it is as expected, or until so many milliseconds are over.
///
/// Whether this thread may sleep at all is for the embedder to know.
///
/// # Errors
///
/// In this order: [`Error::ViewKind`]; [`Error::Detached`], [`Error::OutOfBounds`]; [`Error::NotShared`];
/// [`Error::Range`]; [`Error::ContentType`]; [`Error::OutOfMemory`].
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::atomics::{self, WaitOutcome};
/// use tumulus_arraybuffer::{Element, ElementKind, SharedArrayBuffer, TypedArray};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = SharedArrayBuffer::new(&mut heap, 8)?;
/// let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
/// let (zero, one) = (Element::Number(0.0), Element::Number(1.0));
/// assert_eq!(atomics::wait(&heap, array, 0, one, f64::INFINITY)?, WaitOutcome::NotEqual);
/// assert_eq!(atomics::wait(&heap, array, 0, zero, 1.0)?, WaitOutcome::TimedOut);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn wait(heap: &Heap, array: TypedArray, index: u64, value: Element, timeout: f64) -> Result<WaitOutcome, Error> {
    let operation = "Atomics.wait";
    let place = place(heap, array, index, value, operation)?;
    let waiter = Waiter::new(operation, timeout)?;
    {
        let Some(mut lists) = place.lock_if_equal() else { return Ok(WaitOutcome::NotEqual) };
        add(&mut lists, place.address, &waiter, operation)?;
    }
    // Who notifies takes the waiter off the list, and may do so while it finds that it is late.
    if waiter.sleep() || !remove(&mut lists(place.address).lock(), place.address, &waiter) {
        return Ok(WaitOutcome::Ok);
    }
    Ok(WaitOutcome::TimedOut)
}

/// How an asynchronous wait began.
///
/// ```
/// # use tumulus_arraybuffer::atomics::{self, WaitOutcome, WaitStart};
/// # use tumulus_arraybuffer::{Element, ElementKind, SharedArrayBuffer, TypedArray};
/// # let mut heap = tumulus_heap::Heap::new();
/// # let buffer = SharedArrayBuffer::new(&mut heap, 8)?;
/// # let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
/// let start = atomics::wait_async(&heap, array, 0, Element::Number(7.0), f64::INFINITY)?;
/// assert!(matches!(start, WaitStart::Ended(WaitOutcome::NotEqual)));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Debug)]
pub enum WaitStart {
    /// It ended at once.
    Ended(WaitOutcome),
    /// It goes on, and is to be polled.
    Waits(Ticket),
}

/// A wait that goes on. It holds the store, and its place on the list until it is dropped.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::atomics::{self, WaitOutcome, WaitStart};
/// use tumulus_arraybuffer::{Element, ElementKind, SharedArrayBuffer, TypedArray};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = SharedArrayBuffer::new(&mut heap, 8)?;
/// let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
/// let start = atomics::wait_async(&heap, array, 0, Element::Number(0.0), f64::INFINITY)?;
/// let WaitStart::Waits(ticket) = start else { unreachable!() };
/// assert_eq!(ticket.poll(), None);
/// assert_eq!(atomics::notify(&heap, array, 0, f64::INFINITY)?, 1);
/// assert_eq!(ticket.poll(), Some(WaitOutcome::Ok));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Debug)]
pub struct Ticket {
    /// Its address stays in use as long as somebody waits there.
    _store: BackingStore,
    address: usize,
    waiter: Arc<Waiter>,
    outcome: std::cell::Cell<Option<WaitOutcome>>,
}

impl Ticket {
    /// How the wait has ended, if it has.
    ///
    /// See [`deadline`](Ticket::deadline) for when to ask at the latest.
    pub fn poll(&self) -> Option<WaitOutcome> {
        if self.outcome.get().is_none() {
            if self.waiter.state.lock().is_notified {
                self.outcome.set(Some(WaitOutcome::Ok));
            } else if self.waiter.is_late() {
                let was_waiting = remove(&mut lists(self.address).lock(), self.address, &self.waiter);
                self.outcome.set(Some(if was_waiting { WaitOutcome::TimedOut } else { WaitOutcome::Ok }));
            }
        }
        self.outcome.get()
    }

    /// When the time is up.
    ///
    /// ```
    /// # use tumulus_arraybuffer::atomics::{self, WaitStart};
    /// # use tumulus_arraybuffer::{Element, ElementKind, SharedArrayBuffer, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// # let buffer = SharedArrayBuffer::new(&mut heap, 8)?;
    /// # let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
    /// let start = atomics::wait_async(&heap, array, 0, Element::Number(0.0), 1000.0)?;
    /// assert!(matches!(start, WaitStart::Waits(ticket) if ticket.deadline().is_some()));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        self.waiter.deadline
    }
}

/// A task that awaits a ticket is woken when it is notified. There is no timer here: an executor that has one polls the task
/// again at the [deadline](Ticket::deadline).
///
/// ```
/// use std::future::Future;
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
/// use tumulus_arraybuffer::atomics::{self, WaitOutcome, WaitStart};
/// use tumulus_arraybuffer::{Element, ElementKind, SharedArrayBuffer, TypedArray};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = SharedArrayBuffer::new(&mut heap, 8)?;
/// let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
/// let start = atomics::wait_async(&heap, array, 0, Element::Number(0.0), f64::INFINITY)?;
/// let WaitStart::Waits(ticket) = start else { unreachable!() };
/// let mut task = pin!(async { ticket.await.name() });
/// let mut context = Context::from_waker(Waker::noop());
/// assert_eq!(task.as_mut().poll(&mut context), Poll::Pending);
/// atomics::notify(&heap, array, 0, 1.0)?;
/// assert_eq!(task.as_mut().poll(&mut context), Poll::Ready("ok"));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
impl Future for Ticket {
    type Output = WaitOutcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<WaitOutcome> {
        // The clone is the program's code, and so is the drop of the waker before.
        let waker = context.waker().clone();
        let before = {
            let mut state = self.waiter.state.lock();
            if state.is_notified { Some(waker) } else { state.waker.replace(waker) }
        };
        drop(before);
        Ticket::poll(&self).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.outcome.get().is_none() {
            remove(&mut lists(self.address).lock(), self.address, &self.waiter);
        }
    }
}

/// Begins to wait until the element is notified, if it is as expected, or until so many milliseconds are over. Does not sleep.
///
/// # Errors
///
/// As [`wait`].
///
/// # Examples
///
/// See [`Ticket`].
pub fn wait_async(
    heap: &Heap,
    array: TypedArray,
    index: u64,
    value: Element,
    timeout: f64,
) -> Result<WaitStart, Error> {
    let operation = "Atomics.waitAsync";
    let place = place(heap, array, index, value, operation)?;
    let waiter = Waiter::new(operation, timeout)?;
    let Some(mut lists) = place.lock_if_equal() else { return Ok(WaitStart::Ended(WaitOutcome::NotEqual)) };
    if timeout <= 0.0 {
        return Ok(WaitStart::Ended(WaitOutcome::TimedOut));
    }
    add(&mut lists, place.address, &waiter, operation)?;
    let Place { store, address, .. } = place;
    Ok(WaitStart::Waits(Ticket { _store: store, address, waiter, outcome: None.into() }))
}

/// Notifies up to `count` of those who wait for an element, the first to come first, and says how many that were. Nobody waits
/// for an element of a plain buffer.
///
/// # Errors
///
/// [`Error::ViewKind`]; [`Error::Detached`], [`Error::OutOfBounds`]; [`Error::Range`]; [`Error::OutOfMemory`], and nobody is
/// notified.
///
/// # Examples
///
/// ```
/// # use tumulus_arraybuffer::{atomics, ElementKind, TypedArray};
/// # let mut heap = tumulus_heap::Heap::new();
/// let array = TypedArray::with_length(&mut heap, ElementKind::Int32, 1)?;
/// assert_eq!(atomics::notify(&heap, array, 0, f64::INFINITY)?, 0);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn notify(heap: &Heap, array: TypedArray, index: u64, count: f64) -> Result<usize, Error> {
    let operation = "Atomics.notify";
    let extent = validate_waitable(heap, array, operation)?;
    check_index(&extent, index, operation)?;
    #[allow(clippy::cast_sign_loss, reason = "a cast from a float saturates")]
    let count = to_integer_or_infinity(count).max(0.0) as usize;
    let object = &heap[extent.buffer];
    let record = object.record().filter(|_| object.is_shared());
    let Some(record) = record else { return Ok(0) };
    let address = record.data().addr().get() + extent.at(index as usize);
    let mut woken: Vec<(Arc<Waiter>, Option<Waker>)>;
    {
        let mut lists = lists(address).lock();
        let Some(list) = lists.get_mut(&address) else { return Ok(0) };
        woken = scratch::list(operation, count.min(list.len()))?;
        let mut at = 0;
        while woken.len() < count
            && let Some(waiter) = list.get(at)
        {
            // Whose time is up is not notified, and finds that out by itself.
            if waiter.is_late() {
                at += 1;
            } else if let Some(waiter) = list.remove(at) {
                woken.push((waiter, None));
            }
        }
        if list.is_empty() {
            lists.remove(&address);
        }
    }
    for (waiter, waker) in &mut woken {
        *waker = waiter.notify();
    }
    let count = woken.len();
    wake(woken.into_iter().filter_map(|(_, waker)| waker));
    Ok(count)
}

/// Wakes tasks, which runs the program's code: all of them, also where one panics.
fn wake(wakers: impl Iterator<Item = Waker>) {
    let mut panic = None;
    for waker in wakers {
        if let Err(next) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            // One panic at a time.
            match panic {
                None => panic = Some(next),
                Some(_) => raw::forget_panic(next),
            }
        }
    }
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// How many wait for an element: for tests and tools.
///
/// # Errors
///
/// As [`notify`].
///
/// ```
/// # use tumulus_arraybuffer::{atomics, ElementKind, TypedArray};
/// # let mut heap = tumulus_heap::Heap::new();
/// let array = TypedArray::with_length(&mut heap, ElementKind::Int32, 1)?;
/// assert_eq!(atomics::waiters(&heap, array, 0)?, 0);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn waiters(heap: &Heap, array: TypedArray, index: u64) -> Result<usize, Error> {
    let extent = validate_waitable(heap, array, "waiters")?;
    check_index(&extent, index, "waiters")?;
    let object = &heap[extent.buffer];
    let Some(record) = object.record().filter(|_| object.is_shared()) else { return Ok(0) };
    let address = record.data().addr().get() + extent.at(index as usize);
    Ok(lists(address).lock().get(&address).map_or(0, VecDeque::len))
}
