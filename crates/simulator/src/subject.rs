//! What is run: a built-in workload by its name, a recorded trace, or something else that is one.

use crate::options::HeapOptions;
use crate::workloads::{self, ParameterError, Values, Workload};
use std::fmt;
use thiserror::Error;

/// A workload that is ready to be run, with what is known of it.
///
/// ```
/// use tumulus_simulator::Subject;
///
/// let trees = Subject::open("binary-trees", [("depth", "10")]).unwrap();
/// assert_eq!((trees.name.as_str(), trees.parameters.count("depth")), ("binary-trees", 10));
/// assert!(Subject::open("snails", []).is_err());
/// ```
pub struct Subject {
    /// Its name.
    pub name: String,
    /// What it is, in a line.
    pub summary: String,
    /// Its parameters.
    pub parameters: Values,
    /// The workload.
    pub workload: Box<dyn Workload>,
    /// Options of the heap that hold where nothing else is said: those that a trace was recorded with.
    pub options: HeapOptions,
}

impl Subject {
    /// The built-in workload of that name, with these parameters.
    ///
    /// # Errors
    ///
    /// If there is none of that name, or its parameters cannot be that.
    pub fn open<'t>(name: &str, set: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Subject, SubjectError> {
        let Some(definition) = workloads::find(name) else {
            return Err(SubjectError::unknown(name));
        };
        let parameters = Values::resolve(definition.parameters, set)?;
        let workload = (definition.make)(&parameters)?;
        let (name, summary) = (definition.name.into(), definition.summary.into());
        Ok(Subject { name, summary, parameters, workload, options: HeapOptions::default() })
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("name", &self.name)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// There is no such workload, and no such file.
    #[error("there is no workload {name:?}, and no trace of that name; there are: {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A parameter cannot be that.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// It is a file, and no sound trace.
    #[error("{path}: {reason}")]
    Trace {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A trace cannot tell what a heap with other options would do.
    #[error(
        "{path}: a heap with other options would collect at other safepoints than the recorded one, and this trace has only \
         those at which something was due; record it with others: `tumulus record --safepoints 16k`, or \
         `Recorder::start_with` and `Safepoints::USUAL`"
    )]
    NoSafepoints {
        /// The file.
        path: String,
    },
    /// What a trace does is recorded.
    #[error("{path}: a trace has no parameters, and there is no {name} to be set")]
    Fixed {
        /// The file.
        path: String,
        /// What was to be set.
        name: String,
    },
}

impl SubjectError {
    pub(crate) fn unknown(name: &str) -> SubjectError {
        let known: Vec<&str> = workloads::all().iter().map(|definition| definition.name).collect();
        SubjectError::Unknown { name: name.into(), known: known.join(", ") }
    }
}
