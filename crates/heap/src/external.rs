//! External bytes: memory outside of the heap that its objects keep alive.
//!
//! They count like bytes of objects when a collection is planned, and against the limit. An object that owns such memory
//! takes it off the count when it is dropped, where there is no heap at hand; and what two heaps share may be released by
//! a third thread. So the count is an account of its own: a small record that is never freed, to which anybody may hold an
//! [`ExternalBytes`].
//!
//! An account has two counters. One is written by the thread of the heap alone, without a locked instruction; the other by
//! everybody else. Their sum is the figure. When a heap is gone, its account waits until all that was put on it has been
//! taken off, and then serves another heap. So nothing that is put on an account needs to keep it alive.

use crate::error::{AllocError, AllocErrorKind, HeapError};
use crate::heap::Heap;
use parking_lot::Mutex;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering};

static RETIRED: Mutex<Retired> = Mutex::new(Retired { accounts: Vec::new(), open: 0 });
/// How many of the accounts of heaps that are gone are looked at for one on which nothing is left.
const LOOK_AT: usize = 4;

/// Accounts of heaps that are gone.
struct Retired {
    /// **Invariant:** it has room for the open ones too.
    accounts: Vec<&'static Account>,
    /// How many accounts belong to heaps.
    open: usize,
}

impl Retired {
    /// An account on which nothing is, for one more heap; `None` where the system has no memory for a new one.
    fn open(&mut self) -> Option<&'static Account> {
        let settled = self.accounts.iter().rev().take(LOOK_AT).position(|account| account.balance() == 0);
        let account = if let Some(back) = settled {
            let at = self.accounts.len() - 1 - back;
            self.accounts.swap_remove(at)
        } else {
            self.accounts.try_reserve(self.open + 1).ok()?;
            // What is not settled yet makes room for others to be looked at the next time.
            let turned = self.accounts.len().min(LOOK_AT);
            self.accounts.rotate_right(turned);
            Account::leak()?
        };
        self.open += 1;
        Some(account)
    }

    fn close(&mut self, account: &'static Account) {
        self.open -= 1;
        self.accounts.push(account);
    }
}

/// See the file's header.
#[repr(align(64))]
struct Account {
    /// The thread that may write `by_owner`.
    owner: AtomicUsize,
    by_owner: AtomicIsize,
    by_others: AtomicIsize,
    /// The heap that it serves, or 0.
    heap: AtomicU64,
}

impl Account {
    /// A new one, in memory that is never freed.
    fn leak() -> Option<&'static Account> {
        let mut account = Vec::new();
        account.try_reserve_exact(1).ok()?;
        account.push(Account {
            owner: AtomicUsize::new(0),
            by_owner: AtomicIsize::new(0),
            by_others: AtomicIsize::new(0),
            heap: AtomicU64::new(0),
        });
        account.leak().first()
    }

    fn balance(&self) -> isize {
        // What another thread takes off has been put on before. Acquire pairs with its release.
        let others = self.by_others.load(Ordering::Acquire);
        self.by_owner.load(Ordering::Relaxed).wrapping_add(others)
    }
}

/// A number that is another one in each thread that runs.
#[inline]
fn this_thread() -> usize {
    thread_local!(static PLACE: u8 = const { 0 });
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}

/// Counts what objects of one heap keep alive outside of it; made by [`Heap::external_bytes`].
///
/// It is a plain number that may go anywhere: into the objects, to be used when they are dropped, and to other threads.
/// What is put on the count should be taken off once, be it after the heap is gone.
///
/// On the heap's own thread a change takes about a nanosecond, on others that of an atomic addition. The heap looks at the
/// count when it plans the next collection, and when it takes memory.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{ExternalBytes, Heap, Trace};
///
/// #[derive(Trace)]
/// struct Image {
///     pixels: Vec<u8>,
///     #[trace(skip)]
///     count: ExternalBytes,
/// }
///
/// impl Drop for Image {
///     fn drop(&mut self) {
///         self.count.sub(self.pixels.len());
///     }
/// }
///
/// let mut heap = Heap::new();
/// let count = heap.external_bytes();
/// heap.try_add_external_bytes(1 << 20).expect("no limit");
/// heap.alloc(Image { pixels: vec![0; 1 << 20], count });
/// assert_eq!(heap.statistics().external_bytes, 1 << 20);
/// heap.collect(&());
/// assert_eq!(heap.statistics().external_bytes, 0);
/// ```
#[derive(Copy, Clone)]
pub struct ExternalBytes {
    account: &'static Account,
}

