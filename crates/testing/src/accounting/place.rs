//! Where in the program something happened, for allocators, which are told by nobody: taken from the stack.

use std::backtrace::Backtrace;
use std::fmt;
use std::sync::Arc;
use std::thread;

/// Where in the program a block was allocated or freed, and on which thread.
///
/// Its `Display` is the nearest function of the program's own, with file and line where there is debug information; the
/// alternate form, `{:#}`, is the whole stack. Taking one costs some microseconds, and reading it some milliseconds.
///
/// # Examples
///
/// ```
/// use tumulus_testing::Place;
///
/// fn bury() -> Place {
///     Place::here()
/// }
///
/// let place = bury().to_string();
/// # if cfg!(miri) { return; }
/// assert!(place.contains("bury"), "{place}");
/// ```
#[derive(Clone)]
pub struct Place {
    stack: Arc<Backtrace>,
    thread: Arc<str>,
}

impl Place {
    /// The caller's place.
    ///
    /// ```
    /// println!("{:#}", tumulus_testing::Place::here());
    /// ```
    pub fn here() -> Place {
        let current = thread::current();
        let thread = match current.name() {
            Some(name) => format!("`{name}`"),
            None => format!("{:?}", current.id()),
        };
        Place { stack: Arc::new(Backtrace::force_capture()), thread: thread.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stack = self.stack.to_string();
        match nearest(&stack) {
            _ if f.alternate() => write!(f, "thread {}\n{stack}", self.thread),
            Some((function, Some(line))) => write!(f, "{function} at {line}, on thread {}", self.thread),
            Some((function, None)) => write!(f, "{function}, on thread {}", self.thread),
            None => write!(f, "thread {}", self.thread),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first function on a printed stack that is the program's, and its file and line.
///
/// The form is that of the standard library, which promises nothing: lines `N: function`, each of which may be followed by a
/// line `at file:line:column`.
fn nearest(stack: &str) -> Option<(&str, Option<&str>)> {
    let mut lines = stack.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some((number, function)) = line.split_once(": ") else { continue };
        if number.parse::<u32>().is_ok() && is_the_programs(function) {
            let at = lines.peek().and_then(|next| next.strip_prefix("at "));
            return Some((function, at));
        }
    }
    None
}

fn is_the_programs(function: &str) -> bool {
    const OTHERS: [&str; 6] = ["std", "core", "alloc", "tumulus_arraybuffer", "tumulus_heap", "tumulus_testing"];
    // The tests of these packages are programs that use them.
    if function.contains("::tests::") {
        return true;
    }
    let path = function.trim_start_matches(['<', '&', '*', ' ']).trim_start_matches("dyn ").trim_start_matches("mut ");
    // With less debug information, functions that were inlined have no path, and it is unknown whose they are.
    let path = path.split('<').next().unwrap_or(path);
    path.split_once("::").is_some_and(|(package, _)| !OTHERS.contains(&package))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "   0: std::backtrace::Backtrace::create
             at /rustc/library/std/src/backtrace.rs:331:13
   1: <tumulus_testing::accounting::AccountingAllocator<A> as tumulus_arraybuffer::allocator::Allocator>::free
   2: core::ptr::drop_in_place<program::Thing>
   3: <alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once
   4: __rust_begin_short_backtrace
   5: take<tumulus_arraybuffer::allocator::SystemAllocator>
             at ./src/accounting/mod.rs:298:20
   6: program::bury
             at ./src/main.rs:7:9
   7: program::main
             at ./src/main.rs:12:5
";

    #[test]
    fn the_nearest_function_is_the_programs_first() {
        assert_eq!(nearest(STACK), Some(("program::bury", Some("./src/main.rs:7:9"))));
        let without_lines: Vec<&str> = STACK.lines().filter(|line| !line.contains(" at ")).collect();
        assert_eq!(nearest(&without_lines.join("\n")), Some(("program::bury", None)));
        assert_eq!(nearest("   0: std::thread::spawn\n"), None);
        assert_eq!(nearest("disabled backtrace"), None);
    }

    #[test]
    fn a_place_names_thread_and_function() {
        let place = thread::Builder::new().name("digger".into()).spawn(Place::here).unwrap().join().unwrap();
        assert!(place.to_string().ends_with("thread `digger`"), "{place}");
        if !cfg!(miri) {
            let here = Place::here().to_string();
            assert!(here.contains("a_place_names_thread_and_function"), "{here}");
        }
        assert!(format!("{place:#}").lines().count() > 3, "{place:#}");
    }
}
