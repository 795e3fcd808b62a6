//! Helpers that several integration tests use.
//!
//! - Drops are counted by a [`Ledger`], which knows how often each of the values that it made was dropped.
//! - Panics are caught by [`catch`] and [`panic_words`], which gives what they say, without being printed.
//! - Handles are taken apart by [`place`], by way of what their `Debug` prints.
//! - Heaps whose zeal does not depend on the environment are made by [`calm_heap`].
//! - A count is [`scaled`] for Miri, which takes a second for what takes a millisecond elsewhere.
//! - What needs a process with another environment, or with less memory, is run in one by [`Process`].
//!
//! What only one test needs is in that test.

pub mod fuzz;

use proptest::test_runner::Config;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::process::Command;
use std::rc::Rc;
use std::sync::Once;
use tumulus_heap::{AnyGc, Budget, Event, Heap, HeapBuilder, Trace, Tracer, Zeal};

/// Counts drops: it hands out tokens, and knows how often each of them was dropped.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    drops: Rc<RefCell<Vec<u32>>>,
}

impl Ledger {
    /// A ledger that has handed out nothing.
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// A value whose drop is counted.
    pub fn token(&self) -> Token {
        let mut drops = self.drops.borrow_mut();
        drops.push(0);
        Token { drops: Rc::clone(&self.drops), id: drops.len() - 1 }
    }

    /// Tokens that were handed out.
    pub fn made(&self) -> usize {
        self.drops.borrow().len()
    }

    /// Tokens that were dropped.
    pub fn dropped(&self) -> usize {
        self.drops.borrow().iter().filter(|&&count| count > 0).count()
    }

    /// Whether the token with this number was dropped; they are numbered in the order in which they were handed out.
    pub fn is_dropped(&self, id: usize) -> bool {
        self.drops.borrow()[id] > 0
    }

    /// Panics unless so many tokens were dropped, and each of them once.
    #[track_caller]
    pub fn expect_dropped(&self, count: usize) {
        let drops = self.drops.borrow();
        if let Some(id) = drops.iter().position(|&count| count > 1) {
            panic!("token {id} was dropped {} times", drops[id]);
        }
        let dropped = drops.iter().filter(|&&count| count == 1).count();
        assert_eq!(dropped, count, "of {} tokens {dropped} were dropped, and not {count}", drops.len());
    }

    /// Panics unless each token was dropped once.
    #[track_caller]
    pub fn expect_all_dropped(&self) {
        self.expect_dropped(self.made());
    }
}

/// A value whose drop is counted by the [`Ledger`] that made it.
#[derive(Debug)]
pub struct Token {
    drops: Rc<RefCell<Vec<u32>>>,
    id: usize,
}

impl Token {
    /// Its number.
    pub fn id(&self) -> usize {
        self.id
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.drops.borrow_mut()[self.id] += 1;
    }
}

impl Trace for Token {
    const HAS_EDGES: bool = false;

    fn trace(&self, _tracer: &mut Tracer<'_>) {}
}

/// Runs `action` and catches its panic, which is not printed.
///
/// # Errors
///
/// What the panic carried.
pub fn catch<R>(action: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    thread_local! {
        static EXPECTING: Cell<u32> = const { Cell::new(0) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| {
            if EXPECTING.get() == 0 {
                print(info);
            }
        }));
    });
    EXPECTING.set(EXPECTING.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(action));
    EXPECTING.set(EXPECTING.get() - 1);
    result
}

/// What the panic says that comes out of `action`.
#[track_caller]
pub fn panic_words<R>(action: impl FnOnce() -> R) -> String {
    match catch(action) {
        Ok(_) => panic!("this should have panicked"),
        Err(payload) => match payload.downcast::<String>() {
            Ok(words) => *words,
            Err(payload) => (*payload.downcast_ref::<&str>().expect("a panic with words")).to_string(),
        },
    }
}

