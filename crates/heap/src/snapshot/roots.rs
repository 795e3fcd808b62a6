//! The groups of roots, each of which is a node.

use crate::raw::{AnyGc, RootTable};
use crate::scope::Temporaries;
use crate::trace::{Describer, Trace};
use crate::weak::Kept;

/// Where the roots of a heap are, and what the program passed.
pub(super) struct Roots<'r, R: ?Sized> {
    pub(super) table: &'r RootTable,
    pub(super) temporaries: &'r Temporaries,
    pub(super) kept: &'r Kept,
    pub(super) passed: &'r R,
}

/// A group of roots.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Passed,
    Handles,
    Scopes,
    Kept,
    Finalization,
}

impl Group {
    pub(super) const ALL: [Group; 5] = [Group::Passed, Group::Handles, Group::Scopes, Group::Kept, Group::Finalization];

    /// Its name, in V8's way where V8 has such a group.
    pub(super) fn name(self) -> &'static str {
        match self {
            Group::Passed => "(Embedder roots)",
            Group::Handles => "(Global handles)",
            Group::Scopes => "(Handle scopes)",
            Group::Kept => "(Kept alive)",
            Group::Finalization => "(Finalization registry)",
        }
    }
}

impl<R: Trace + ?Sized> Roots<'_, R> {
    /// Describes the roots of a group, as if they were fields of it.
    pub(super) fn describe(&self, group: Group, describer: &mut Describer<'_>) {
        match group {
            Group::Passed => self.passed.describe(describer),
            Group::Handles => each(&self.table.handles(), describer),
            Group::Scopes => each(self.temporaries.handles(), describer),
            Group::Kept => self.kept.alive().for_each(|handles| each(handles, describer)),
            Group::Finalization => each(self.kept.registry().as_slice(), describer),
        }
    }
}

fn each(handles: &[AnyGc], describer: &mut Describer<'_>) {
    handles.iter().enumerate().for_each(|(at, handle)| describer.element(at, handle));
}
