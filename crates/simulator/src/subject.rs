//! What is run: a built-in workload by its name, or something else that is one.

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
        Ok(Subject { name: definition.name.into(), summary: definition.summary.into(), parameters, workload })
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
    /// There is no such workload.
    #[error("there is no workload {name:?}; there are: {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A parameter cannot be that.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

impl SubjectError {
    pub(crate) fn unknown(name: &str) -> SubjectError {
        let known: Vec<&str> = workloads::all().iter().map(|definition| definition.name).collect();
        SubjectError::Unknown { name: name.into(), known: known.join(", ") }
    }
}
