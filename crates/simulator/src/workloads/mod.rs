//! What can be run: the workloads that are built in, and what a workload is.
//!
//! A workload is written over the public API of the heap alone, as a user's program would be. One file each; the parameters
//! that it can be given are described in `parameters.rs`. What they have in common is in `shapes.rs`, the layout of JavaScript's
//! objects, and in `numbers.rs`, random numbers that JavaScript computes alike.

mod binary_trees;
mod dom;
mod event_loop;
mod growing;
mod images;
mod leak;
mod lru;
mod memo;
mod numbers;
mod parameters;
mod requests;
mod shapes;
mod splay;
mod streams;
mod workers;

pub use parameters::{Parameter, ParameterError, Range, Value, Values};

use crate::session::{Session, Stop};

/// A program that uses a heap.
///
/// # Examples
///
/// ```
/// use tumulus_simulator::{Session, Setup, Stop, Workload, run};
///
/// struct Strings;
///
/// impl Workload for Strings {
///     fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
///         session.plan(1000);
///         for n in 0..1000 {
///             session.heap().try_alloc_str(&n.to_string())?;
///             session.safepoint(&())?;
///             session.done(1);
///         }
///         Ok(1000)
///     }
/// }
///
/// let outcome = run(&mut Strings, Setup::default())?;
/// assert_eq!(outcome.operations, 1000);
/// # Ok::<(), tumulus_heap::HeapError>(())
/// ```
pub trait Workload {
    /// Does the whole of the work, with a call of [`Session::safepoint`] wherever a program would have one. The result is a
    /// checksum of what was computed: two runs with one seed give the same, whatever the collector does.
    ///
    /// # Errors
    ///
    /// What stopped it: [`Stop`] is made by `?` from the errors of the heap and of buffers.
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop>;
}

/// A workload that is built in.
///
/// ```
/// let trees = tumulus_simulator::workloads::find("binary-trees").unwrap();
/// println!("{}: {}", trees.name, trees.summary);
/// for parameter in trees.parameters {
///     println!("  {}: {}", parameter.name, parameter.meaning);
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Its page of the documentation, in Markdown.
    pub page: &'static str,
    /// What can be set.
    pub parameters: &'static [Parameter],
    /// Makes it.
    pub make: fn(&Values) -> Result<Box<dyn Workload>, ParameterError>,
}

/// All that are built in.
///
/// ```
/// assert!(tumulus_simulator::workloads::all().iter().any(|workload| workload.name == "binary-trees"));
/// ```
pub fn all() -> &'static [Definition] {
    &[
        binary_trees::DEFINITION,
        splay::DEFINITION,
        lru::DEFINITION,
        requests::DEFINITION,
        dom::DEFINITION,
        memo::DEFINITION,
        streams::DEFINITION,
        images::DEFINITION,
        workers::DEFINITION,
        leak::DEFINITION,
        growing::DEFINITION,
        event_loop::DEFINITION,
    ]
}

/// The one of that name.
///
/// ```
/// assert!(tumulus_simulator::workloads::find("snails").is_none());
/// ```
pub fn find(name: &str) -> Option<&'static Definition> {
    all().iter().find(|definition| definition.name == name)
}
