//! The programs that come with the interpreters do what they say.

use std::process::Command;

#[track_caller]
fn expect(program: &str, file: &str, expected: &str) {
    let path = format!("{}/programs/{file}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(program).arg(path).output().expect("it was built with the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn the_lisp_runs_a_file() {
    let primes = "(2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79 83 89 97)\n";
    expect(env!("CARGO_BIN_EXE_lisp"), "primes.lisp", primes);
}

#[test]
fn the_machine_runs_a_file() {
    expect(env!("CARGO_BIN_EXE_script"), "shapes.script", "square: 4\nsquare: 9\nerror: shape has no area\n");
}

#[test]
fn the_lisp_reads_from_the_terminal() {
    use std::io::Write;
    use std::process::Stdio;

    let mut lisp = Command::new(env!("CARGO_BIN_EXE_lisp"));
    let mut child = lisp.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it was built with the tests");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"(define (twice x)\n (* 2 x))\n(car 1)\n(twice 21)\n").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), ">   ()\n> car cannot be used with 1\n> 42\n> ");
}
