//! What stores can be made from. None of it is copied.
//!
//! The unsafe blocks here hand bytes over that somebody owned. What each needs is the contract of `raw::begin_foreign`.

use crate::allocator::Allocator;
use crate::error::{Error, NoMemory};
use crate::layout::{Layout, MAX_BYTE_LENGTH, Place};
use crate::raw::{self, FirstRef, Foreign, Record, Refused, Release, Traits};
use crate::store::BackingStore;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

/// # Safety
///
/// As for [`raw::begin_foreign`].
unsafe fn foreign(
    data: NonNull<u8>,
    bytes: usize,
    traits: Traits,
    release: Option<Release>,
    born: Place,
) -> Result<&'static Record, Refused> {
    // SAFETY: the caller's promise.
    unsafe { raw::begin_foreign(Foreign { data, bytes, traits, release }, born) }
}

/// A store that was not a raw pointer. Where there is no memory for its record, this ends the process, as it does where there is
/// none for a `Vec`.
fn whole(record: &Result<&'static Record, Refused>) -> BackingStore {
    let Ok(record) = *record else { std::alloc::handle_alloc_error(std::alloc::Layout::new::<Record>()) };
    BackingStore::counted(record)
}

/// A store of bytes that `owner` owns, and frees when it is dropped.
///
/// # Safety
///
/// The bytes are `owner`'s alone as long as it exists, wherever it is moved, and can be written to unless the traits say not.
unsafe fn owned<O: Send + 'static>(
    data: NonNull<u8>,
    bytes: usize,
    traits: Traits,
    owner: O,
    born: Place,
) -> BackingStore {
    let release = Release::Deleter(Box::new(move |_, _| drop(owner)));
    // SAFETY: the caller's promise.
    whole(&unsafe { foreign(data, bytes, traits, Some(release), born) })
}

/// A box, or the value where there is no memory for one.
fn boxed<T>(value: T) -> Result<Box<T>, T> {
    let layout = std::alloc::Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    // SAFETY: the layout is not of size zero.
    let Some(place) = NonNull::new(unsafe { std::alloc::alloc(layout) }.cast::<T>()) else { return Err(value) };
    // SAFETY: the place is for a `T`, ours, and was allocated as a box's is.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place.as_ptr()))
    }
}

/// Zero bytes of the default allocator.
impl BackingStore {
    /// So many zero bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there cannot be as many, [`Error::OutOfMemory`] if there are not.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::new(100)?;
    /// assert!(store.with_bytes(|bytes| bytes.iter().all(|&byte| byte == 0))?);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn new(layout: impl Into<Layout>) -> Result<BackingStore, Error> {
        let born = Location::caller();
        let record = layout.into().make(Traits::NONE, FirstRef::Holder, born, "BackingStore::new")?;
        Ok(BackingStore::counted(record))
    }

    /// The same, to be shared between threads.
    ///
    /// # Errors
    ///
    /// As [`new`](BackingStore::new).
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::shared(100)?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| store.copy_from(0, &[1]));
    ///     scope.spawn(|| store.copy_from(0, &[2]));
    /// });
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn shared(layout: impl Into<Layout>) -> Result<BackingStore, Error> {
        let born = Location::caller();
        let record = layout.into().make(Traits::SHARED, FirstRef::Holder, born, "BackingStore::shared")?;
        Ok(BackingStore::counted(record))
    }

    /// A store whose length can change, up to `max`.
    ///
    /// # Errors
    ///
    /// As [`new`](BackingStore::new).
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert_eq!(BackingStore::resizable(10, 1 << 30)?.byte_length(), 10);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn resizable(byte_length: u64, max: u64) -> Result<BackingStore, Error> {
        BackingStore::new(Layout::new(byte_length).max(max))
    }

    /// A shared store that can grow, up to `max`.
    ///
    /// # Errors
    ///
    /// As [`new`](BackingStore::new).
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert!(BackingStore::growable(10, 100)?.grow(100)?);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn growable(byte_length: u64, max: u64) -> Result<BackingStore, Error> {
        BackingStore::shared(Layout::new(byte_length).max(max))
    }

    /// Zero bytes of an allocator, which lives as long as the store, also where that is empty.
    ///
    /// # Errors
    ///
    /// As [`new`](BackingStore::new).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tumulus_arraybuffer::{BackingStore, SystemAllocator};
    ///
    /// let allocator = Arc::new(SystemAllocator);
    /// let store = BackingStore::with_allocator(&allocator, 0)?;
    /// assert_eq!(Arc::strong_count(&allocator), 2);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn with_allocator<A: Allocator>(allocator: &Arc<A>, byte_length: u64) -> Result<BackingStore, Error> {
        BackingStore::new(Layout::new(byte_length).allocator(allocator))
    }

    /// No bytes.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert_eq!(BackingStore::empty().byte_length(), 0);
    /// ```
    #[track_caller]
    pub fn empty() -> BackingStore {
        BackingStore::new(0).expect("nothing takes no memory")
    }
}

