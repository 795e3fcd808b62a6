//! What can go wrong, each with the numbers and with what to do about it.

use crate::trace::Trace;
use std::fmt;
use thiserror::Error;

/// Why a handle cannot be used.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{HandleError, Heap};
///
/// let mut heap = Heap::new();
/// let gc = heap.alloc(1.5_f64);
/// heap.collect(&());
/// let error = heap.try_get(gc).unwrap_err();
/// assert!(matches!(error, HandleError::Collected { type_name: "f64", .. }));
/// assert!(error.to_string().starts_with("the f64 behind this handle was collected"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandleError {
    /// The object was not reachable at a collection, and died.
    #[error(
        "the {type_name} behind this handle was collected: it was not reachable from a root at a safepoint \
         (handle {handle}); root it, keep it in a scope, or store it in a reachable object before the safepoint"
    )]
    #[non_exhaustive]
    Collected {
        /// The type that the handle was made for.
        type_name: &'static str,
        /// The handle, as its `Debug` prints it.
        handle: HandleName,
    },
    /// The handle was made by another heap, which may be gone.
    #[error(
        "this handle to a {type_name} belongs to another heap (handle {handle}); \
         use it with the heap that allocated it"
    )]
    #[non_exhaustive]
    OtherHeap {
        /// The type that the handle was made for.
        type_name: &'static str,
        /// The handle, as its `Debug` prints it.
        handle: HandleName,
    },
    /// The object is alive and is not a `T`.
    #[error("this handle leads to a {actual}, not to a {expected}; ask `is` before `downcast`")]
    #[non_exhaustive]
    WrongType {
        /// The type that was asked for.
        expected: &'static str,
        /// The type of the object.
        actual: &'static str,
    },
    /// The elements given to [`slice_mut`](crate::Heap::slice_mut) are not all there.
    #[error("the elements {start}..{end} are not in a {type_name} of length {len}; ask for its length first")]
    #[non_exhaustive]
    OutOfRange {
        /// The type of the slice.
        type_name: &'static str,
        /// The first element that was asked for.
        start: usize,
        /// The end of what was asked for.
        end: usize,
        /// How many elements there are.
        len: usize,
    },
    /// Two of the handles given to [`get_disjoint_mut`](crate::Heap::get_disjoint_mut) lead to the same object.
    #[error("handles {first} and {second} of the array both lead to the same {type_name}; borrow it once")]
    #[non_exhaustive]
    Overlap {
        /// The type of the object.
        type_name: &'static str,
        /// The position of the first of them in the array.
        first: usize,
        /// The position of the second.
        second: usize,
    },
}

/// A handle in a message: its place and its stamp.
///
/// # Examples
///
/// Which of the handles that a program holds does an error speak of?
///
/// ```
/// use tumulus_heap::{HandleError, Heap};
///
/// let mut heap = Heap::new();
/// let gc = heap.alloc(1);
/// heap.collect(&());
/// let Err(HandleError::Collected { handle, .. }) = heap.try_get(gc) else { unreachable!() };
/// assert!(handle.to_string().starts_with('#'));
/// assert_eq!(format!("{gc:?}"), format!("Gc<i32>({handle})"));
/// ```
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct HandleName(pub(crate) crate::raw::Handle);

impl fmt::Debug for HandleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for HandleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Which bound an allocation ran into.
///
/// # Examples
///
/// An interpreter that collects where that may help, and gives up where it cannot:
///
/// ```
/// use tumulus_heap::{AllocErrorKind, Gc, Heap};
///
/// fn array(heap: &mut Heap, roots: &[Gc<[u8]>], len: usize) -> Result<Gc<[u8]>, &'static str> {
///     match heap.try_alloc_slice_with(len, |_| 0) {
///         Ok(array) => Ok(array),
///         Err(error) if error.kind == AllocErrorKind::TooLarge => Err("RangeError: invalid array length"),
///         Err(_) => {
///             heap.collect(roots);
///             heap.try_alloc_slice_with(len, |_| 0).map_err(|_| "out of memory")
///         }
///     }
/// }
///
/// let mut heap = Heap::builder().limit(1 << 20).build();
/// assert_eq!(array(&mut heap, &[], usize::MAX), Err("RangeError: invalid array length"));
/// let first = array(&mut heap, &[], 600_000).unwrap();
/// assert_eq!(array(&mut heap, &[first], 600_000), Err("out of memory"));
/// assert!(array(&mut heap, &[], 600_000).is_ok()); // the first one is garbage now
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllocErrorKind {
    /// The heap's [`limit`](crate::HeapBuilder::limit).
    Limit,
    /// The operating system has no more memory for us.
    System,
    /// The heap's address range is used up, by this heap or by heaps with objects of other sizes.
    AddressSpace,
    /// The process has used all its 2^32 stamps: no heap can hand out another cell.
    Stamps,
    /// The size of the object is more than `isize::MAX`.
    TooLarge,
    /// The heap has as many types and sizes of objects as it can tell apart: 65,536.
    TooManyTypes,
}

