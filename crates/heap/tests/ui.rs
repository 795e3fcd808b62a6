//! What must not compile does not, and the message says what to do.
//!
//! The one program that must compile is here so that the others are built to the end: what is wrong with a `Cell` of a
//! handle is only noticed when code is generated.

#[test]
fn what_must_not_compile() {
    let tests = trybuild::TestCases::new();
    tests.pass("tests/ui/a_right_program.rs");
    tests.compile_fail("tests/ui/not_*.rs");
}