/// Bytes that the program has.
impl BackingStore {
    /// The bytes of a vector.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let vec = vec![1, 2, 3];
    /// let address = vec.as_ptr();
    /// assert_eq!(BackingStore::from_vec(vec).data().as_ptr().cast_const(), address);
    /// ```
    #[track_caller]
    pub fn from_vec(bytes: Vec<u8>) -> BackingStore {
        struct Parts(NonNull<u8>, usize, usize);
        // SAFETY: they are those of a vector of bytes, which is `Send`.
        unsafe impl Send for Parts {}
        impl Drop for Parts {
            fn drop(&mut self) {
                // SAFETY: the parts of a vector that was taken apart, once.
                drop(unsafe { Vec::from_raw_parts(self.0.as_ptr(), self.1, self.2) });
            }
        }
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        let data = NonNull::new(bytes.as_mut_ptr()).expect("the pointer of a vector is not null");
        let parts = Parts(data, bytes.len(), bytes.capacity());
        // SAFETY: the vector's bytes are ours until `parts` is dropped.
        unsafe { owned(data, parts.1, Traits::NONE, parts, Location::caller()) }
    }

    /// The bytes of a box.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert_eq!(BackingStore::from_box(Box::new([1, 2, 3])).byte_length(), 3);
    /// ```
    #[track_caller]
    pub fn from_box(bytes: Box<[u8]>) -> BackingStore {
        BackingStore::from_vec(bytes.into_vec())
    }

    /// Bytes that others hold as well. They are read-only, and buffers of them are immutable.
    ///
    /// ```
    /// use std::sync::Arc;
    /// # use tumulus_arraybuffer::BackingStore;
    ///
    /// let bytes: Arc<[u8]> = Arc::from([1, 2, 3]);
    /// let store = BackingStore::from_arc(Arc::clone(&bytes));
    /// assert_eq!(store.data().as_ptr().cast_const(), bytes.as_ptr());
    /// ```
    #[track_caller]
    pub fn from_arc(bytes: Arc<[u8]>) -> BackingStore {
        let (data, len) = (NonNull::from(&*bytes).cast(), bytes.len());
        // SAFETY: the bytes stay where they are as long as the `Arc` exists, and nobody writes to them.
        unsafe { owned(data, len, Traits::READ_ONLY, bytes, Location::caller()) }
    }

    /// Bytes that live as long as the process. They are read-only, and count nowhere as external memory.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::from_static(b"mound");
    /// assert_eq!(store.with_bytes(<[u8]>::to_vec)?, b"mound");
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn from_static(bytes: &'static [u8]) -> BackingStore {
        let traits = Traits::STATIC.and(Traits::READ_ONLY);
        // SAFETY: the bytes are there for ever, and nobody writes to them.
        let record = unsafe { foreign(NonNull::from(bytes).cast(), bytes.len(), traits, None, Location::caller()) };
        whole(&record)
    }

    /// The same for bytes that can be written to.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let bytes: &'static mut [u8] = Box::leak(Box::new([1, 2, 3]));
    /// let store = BackingStore::from_static_mut(bytes);
    /// store.with_bytes_mut(|bytes| bytes[0] = 7)?;
    /// # let data = store.data().as_ptr();
    /// # drop(store);
    /// # drop(unsafe { Box::from_raw(data.cast::<[u8; 3]>()) });
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn from_static_mut(bytes: &'static mut [u8]) -> BackingStore {
        let len = bytes.len();
        // SAFETY: the bytes are there for ever, and ours.
        let record = unsafe { foreign(NonNull::from(bytes).cast(), len, Traits::STATIC, None, Location::caller()) };
        whole(&record)
    }