impl AllocErrorKind {
    fn reason(self) -> &'static str {
        match self {
            AllocErrorKind::Limit => "the heap's limit is reached; collect, or raise the limit",
            AllocErrorKind::System => "the operating system refused the memory; collect, or free memory elsewhere",
            AllocErrorKind::AddressSpace => "the heap's address range is used up; collect, or use several heaps",
            AllocErrorKind::Stamps => "the process has used all its stamps; start a new process",
            AllocErrorKind::TooLarge => "the object is larger than the address space; split it",
            AllocErrorKind::TooManyTypes => "the heap has too many types of objects; use several heaps",
        }
    }
}

/// An allocation that did not happen. It gives the value back, and the heap is as it was.
///
/// A function that makes things of several types returns an `AllocError` without a parameter. The operator `?` drops the
/// value on the way, if it is [`Trace`](trait@crate::Trace) as all that can be in the heap; what else there is, such as the
/// closure of [`try_alloc_with`](crate::Heap::try_alloc_with), is dropped by [`without_value`](AllocError::without_value).
///
/// An error of your own takes all of them with one implementation:
///
/// ```
/// # use tumulus_heap::{AllocError, Gc, Heap};
/// enum Fault {
///     OutOfMemory,
///     Raised(Gc<str>),
/// }
///
/// impl<V> From<AllocError<V>> for Fault {
///     fn from(_: AllocError<V>) -> Fault {
///         Fault::OutOfMemory
///     }
/// }
/// # fn f(heap: &mut Heap) -> Result<Gc<[u8]>, Fault> { Ok(heap.try_alloc_slice_with(3, |_| 0)?) }
/// # assert!(matches!(f(&mut Heap::builder().limit(0).build()), Err(Fault::OutOfMemory)));
/// # if let Err(Fault::Raised(_)) = f(&mut Heap::new()) { unreachable!() }
/// ```
///
/// # Examples
///
/// ```
/// use tumulus_heap::{AllocErrorKind, Heap};
///
/// let mut heap = Heap::builder().limit(64 << 10).build();
/// let error = heap.try_alloc([0_u8; 100_000]).unwrap_err();
/// assert_eq!(error.kind, AllocErrorKind::Limit);
/// assert_eq!((error.limit, error.value.len()), (64 << 10, 100_000));
///
/// let fits = heap.try_alloc([0_u8; 10_000]);
/// assert!(fits.is_ok());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllocError<T = NoValue> {
    /// What should have been allocated.
    pub value: T,
    /// Which bound it ran into.
    pub kind: AllocErrorKind,
    /// Bytes that the heap has committed, and that its objects keep alive outside of it.
    pub used: usize,
    /// The heap's limit in bytes; `usize::MAX` when it has none.
    pub limit: usize,
    /// Bytes that were asked for, on top of what was used.
    pub requested: usize,
    pub(crate) type_name: &'static str,
}

impl<T> AllocError<T> {
    /// The value that was not allocated.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::builder().limit(0).build();
    /// let error = heap.try_alloc("mound".to_string()).unwrap_err();
    /// assert_eq!(error.into_value(), "mound");
    /// ```
    pub fn into_value(self) -> T {
        self.value
    }

    /// The same error without the value. The operator `?` does it by itself where the value is
    /// [`Trace`](trait@crate::Trace); this is for closures and iterators.
    ///
    /// ```
    /// use tumulus_heap::{AllocError, Gc, Heap};
    ///
    /// fn zeros(heap: &mut Heap, len: usize) -> Result<Gc<[u8]>, AllocError> {
    ///     heap.try_alloc_slice_with(len, |_| 0).map_err(AllocError::without_value)
    /// }
    /// # let mut heap = Heap::builder().limit(0).build();
    /// # assert!(zeros(&mut heap, 1).is_err());
    /// ```
    pub fn without_value(self) -> AllocError {
        self.with_value(NoValue).1
    }

    /// The same error about another value.
    pub(crate) fn with_value<U>(self, value: U) -> (T, AllocError<U>) {
        let AllocError { value: old, kind, used, limit, requested, type_name } = self;
        (old, AllocError { value, kind, used, limit, requested, type_name })
    }
}

/// What an [`AllocError`] has in place of a value that was dropped, or that there never was, as of a string or a slice.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{AllocError, Gc, Heap, NoValue};
///
/// fn pair(heap: &mut Heap) -> Result<Gc<(Gc<str>, Gc<[u8]>)>, AllocError> {
///     let parts = (heap.try_alloc_str("text")?, heap.try_alloc_slice(&[1, 2])?);
///     Ok(heap.try_alloc(parts)?) // an `AllocError<(Gc<str>, Gc<[u8]>)>` at first
/// }
///
/// let error = pair(&mut Heap::builder().limit(0).build()).unwrap_err();
/// assert_eq!(error.into_value(), NoValue);
/// assert!(pair(&mut Heap::new()).is_ok());
/// ```
//
// Not `Trace`: that is what tells the conversion below from the one of every type to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoValue;

