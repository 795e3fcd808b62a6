//! Assertions about what is alive, in a heap and outside of it.

use tumulus_arraybuffer::{registry, release};
use tumulus_heap::{AnyGc, HandleError, Heap, Statistics, Trace};

/// Panics unless an object is alive, and says what became of it.
///
/// ```
/// use tumulus_testing::{assert_alive, panic_message};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let gc = heap.alloc(1);
/// assert_alive(&heap, gc);
/// heap.collect(&());
/// assert!(panic_message(|| assert_alive(&heap, gc)).unwrap().contains("was collected"));
/// ```
#[track_caller]
pub fn assert_alive(heap: &Heap, object: impl Into<AnyGc>) {
    /// A type of which there are no objects.
    enum Nothing {}
    impl Trace for Nothing {
        const HAS_EDGES: bool = false;

        fn trace(&self, _: &mut tumulus_heap::Tracer<'_>) {}
    }

    let object = object.into();
    if heap.contains(object) {
        return;
    }
    let fate = match object.downcast::<Nothing>(heap) {
        Err(HandleError::OtherHeap { .. }) => "is of another heap, or of one that is gone",
        _ => "was collected: nothing led to it from a root",
    };
    panic!("the object of {object:?} should be alive, but it {fate}");
}

/// Panics unless an object was collected. It does not collect: see [`collect_until_stable`].
///
/// ```
/// use tumulus_testing::{assert_collected, panic_message};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let gc = heap.alloc_str("mound");
/// assert!(panic_message(|| assert_collected(&heap, gc)).unwrap().contains("a str is alive"));
/// heap.collect(&());
/// assert_collected(&heap, gc);
/// ```
#[track_caller]
pub fn assert_collected(heap: &Heap, object: impl Into<AnyGc>) {
    let object = object.into();
    if heap.contains(object) {
        let name = object.type_name(heap).unwrap_or("thing");
        let Statistics { roots, temporaries, collections, .. } = heap.statistics();
        panic!(
            "{object:?} should have been collected, but a {name} is alive after {collections} collections; the heap has \
             {roots} roots and {temporaries} temporaries of scopes"
        );
    }
}

/// Panics unless so many bytes outside are on the account of the heap, and lists all stores that buffers have.
///
/// ```
/// use tumulus_arraybuffer::ArrayBuffer;
/// use tumulus_testing::{assert_external_bytes, panic_message};
///
/// let mut heap = tumulus_heap::Heap::new();
/// ArrayBuffer::new(&mut heap, 117)?;
/// assert_external_bytes(&heap, 117);
/// let words = panic_message(|| assert_external_bytes(&heap, 0)).unwrap();
/// assert!(words.contains("117 bytes, 0 holders, 1 buffers"), "{words}");
///
/// heap.collect(&());
/// assert_external_bytes(&heap, 0);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[track_caller]
pub fn assert_external_bytes(heap: &Heap, bytes: usize) {
    let counted = heap.statistics().external_bytes;
    if counted != bytes {
        let stores = lines(registry::entries().into_iter().filter(|entry| entry.buffers > 0));
        panic!(
            "the heap should account for {bytes} bytes outside, and not {counted}; in all heaps there are\n{stores}"
        );
    }
}

/// Waits for the releaser, and panics if the store with this [id](tumulus_arraybuffer::BackingStore::id) still exists.
///
/// ```
/// use tumulus_arraybuffer::BackingStore;
/// use tumulus_testing::{assert_released, panic_message};
///
/// let store = BackingStore::new(100)?;
/// let id = store.id();
/// assert!(panic_message(|| assert_released(id)).unwrap().contains("100 bytes, 1 holders"));
/// drop(store);
/// assert_released(id);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[track_caller]
pub fn assert_released(id: u64) {
    release::flush();
    if let Some(entry) = registry::entries().into_iter().find(|entry| entry.id == id) {
        panic!("these bytes should have been released: {entry}");
    }
}

/// Waits for the releaser, and panics if any store is left in the process, with the place where each was externalized or made.
///
/// It is for the end of a program, or of a test that has a process to itself: stores of tests that run at the same time are
/// left as well. There, see [`assert_released`]. Static bytes are no leak.
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, BackingStore};
/// use tumulus_testing::{assert_no_leaks, panic_message};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let held = ArrayBuffer::new(&mut heap, 117)?.externalize(&mut heap);
/// drop(heap);
/// let words = panic_message(assert_no_leaks).unwrap();
/// assert!(words.contains("117 bytes, 1 holders, 0 buffers, made at "), "{words}");
/// drop(held);
/// assert_no_leaks();
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[track_caller]
pub fn assert_no_leaks() {
    release::flush();
    let mut left = registry::entries();
    left.retain(|entry| entry.kind != registry::Kind::Static && entry.max_byte_length > 0);
    if !left.is_empty() {
        let bytes: usize = left.iter().map(|entry| entry.byte_length).sum();
        panic!("{} stores with {bytes} bytes are left:\n{}", left.len(), lines(left));
    }
}

fn lines(entries: impl IntoIterator<Item = registry::Entry>) -> String {
    entries.into_iter().fold(String::new(), |lines, entry| format!("{lines}    {entry}\n"))
}

/// Collects until a full collection changes nothing any more, and waits for the releaser. The result is what is left.
///
/// One full collection frees all that is unreachable. But a destructor may let go of a root, whose object is garbage only
/// then, and so on; and there may be a program that never comes to rest.
///
/// # Panics
///
/// After a thousand collections.
///
/// ```
/// use tumulus_heap::{Heap, Root, Trace, Tracer};
/// use tumulus_testing::{assert_collected, collect_until_stable};
///
/// /// An object that keeps another one alive from outside.
/// struct Keeper(Option<Root<i32>>);
///
/// impl Trace for Keeper {
///     const HAS_EDGES: bool = false;
///     fn trace(&self, _: &mut Tracer<'_>) {}
/// }
///
/// let mut heap = Heap::new();
/// let kept = heap.alloc(1);
/// let root = heap.root(kept);
/// heap.alloc(Keeper(Some(root)));
/// heap.collect(&());
/// assert!(heap.contains(kept)); // it was marked before the root went
///
/// assert_eq!(collect_until_stable(&mut heap, &()).live_objects, 0);
/// assert_collected(&heap, kept);
/// ```
#[track_caller]
pub fn collect_until_stable<R: Trace + ?Sized>(heap: &mut Heap, roots: &R) -> Statistics {
    let mut before = None;
    for _ in 0..1000 {
        heap.collect(roots);
        release::flush();
        let now = heap.statistics();
        let state = (now.used_bytes, now.external_bytes, now.freed_objects, now.roots);
        if before == Some(state) {
            return now;
        }
        before = Some(state);
    }
    panic!("after 1000 full collections each still frees something; {:?}", heap.statistics());
}