    /// Bytes behind a pointer, which `deleter` frees: it gets the pointer, the length, and `deleter_data`.
    ///
    /// It is called once, when the last reference is gone, on whichever thread that is or by the
    /// [releaser](crate::release), also if no buffer was ever made. For a null pointer, which leads to no bytes, and where
    /// this fails, it is not called, and is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Null`] for a null pointer with a length; [`Error::AlreadyWrapped`] if some of the bytes are in a store that
    /// lives and was made by this function.
    ///
    /// # Safety
    ///
    /// The pointer leads to so many initialised bytes, which are not moved, freed, or touched by anybody else until `deleter`
    /// is called.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::{BackingStore, Error};
    /// let bytes = Box::into_raw(Box::new([0_u8; 100]));
    /// let free = |data: *mut u8, len: usize, name: &str| {
    ///     println!("{name}: {len} bytes");
    ///     drop(unsafe { Box::from_raw(data.cast::<[u8; 100]>()) });
    /// };
    /// // SAFETY: the box was leaked, and is put together again by the deleter.
    /// let store = unsafe { BackingStore::from_raw(bytes.cast(), 100, free, "a box")? };
    ///
    /// let again = unsafe { BackingStore::from_raw(bytes.cast(), 100, |_, _, ()| (), ()) };
    /// assert!(matches!(again, Err(Error::AlreadyWrapped { first, .. }) if first == store.id()));
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn from_raw<D: Send + 'static>(
        data: *mut u8,
        bytes: usize,
        deleter: impl FnOnce(*mut u8, usize, D) + Send + 'static,
        deleter_data: D,
    ) -> Result<BackingStore, Error> {
        // SAFETY: the caller's promise.
        unsafe { wrap(data, bytes, Traits::RAW, deleter, deleter_data, Location::caller()) }
    }

    /// The same for bytes that threads share. The pointer has to be aligned to 8.
    ///
    /// # Errors
    ///
    /// As [`from_raw`](BackingStore::from_raw), and [`Error::Alignment`].
    ///
    /// # Safety
    ///
    /// As for [`from_raw`](BackingStore::from_raw).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let words = Box::into_raw(Box::new([0_u64; 4]));
    /// let free = |data: *mut u8, _: usize, (): ()| drop(unsafe { Box::from_raw(data.cast::<[u64; 4]>()) });
    /// // SAFETY: the box was leaked, and is put together again by the deleter.
    /// let store = unsafe { BackingStore::from_raw_shared(words.cast(), 32, free, ())? };
    /// assert!(store.is_shared());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn from_raw_shared<D: Send + 'static>(
        data: *mut u8,
        bytes: usize,
        deleter: impl FnOnce(*mut u8, usize, D) + Send + 'static,
        deleter_data: D,
    ) -> Result<BackingStore, Error> {
        if !data.addr().is_multiple_of(8) {
            let (operation, value) = ("BackingStore::from_raw_shared", data.addr() as u64);
            return Err(Error::Alignment { operation, value, element_size: 8, kind: "shared store" });
        }
        // SAFETY: the caller's promise.
        unsafe { wrap(data, bytes, Traits::RAW.and(Traits::SHARED), deleter, deleter_data, Location::caller()) }
    }
}

/// A pointer that was handed over, with what is behind it.
struct Data(*mut u8);

// SAFETY: whose it was has handed it over, to whichever thread.
unsafe impl Send for Data {}

