//! A heap's limit that moves.

use tumulus_heap::Heap;

/// Sets a limit that leaves so many bytes to what is committed now, outside bytes included, and runs `body`. The limit is what
/// it was after that, also if `body` panics.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::ArrayBuffer;
/// use tumulus_testing::faults::with_room;
///
/// let mut heap = tumulus_heap::Heap::new();
/// ArrayBuffer::new(&mut heap, 100)?;
/// with_room(&mut heap, 10, |heap| {
///     assert!(ArrayBuffer::new(heap, 11).is_err());
///     assert!(ArrayBuffer::new(heap, 10).is_ok());
/// });
/// assert!(ArrayBuffer::new(&mut heap, 1000).is_ok());
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn with_room<R>(heap: &mut Heap, bytes: usize, body: impl FnOnce(&mut Heap) -> R) -> R {
    struct Restores<'h> {
        heap: &'h mut Heap,
        limit: usize,
    }
    impl Drop for Restores<'_> {
        fn drop(&mut self) {
            self.heap.set_limit(self.limit);
        }
    }
    let now = heap.statistics();
    let limit = heap.limit();
    heap.set_limit((now.committed_bytes + now.external_bytes).saturating_add(bytes));
    let restores = Restores { heap, limit };
    body(restores.heap)
}

/// Runs `body` with a limit that leaves room for no bytes, then for `step` more, and so on, until it says that it had enough. The
/// result is how much that was.
///
/// So `body` fails at each place where it can run into a limit. It is to return whether it came through, and to leave the heap
/// so that it can be tried again.
///
/// # Panics
///
/// After a million steps.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::ArrayBuffer;
/// use tumulus_testing::faults::at_each_limit;
///
/// let mut heap = tumulus_heap::Heap::new();
/// ArrayBuffer::new(&mut heap, 0)?; // so that there is a page for buffers
/// let room = at_each_limit(&mut heap, 1, |heap| {
///     let made = ArrayBuffer::new(heap, 117).is_ok();
///     heap.verify().unwrap();
///     made
/// });
/// assert_eq!(room, 117);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn at_each_limit(heap: &mut Heap, step: usize, mut body: impl FnMut(&mut Heap) -> bool) -> usize {
    for steps in 0..1_000_000 {
        if with_room(heap, steps * step, &mut body) {
            return steps * step;
        }
    }
    panic!("a million steps of {step} bytes are not enough");
}
