//! The Lisp: `lisp FILE` runs a file, `lisp` alone reads from the terminal.

use std::io::{Write, stdin, stdout};
use tumulus_examples::lisp::{Error, Lisp};
use tumulus_heap::Heap;

/// What the guest may use half of.
const STACK: usize = 256 << 20;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn main() {
    let main = std::thread::Builder::new().stack_size(STACK).spawn(run).expect("the system has room for a stack");
    if let Err(error) = main.join().expect("it does not panic") {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Outcome {
    let mut lisp = Lisp::new(Heap::builder().limit(1 << 30));
    lisp.state.max_stack = STACK / 2;
    if let Some(path) = std::env::args().nth(1) { run_file(&mut lisp, &path) } else { repl(&mut lisp) }
}

fn run_file(lisp: &mut Lisp, path: &str) -> Outcome {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let outcome = lisp.run(&text);
    print!("{}", lisp.state.output);
    outcome.map(drop).map_err(|error| format!("{path}: {error}").into())
}

fn repl(lisp: &mut Lisp) -> Outcome {
    let mut text = String::new();
    loop {
        print!("{}", if text.is_empty() { "> " } else { "  " });
        stdout().flush()?;
        if stdin().read_line(&mut text)? == 0 {
            return Ok(());
        }
        let shown = match lisp.run(&text) {
            Err(Error::Incomplete(_)) => continue,
            Ok(value) => lisp.show(value),
            Err(error) => error.to_string(),
        };
        println!("{}{shown}", std::mem::take(&mut lisp.state.output));
        text.clear();
    }
}