/// # Safety
///
/// As for [`BackingStore::from_raw`].
unsafe fn wrap<D: Send + 'static>(
    data: *mut u8,
    bytes: usize,
    traits: Traits,
    deleter: impl FnOnce(*mut u8, usize, D) + Send + 'static,
    deleter_data: D,
    born: Place,
) -> Result<BackingStore, Error> {
    let is_null = data.is_null();
    if is_null && bytes > 0 {
        return Err(Error::Null { bytes });
    }
    if bytes > isize::MAX as usize || data.addr().checked_add(bytes).is_none() {
        let (requested, max) = (bytes as u64, MAX_BYTE_LENGTH);
        return Err(Error::Length { operation: "BackingStore::from_raw", requested, max });
    }
    let original = Data(data);
    let release = boxed(move |_: NonNull<u8>, _: usize| {
        let original = original;
        let Data(data) = original;
        if !data.is_null() {
            deleter(data, bytes, deleter_data);
        }
    });
    let no_memory = || Error::OutOfMemory {
        operation: "BackingStore::from_raw",
        requested: size_of::<Record>(),
        reason: NoMemory::Allocator,
    };
    let release = Release::Deleter(release.map_err(|_| no_memory())?);
    let address = data.addr();
    let data = NonNull::new(data).unwrap_or_else(raw::nowhere);
    // SAFETY: the caller's promise.
    unsafe { foreign(data, bytes, traits, Some(release), born) }.map(BackingStore::counted).map_err(|refused| {
        match refused {
            Refused::Wrapped(first) => Error::AlreadyWrapped { address, bytes, first: first.id, born: first.born },
            Refused::NoMemory => no_memory(),
        }
    })
}

/// Bytes of the `bytes` crate.
#[cfg(feature = "bytes")]
#[cfg_attr(docsrs, doc(cfg(feature = "bytes")))]
impl BackingStore {
    /// Bytes that others may hold as well. They are read-only, and buffers of them are immutable.
    ///
    /// ```
    /// let store = tumulus_arraybuffer::BackingStore::from_bytes(bytes::Bytes::from(vec![1, 2, 3]));
    /// assert!(store.is_read_only());
    /// ```
    #[track_caller]
    pub fn from_bytes(bytes: bytes::Bytes) -> BackingStore {
        let (data, len) = (NonNull::from(&*bytes).cast(), bytes.len());
        // SAFETY: the bytes stay where they are as long as the `Bytes` exists, and nobody writes to them.
        unsafe { owned(data, len, Traits::READ_ONLY, bytes, Location::caller()) }
    }

    /// Bytes that are one's own.
    ///
    /// ```
    /// let store = tumulus_arraybuffer::BackingStore::from_bytes_mut(bytes::BytesMut::from(&[1, 2, 3][..]));
    /// assert!(!store.is_read_only());
    /// ```
    #[track_caller]
    pub fn from_bytes_mut(mut bytes: bytes::BytesMut) -> BackingStore {
        let (data, len) = (NonNull::from(&mut *bytes).cast(), bytes.len());
        // SAFETY: the bytes are its alone as long as it exists, and outside of it.
        unsafe { owned(data, len, Traits::NONE, bytes, Location::caller()) }
    }
}

/// Mapped files.
#[cfg(feature = "memmap2")]
#[cfg_attr(docsrs, doc(cfg(feature = "memmap2")))]
impl BackingStore {
    /// A file that is mapped to be read. Buffers of it are immutable.
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()); }
    /// use tumulus_arraybuffer::BackingStore;
    ///
    /// let file = std::fs::File::open(std::env::current_exe()?)?;
    /// // SAFETY: nobody writes to the file of a program that runs.
    /// let store = BackingStore::from_mmap(unsafe { memmap2::Mmap::map(&file)? });
    /// assert!(store.is_read_only());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn from_mmap(map: memmap2::Mmap) -> BackingStore {
        let (data, len) = (NonNull::from(&*map).cast(), map.len());
        // SAFETY: the mapping stays where it is as long as it exists; that nobody writes to it, who made it has promised.
        unsafe { owned(data, len, Traits::READ_ONLY, map, Location::caller()) }
    }

    /// A mapping that can be written to.
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()); }
    /// let store = tumulus_arraybuffer::BackingStore::from_mmap_mut(memmap2::MmapMut::map_anon(4096)?);
    /// assert_eq!(store.byte_length(), 4096);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn from_mmap_mut(mut map: memmap2::MmapMut) -> BackingStore {
        let (data, len) = (NonNull::from(&mut *map).cast(), map.len());
        // SAFETY: the mapping is its owner's alone, and stays where it is as long as it exists.
        unsafe { owned(data, len, Traits::NONE, map, Location::caller()) }
    }
}
