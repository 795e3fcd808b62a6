//! A stack for contestants that recurse over the graph.

use std::thread;

/// Address space only: pages that the recursion does not reach are never touched.
const HUGE: usize = 16 << 30;

/// Runs `work` on a thread whose stack is deep enough for one frame or two for each object of a full-size graph.
pub fn with_huge<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(HUGE).spawn_scoped(scope, work).expect("a thread");
        thread.join().expect("the contestant panicked")
    })
}
