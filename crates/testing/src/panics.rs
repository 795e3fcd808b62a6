//! What a panic says: the reports of this crate are panics, and tests of tests look at them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `action`, and gives what it panicked with; `None` if it did not.
///
/// ```
/// use tumulus_testing::panic_message;
///
/// assert_eq!(panic_message(|| panic!("{} mounds", 3)).as_deref(), Some("3 mounds"));
/// assert_eq!(panic_message(|| 3), None);
/// ```
pub fn panic_message<R>(action: impl FnOnce() -> R) -> Option<String> {
    catch_unwind(AssertUnwindSafe(action)).err().map(|payload| words_of(payload.as_ref()))
}

pub(crate) fn words_of(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<String>(), payload.downcast_ref::<&str>()) {
        (Some(words), _) => words.clone(),
        (_, Some(words)) => (*words).to_string(),
        _ => "a panic without words".to_string(),
    }
}