/// The index and the stamp of a handle.
pub fn place(handle: impl Into<AnyGc>) -> (u32, u32) {
    let text = format!("{:?}", handle.into());
    let inner = text.strip_prefix("AnyGc(#").and_then(|rest| rest.strip_suffix(')')).expect("the form of a handle");
    let (index, stamp) = inner.split_once('@').expect("an index and a stamp");
    (u32::from_str_radix(index, 16).expect("a hexadecimal index"), stamp.parse().expect("a decimal stamp"))
}

/// A heap without zeal, whatever the environment says: for tests that rely on when collections happen or on what is
/// reused, or that are too large to be verified at every step.
pub fn calm_heap() -> Heap {
    Heap::builder().zeal(Zeal::none()).build()
}

/// A count, or the one for Miri.
pub const fn scaled(count: usize, under_miri: usize) -> usize {
    if cfg!(miri) { under_miri } else { count }
}

/// Panics with everything that is wrong with a heap.
#[track_caller]
pub fn expect_sound(heap: &Heap) {
    if let Err(error) = heap.verify() {
        panic!("{error}");
    }
}

/// Panics unless `result` is an error, which is the result.
#[track_caller]
pub fn expect_error<T, E>(result: Result<T, E>) -> E
where
    T: Debug,
{
    result.expect_err("this should have failed")
}

/// How many cases a property test runs: as many as `PROPTEST_CASES` says, or else `default`.
pub fn cases(default: u32) -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// A process that runs one test of this program again, by itself.
#[derive(Debug)]
pub struct Process {
    test: &'static str,
    addresses: Option<u64>,
    zeal: Option<&'static str>,
}

impl Process {
    /// A process for the test of this name, without zeal.
    pub fn for_test(test: &'static str) -> Process {
        Process { test, addresses: None, zeal: None }
    }

    /// Lets it have so many bytes of addresses, as `ulimit -v` does.
    #[must_use]
    pub fn addresses(mut self, bytes: u64) -> Process {
        self.addresses = Some(bytes);
        self
    }

    /// Sets `TUMULUS_ZEAL`.
    #[must_use]
    pub fn zeal(mut self, words: &'static str) -> Process {
        self.zeal = Some(words);
        self
    }

    /// Runs `body`, which is the test proper, in that process. Panics with what it printed if it fails or dies.
    #[track_caller]
    pub fn run(self, body: impl FnOnce()) {
        const VARIABLE: &str = "TUMULUS_TESTS_PROCESS";
        if std::env::var_os(VARIABLE).is_some_and(|test| test == self.test) {
            return body();
        }
        let program = std::env::current_exe().expect("the path of this program");
        let mut command = match self.addresses {
            None => Command::new(program),
            Some(bytes) => {
                let mut shell = Command::new("sh");
                let limited = "ulimit -v \"$1\" && shift && exec \"$@\"";
                shell.args(["-c", limited, "sh", &(bytes / 1024).to_string()]).arg(program);
                shell
            }
        };
        command.args([self.test, "--exact", "--nocapture", "--test-threads=1"]).env(VARIABLE, self.test);
        match self.zeal {
            Some(words) => command.env("TUMULUS_ZEAL", words),
            None => command.env_remove("TUMULUS_ZEAL"),
        };
        let output = command.output().expect("a process");
        let printed = String::from_utf8_lossy(&output.stdout);
        let passed = output.status.success() && printed.contains("1 passed");
        assert!(passed, "{}\n{printed}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

#[cfg(doctest)]
mod guide;

/// The options of a heap, whatever the environment says: what they are is what these tests are about.
pub fn pinned() -> HeapBuilder {
    Heap::builder()
        .nursery(1 << 20)
        .min_heap(16 << 20)
        .growth(2.0)
        .pause_budget(Budget::work(12_000))
        .zeal(Zeal::none())
}

/// The events of a heap, as they come.
pub fn events(heap: &mut Heap) -> Rc<RefCell<Vec<Event>>> {
    let events = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&events);
    heap.on_event(move |event| {
        if !matches!(event, Event::Began { .. }) {
            sink.borrow_mut().push(event.clone());
        }
    });
    events
}
