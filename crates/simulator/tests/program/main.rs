//! The program `tumulus`, as somebody at a terminal or in a script sees it.

mod comparing;
mod running;
mod shell;
mod snapshots;
mod traces;

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// The program, with an environment in which nothing is set that it would look at.
fn tumulus() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tumulus"));
    for variable in ["TUMULUS_OPTIONS", "TUMULUS_ZEAL", "NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR"] {
        command.env_remove(variable);
    }
    command
}

/// What a successful command prints.
#[track_caller]
fn printed(command: &mut Command) -> String {
    let assert = command.assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("a text")
}

/// What a command that ends with `code` says on standard error.
#[track_caller]
fn told(command: &mut Command, code: i32) -> String {
    let assert = command.assert().code(code);
    String::from_utf8(assert.get_output().stderr.clone()).expect("a text")
}

/// A folder that is gone at the end of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("tumulus-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}
