//! The Lisp: `lisp FILE` runs a file, `lisp` alone reads from the terminal.

use std::io::{BufRead, Write, stdin, stdout};
use std::process::ExitCode;
use tumulus_examples::lisp::{Error, Lisp, reader};
use tumulus_heap::Heap;

/// Enough for the deepest recursion that the interpreter allows.
const STACK: usize = 256 << 20;

fn main() -> ExitCode {
    let main = std::thread::Builder::new().stack_size(STACK).spawn(|| match std::env::args().nth(1) {
        Some(path) => run_file(&path),
        None => repl(),
    });
    main.expect("the system has room for a stack").join().unwrap_or(ExitCode::FAILURE)
}

fn run_file(path: &str) -> ExitCode {
    let mut lisp = Lisp::new(Heap::builder());
    let outcome = match std::fs::read_to_string(path) {
        Ok(text) => lisp.run(&text).map(drop).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    print!("{}", lisp.take_output());
    if let Err(error) = outcome {
        eprintln!("{path}: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn repl() -> ExitCode {
    let mut lisp = Lisp::new(Heap::builder().limit(1 << 30));
    let mut text = String::new();
    prompt("> ");
    for line in stdin().lock().lines().map_while(Result::ok) {
        text += &line;
        text.push('\n');
        match lisp.run(&text) {
            Err(Error::Syntax(error)) if reader::is_incomplete(&error) => {
                prompt("  ");
                continue;
            }
            Ok(value) => println!("{}{}", lisp.take_output(), lisp.show(value)),
            Err(error) => println!("{}{error}", lisp.take_output()),
        }
        text.clear();
        prompt("> ");
    }
    ExitCode::SUCCESS
}

fn prompt(text: &str) {
    print!("{text}");
    // A terminal that is gone is found out by the next read.
    let _ = stdout().flush();
}