impl ExternalBytes {
    /// Puts bytes on the count, which makes no collection due by itself: see [`Heap::adjust_external_bytes`].
    ///
    /// ```
    /// let heap = tumulus_heap::Heap::new();
    /// let count = heap.external_bytes();
    /// std::thread::spawn(move || count.add(1000)).join().unwrap();
    /// assert_eq!(heap.external_bytes().get(), 1000);
    /// # count.sub(1000);
    /// ```
    #[inline]
    pub fn add(self, bytes: usize) {
        self.change(bytes.cast_signed());
    }

    /// Takes bytes off the count.
    ///
    /// ```
    /// let count = tumulus_heap::Heap::new().external_bytes();
    /// count.add(1000);
    /// count.sub(1000); // also when the heap is gone
    /// ```
    #[inline]
    pub fn sub(self, bytes: usize) {
        self.change(bytes.cast_signed().wrapping_neg());
    }

    /// What is on the count; 0 if more was taken off than was put on.
    ///
    /// ```
    /// assert_eq!(tumulus_heap::Heap::new().external_bytes().get(), 0);
    /// ```
    pub fn get(self) -> usize {
        usize::try_from(self.account.balance()).unwrap_or(0)
    }

    /// The heap whose count it is; `None` if that is gone.
    ///
    /// When a heap is gone and nothing is on its count, this may be the count of another one. Who keeps it with nothing on it
    /// compares before putting something there.
    ///
    /// ```
    /// let heap = tumulus_heap::Heap::new();
    /// let count = heap.external_bytes();
    /// assert_eq!(count.heap(), Some(heap.id()));
    /// drop(heap);
    /// assert_eq!(count.heap(), None);
    /// ```
    pub fn heap(self) -> Option<HeapId> {
        NonZeroU64::new(self.account.heap.load(Ordering::Acquire)).map(HeapId)
    }

    #[inline]
    fn change(self, change: isize) {
        let Account { owner, by_owner, by_others, .. } = self.account;
        if owner.load(Ordering::Relaxed) == this_thread() {
            // Nobody else writes it.
            by_owner.store(by_owner.load(Ordering::Relaxed).wrapping_add(change), Ordering::Relaxed);
        } else {
            by_others.fetch_add(change, Ordering::AcqRel);
        }
    }
}

impl fmt::Debug for ExternalBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExternalBytes").field(&self.get()).finish()
    }
}

/// A heap's part in its account: it gives the account back when the heap has dropped its objects.
pub(crate) struct OpenAccount(pub(crate) ExternalBytes);

impl OpenAccount {
    pub(crate) fn new() -> Result<OpenAccount, HeapError> {
        let account = RETIRED.lock().open().ok_or(HeapError::Memory)?;
        account.owner.store(this_thread(), Ordering::Relaxed);
        Ok(OpenAccount(ExternalBytes { account }))
    }

    /// Says whose it is.
    pub(crate) fn serve(&self, heap: HeapId) {
        self.0.account.heap.store(heap.get().get(), Ordering::Release);
    }
}

impl Drop for OpenAccount {
    fn drop(&mut self) {
        let account = self.0.account;
        // From here on every thread is another one.
        account.owner.store(0, Ordering::Relaxed);
        account.heap.store(0, Ordering::Release);
        RETIRED.lock().close(account);
    }
}

/// The name of a heap, which no other heap of the process has or will have; made by [`Heap::id`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
///
/// let (one, two) = (Heap::new(), Heap::new());
/// assert!(one.id() == one.id() && one.id() != two.id());
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeapId(NonZeroU64);

/// The number of the next heap.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl HeapId {
    /// How many there are.
    pub(crate) fn made() -> u64 {
        NEXT.load(Ordering::Relaxed) - 1
    }

    pub(crate) fn next() -> HeapId {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        HeapId(NonZeroU64::new(id).expect("2^64 heaps are more than anybody makes"))
    }

    /// The name as a number.
    ///
    /// ```
    /// let heap = tumulus_heap::Heap::new();
    /// println!("heap number {}", heap.id().get());
    /// ```
    pub fn get(self) -> NonZeroU64 {
        self.0
    }
}

impl Heap {
    /// The heap's name.
    ///
    /// ```
    /// let mut heap = tumulus_heap::Heap::new();
    /// let id = heap.id();
    /// let moved = Box::new(heap);
    /// assert_eq!(moved.id(), id);
    /// ```
    #[inline]
    pub fn id(&self) -> HeapId {
        self.id
    }

    /// The count of what the heap's objects keep alive outside of it.
    ///
    /// See [`ExternalBytes`] for objects that take their part off it when they die.
    ///
    /// ```
    /// let mut heap = tumulus_heap::Heap::new();
    /// heap.adjust_external_bytes(100);
    /// assert_eq!(heap.external_bytes().get(), 100);
    /// # heap.adjust_external_bytes(-100);
    /// ```
    #[inline]
    pub fn external_bytes(&self) -> ExternalBytes {
        self.external.0
    }

