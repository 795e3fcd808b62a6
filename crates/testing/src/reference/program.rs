//! A program with the heap that it is to run on: what a fuzzer makes.

use super::{Machine, Step, decode};
use crate::zeal::Mode;

/// Steps, and the mode of the heap that they are to run on.
///
/// With the feature `arbitrary` a fuzzer can make one, through the crate of that name; [`from_bytes`](Program::from_bytes) reads
/// one without it.
///
/// # Examples
///
/// ```
/// use tumulus_testing::reference::Program;
///
/// let program = Program::from_bytes(b"what a fuzzer has found");
/// assert!(program.run() > 0);
/// ```
///
/// A fuzz target of `cargo fuzz`, whole:
///
/// ```ignore
/// #![no_main]
/// libfuzzer_sys::fuzz_target!(|program: tumulus_testing::reference::Program| {
///     program.run();
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    /// How the heap is set up.
    pub mode: Mode,
    /// What is done with it.
    pub steps: Vec<Step>,
}

impl Program {
    /// Reads any bytes as a program: the first is the mode, the others are [decoded](decode).
    ///
    /// ```
    /// use tumulus_testing::reference::{Program, Step};
    ///
    /// assert_eq!(Program::from_bytes(&[3, 0]).steps, [Step::New]);
    /// assert!(Program::from_bytes(&[]).steps.is_empty());
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Program {
        let (mode, steps) = bytes.split_first().unwrap_or((&0, &[]));
        Program { mode: mode_of(*mode), steps: decode(steps) }
    }

    /// Runs it on a [`Machine`], to its end, and says how many steps that were.
    ///
    /// # Panics
    ///
    /// If heap and model differ.
    ///
    /// ```
    /// use tumulus_testing::reference::{Program, Step};
    /// use tumulus_testing::zeal::Mode;
    ///
    /// let mode = Mode::all().next().unwrap();
    /// assert_eq!(Program { mode, steps: vec![Step::New, Step::Collect] }.run(), 2);
    /// ```
    #[track_caller]
    pub fn run(&self) -> u64 {
        let mut machine = Machine::new(self.mode.builder());
        machine.run(&self.steps);
        let steps = machine.steps();
        machine.finish();
        steps
    }
}

/// One of the modes in which dead objects are freed.
fn mode_of(number: u8) -> Mode {
    let freeing = || Mode::all().filter(|mode| mode.frees());
    freeing().nth(usize::from(number) % freeing().count()).expect("a remainder")
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Program {
    fn arbitrary(bytes: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Program> {
        Ok(Program { mode: Mode::arbitrary(bytes)?, steps: Vec::arbitrary(bytes)? })
    }
}

/// One of the modes in which dead objects are freed.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Mode {
    fn arbitrary(bytes: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Mode> {
        bytes.arbitrary().map(mode_of)
    }
}

#[cfg(all(test, feature = "arbitrary"))]
mod tests {
    use super::*;
    use arbitrary::{Arbitrary, Unstructured};
    use std::collections::BTreeSet;

    #[test]
    fn every_step_and_every_mode_can_be_made() {
        let (mut steps, mut modes) = (BTreeSet::new(), BTreeSet::new());
        let mut state = 1_u64;
        for _ in 0..200 {
            let noise: Vec<u8> = (0..256)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 56) as u8
                })
                .collect();
            let program = Program::arbitrary(&mut Unstructured::new(&noise)).unwrap();
            modes.insert(program.mode.name());
            let name = |step| format!("{step:?}").split([' ', '(']).next().unwrap().to_string();
            steps.extend(program.steps.iter().map(name));
        }
        assert_eq!(modes.len(), Mode::all().count() - 1);
        assert!(steps.len() >= 22, "{steps:?}");
    }
}