/// Drops the value, so that `?` works in functions that know nothing of its type.
impl<T: Trace> From<AllocError<T>> for AllocError {
    fn from(error: AllocError<T>) -> AllocError {
        error.without_value()
    }
}

impl<T> fmt::Debug for AllocError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllocError")
            .field("type_name", &self.type_name)
            .field("kind", &self.kind)
            .field("used", &self.used)
            .field("limit", &self.limit)
            .field("requested", &self.requested)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for AllocError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot allocate a {}: {} (bytes: {} used, {} requested, ",
            self.type_name,
            self.kind.reason(),
            self.used,
            self.requested,
        )?;
        match self.limit {
            usize::MAX => f.write_str("no limit)"),
            limit => write!(f, "{limit} is the limit)"),
        }
    }
}

impl<T> std::error::Error for AllocError<T> {}

/// Why a slice could not be built by [`try_build_slice`](crate::Heap::try_build_slice).
///
/// # Examples
///
/// ```
/// use tumulus_heap::{BuildError, Heap};
///
/// let mut heap = Heap::builder().limit(64 << 10).build();
/// let error = heap.try_build_slice(2, |at| ["1", "one"][at].parse::<u8>()).unwrap_err();
/// assert_eq!(error.to_string(), "an element of the slice could not be made: invalid digit found in string");
///
/// let error = heap.try_build_slice(100_000, |at| u8::try_from(at)).unwrap_err();
/// let BuildError::Alloc(no_room) = error else { unreachable!("no element is made before there is room") };
/// assert_eq!((no_room.requested, no_room.limit), (100_000, 64 << 10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BuildError<E> {
    /// There was no room for it.
    #[error(transparent)]
    Alloc(AllocError),
    /// The closure that makes the elements gave this error. Those made before it have been dropped.
    #[error("an element of the slice could not be made: {0}")]
    Element(E),
}

/// Why a heap could not be made.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, HeapError};
///
/// fn open(growth: f64) -> Result<Heap, String> {
///     match Heap::builder().growth(growth).try_build() {
///         Ok(heap) => Ok(heap),
///         Err(HeapError::Option { option, value, .. }) => Err(format!("--{option}={value}: a bad option")),
///         Err(error) => Err(error.to_string()),
///     }
/// }
///
/// assert!(open(1.5).is_ok());
/// assert_eq!(open(0.5).unwrap_err(), "--growth=0.5: a bad option");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeapError {
    /// The system refused the range of addresses that a heap needs.
    ///
    /// All heaps of a process have ranges of one size: 64 GiB, of which about two thousand fit the address space at once,
    /// or, where the first heap could not get as much, an eighth of what it could get.
    #[error(
        "the operating system refused {bytes} bytes of address space for a heap; drop other heaps or raise `ulimit -v`"
    )]
    #[non_exhaustive]
    AddressSpace {
        /// The size of the range.
        bytes: usize,
    },
    /// The system refused the few kilobytes of memory that a heap begins with.
    #[error("the operating system refused the memory for a heap's own tables; free some and try again")]
    Memory,
    /// The process has used all its stamps.
    #[error("the process has used all its 2^32 stamps, so that a new heap could not tell its objects apart")]
    Stamps,
    /// An option of the builder makes no sense.
    #[error("the heap option `{option}` cannot be {value}: {reason}")]
    #[non_exhaustive]
    Option {
        /// The option's name.
        option: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be set to.
        reason: &'static str,
    },
    /// The environment variable `TUMULUS_ZEAL` cannot be read.
    #[error("the environment variable TUMULUS_ZEAL: {0}")]
    Zeal(#[from] crate::zeal::ParseZealError),
    /// The environment variable `TUMULUS_OPTIONS` cannot be read.
    #[error("the environment variable TUMULUS_OPTIONS: {0}")]
    Options(#[from] crate::options::ParseOptionsError),
}

/// Why a [`Root`](crate::Root) could not be made.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{HandleError, Heap, RootError};
///
/// let mut heap = Heap::new();
/// let gc = heap.alloc("short-lived");
/// heap.collect(&());
/// let error = heap.try_root(gc).unwrap_err();
/// assert!(matches!(error, RootError::Handle(HandleError::Collected { .. })));
/// assert_eq!(error.to_string(), heap.try_get(gc).unwrap_err().to_string());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RootError {
    /// The handle is stale.
    #[error(transparent)]
    Handle(HandleError),
    /// The table has as many roots as it can hold.
    #[error("the heap has {roots} roots, and no room for more; drop some")]
    #[non_exhaustive]
    Full {
        /// How many there are.
        roots: usize,
    },
    /// The system has no memory for a larger table.
    #[error("the operating system refused memory for a root beside the {roots} that the heap has; drop some")]
    #[non_exhaustive]
    System {
        /// How many there are.
        roots: usize,
    },
}
