//! What the tests of both interpreters share.

/// A number of turns: fewer of them where every safepoint collects.
pub fn turns(usually: usize, under_zeal: usize) -> usize {
    let zeal = std::env::var("TUMULUS_ZEAL").unwrap_or_default();
    if zeal.is_empty() || zeal == "none" { usually } else { under_zeal }
}

/// An interpreter, as these tests see it.
pub trait Interpreter {
    /// The value of a program as text, or that of its error.
    fn evaluate(&mut self, program: &str) -> Result<String, String>;
}

impl Interpreter for tumulus_examples::lisp::Lisp {
    fn evaluate(&mut self, program: &str) -> Result<String, String> {
        self.run(program).map(|value| self.show(value)).map_err(|error| error.to_string())
    }
}

impl Interpreter for tumulus_examples::script::Machine {
    fn evaluate(&mut self, program: &str) -> Result<String, String> {
        self.run(program).map(|value| self.show(value)).map_err(|error| error.to_string())
    }
}

/// Runs a program, and wants this value.
#[track_caller]
pub fn expect(interpreter: &mut impl Interpreter, program: &str, shown: &str) {
    assert_eq!(interpreter.evaluate(program).as_deref(), Ok(shown), "{program}");
}

/// Runs a program, and wants an error with this text in it.
#[track_caller]
pub fn expect_error(interpreter: &mut impl Interpreter, program: &str, text: &str) {
    let error = interpreter.evaluate(program).expect_err("it should have failed");
    assert!(error.contains(text), "{error}");
}
