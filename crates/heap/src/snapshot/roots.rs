//! The groups of roots, each of which is a node.

use crate::external_roots::ExternalRoot;
use crate::raw::{AnyGc, RootTable};
use crate::scope::Temporaries;
use crate::trace::{Describer, Native, Trace};
use crate::weak::Kept;

/// Where the roots of a heap are, and what the program passed.
pub(super) struct Roots<'r, R: ?Sized> {
    pub(super) table: &'r RootTable,
    pub(super) temporaries: &'r Temporaries,
    pub(super) kept: &'r Kept,
    pub(super) passed: &'r R,
    /// As they were when the snapshot began.
    pub(super) external: Vec<ExternalRoot>,
}

/// A group of roots.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Passed,
    Handles,
    Scopes,
    Kept,
    Finalization,
    External,
}

impl Group {
    pub(super) const ALL: [Group; 6] =
        [Group::Passed, Group::Handles, Group::Scopes, Group::Kept, Group::Finalization, Group::External];

    /// Its name, in V8's way where V8 has such a group.
    pub(super) fn name(self) -> &'static str {
        match self {
            Group::Passed => "(Embedder roots)",
            Group::Handles => "(Global handles)",
            Group::Scopes => "(Handle scopes)",
            Group::Kept => "(Kept alive)",
            Group::Finalization => "(Finalization registry)",
            Group::External => "(External roots)",
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
            Group::External => self.external.iter().for_each(|&root| external(root, describer)),
        }
    }
}

fn external(root: ExternalRoot, describer: &mut Describer<'_>) {
    let ExternalRoot { name, identity, bytes, place } = root;
    describer.native_at(place, Native { name, identity, bytes });
}

fn each(handles: &[AnyGc], describer: &mut Describer<'_>) {
    handles.iter().enumerate().for_each(|(at, handle)| describer.element(at, handle));
}
