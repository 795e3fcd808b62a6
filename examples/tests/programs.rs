//! The programs that come with the interpreters do what they say.

use std::process::Command;

/// What a program prints that ends well.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().expect("it was built with the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

#[track_caller]
fn expect(program: &str, file: &str, expected: &str) {
    let path = format!("{}/programs/{file}", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(output(Command::new(program).arg(path)), expected);
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

#[test]
fn the_leak_is_found_by_its_path() {
    let text = output(&mut Command::new(env!("CARGO_BIN_EXE_leak")));
    assert!(text.contains("alive after 100 visits: 302, after 200: 602"), "{text}");
    assert!(text.contains("Session     100 new, 0 gone"), "{text}");
    assert!(text.contains("one of them: (root).rooms[0] -> Room.listeners[50].session -> Session"), "{text}");
    assert!(text.contains("with that mended: 2, and 2"), "{text}");
}

#[test]
fn what_was_lent_comes_back() {
    let text = output(&mut Command::new(env!("CARGO_BIN_EXE_lending")));
    assert!(text.contains("painted with 30; references to the frame: 1"), "{text}");
    assert!(text.contains("the view that the guest has kept: 0 elements, None"), "{text}");
    assert!(text.contains("the encoder's checksum: 32640"), "{text}");
    assert!(text.ends_with("held from outside at the end: 0 bytes\n"), "{text}");
}

#[test]
fn threads_share_bytes_and_no_heap() {
    for _ in 0..5 {
        let text = output(&mut Command::new(env!("CARGO_BIN_EXE_threads")));
        assert!(text.contains("primes up to 1000: 168"), "{text}");
        assert!(text.contains("12 jobs by 3 workers; references to the memory: 2"), "{text}");
    }
}
