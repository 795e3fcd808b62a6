//! What is done when the process ends.

/// Has `action` run once when the process exits in an orderly way, where the system offers that.
pub(crate) fn at_exit(action: extern "C" fn()) {
    #[cfg(all(unix, not(miri)))]
    {
        unsafe extern "C" {
            safe fn atexit(action: extern "C" fn()) -> std::ffi::c_int;
        }
        // Refused, the releaser's thread ends with the process, and what it has not released ends with it as well.
        let _ = atexit(action);
    }
    #[cfg(not(all(unix, not(miri))))]
    let _ = action;
}
