//! What the tests of both interpreters share.

/// Runs a test on a thread with the stack that a recursive interpreter may need.
pub fn with_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 << 20).spawn(test).expect("room for a stack");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A number of turns: fewer of them where every safepoint collects.
pub fn turns(usually: usize, under_zeal: usize) -> usize {
    let zeal = std::env::var("TUMULUS_ZEAL").unwrap_or_default();
    if zeal.is_empty() || zeal == "none" { usually } else { under_zeal }
}
