//! Programs on a heap, beside the reference model.

use tumulus_testing::reference::Program;

/// So long may a program be: the model searches all of its objects at each collection.
const LONGEST: usize = 400;

pub(super) fn run(bytes: &[u8]) {
    if let Some(mut program) = super::read::<Program>(bytes) {
        program.steps.truncate(LONGEST);
        program.run();
    }
}