    /// Tells the heap that its objects keep `change` bytes more alive outside of it than before, or so many fewer.
    ///
    /// They count as if they were in the heap: towards the next full collection, so that a small object that holds a large
    /// buffer is not taken for a small one, and against the [`limit`](crate::HeapBuilder::limit). This function does not
    /// fail where the limit is passed; the next allocation does. [`try_add_external_bytes`](Heap::try_add_external_bytes)
    /// asks first.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::new();
    /// for _ in 0..100 {
    ///     heap.alloc(vec![0_u8; 1 << 20]);
    ///     heap.adjust_external_bytes(1 << 20);
    ///     heap.safepoint(&());
    /// }
    /// # if std::env::var_os("TUMULUS_ZEAL").is_none() {
    /// assert!(heap.statistics().freed_objects > 0);
    /// # }
    /// ```
    #[inline]
    pub fn adjust_external_bytes(&mut self, change: isize) {
        // Less than nothing is not on the count, as it was not before.
        let change = change.max(self.external_bytes().get().cast_signed().wrapping_neg());
        self.external.0.change(change);
        if change > 0 {
            // As if so much had been allocated: what is due comes nearer.
            self.pressure.due.come_nearer(change.cast_unsigned() as u64);
        }
    }

    /// Puts `bytes` on the count of what objects keep alive outside of the heap, if the limit leaves room for them.
    ///
    /// To be called before such memory is taken. Where there is a limit, empty pages are given back to make room, and the
    /// callback of [`on_near_limit`](Heap::on_near_limit) is asked.
    ///
    /// # Errors
    ///
    /// [`AllocError`] with the numbers. The count is as it was, and the next safepoint collects the whole heap.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::builder().limit(1 << 20).build();
    /// heap.try_add_external_bytes(600_000)?;
    /// assert!(heap.try_add_external_bytes(600_000).is_err());
    /// heap.adjust_external_bytes(-600_000);
    /// assert!(heap.try_add_external_bytes(600_000).is_ok());
    /// # heap.adjust_external_bytes(-600_000);
    /// # Ok::<(), tumulus_heap::AllocError>(())
    /// ```
    #[inline]
    pub fn try_add_external_bytes(&mut self, bytes: usize) -> Result<(), AllocError> {
        if self.store.limit != usize::MAX || bytes > isize::MAX as usize {
            self.find_room_outside(bytes)?;
        }
        self.external.0.add(bytes);
        self.pressure.due.come_nearer(bytes as u64);
        Ok(())
    }

    #[cold]
    fn find_room_outside(&mut self, bytes: usize) -> Result<(), AllocError> {
        let Heap { store, pressure, .. } = self;
        let bound = if bytes > isize::MAX as usize { Some(AllocErrorKind::TooLarge) } else { None };
        while let Err(kind) = bound.map_or_else(|| store.check_limit(bytes), Err) {
            pressure.refused(store, kind, bytes, "block outside of the heap")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_serves_another_heap_only_when_it_is_settled() {
        let first = OpenAccount::new().unwrap();
        let count = first.0;
        count.add(5);
        drop(first);
        let accounts: Vec<OpenAccount> = (0..8).map(|_| OpenAccount::new().unwrap()).collect();
        assert!(accounts.iter().all(|open| !std::ptr::eq(open.0.account, count.account)));
        count.sub(5);
        assert_eq!(count.get(), 0);
    }

    #[test]
    fn threads_that_share_a_count_lose_nothing() {
        let heap = Heap::new();
        let count = heap.external_bytes();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| count.add(3)));
            }
            (0..100).for_each(|_| count.add(3));
        });
        assert_eq!(heap.statistics().external_bytes, 1500);
        count.sub(1500);
        assert_eq!(count.get(), 0);
    }

    #[test]
    fn external_bytes_count_against_the_limit_of_everything() {
        let mut heap = Heap::builder().limit(1 << 20).zeal(crate::Zeal::none()).build();
        heap.try_add_external_bytes(1 << 20).unwrap();
        let error = heap.try_alloc(1).unwrap_err();
        assert_eq!((error.kind, error.used), (AllocErrorKind::Limit, 1 << 20));
        let error = heap.try_add_external_bytes(1).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot allocate a block outside of the heap: the heap's limit"),
            "{error}"
        );
        assert_eq!((error.requested, error.limit), (1, 1 << 20));
        heap.adjust_external_bytes(-(1 << 20));
        assert!(heap.try_alloc(1).is_ok());
        assert_eq!(heap.try_add_external_bytes(usize::MAX).unwrap_err().kind, AllocErrorKind::TooLarge);
    }
}
