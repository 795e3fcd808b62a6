//! Help, completions and man pages.

use super::{Folder, printed, read, tumulus};

#[test]
fn help_has_examples_and_the_codes_with_which_the_program_ends() {
    let help = printed(tumulus().arg("--help"));
    for words in ["Examples:", "Exit codes:", "130 ", "NO_COLOR", "compare", "inspect"] {
        assert!(help.contains(words), "{words}: {help}");
    }
    for command in ["run", "compare", "inspect"] {
        assert!(printed(tumulus().args([command, "--help"])).contains("Examples:"), "{command}");
    }
}

#[test]
fn there_are_completions_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(printed(tumulus().args(["completions", shell])).contains("pause-budget"), "{shell}");
    }
}

#[test]
fn there_is_a_man_page_for_the_program_and_for_each_command() {
    let folder = Folder::new("man");
    let files = printed(tumulus().args(["man", "--folder"]).arg(&folder.0));
    assert!(files.lines().count() > 5, "{files}");
    for file in files.lines() {
        assert!(read(file.as_ref()).contains(".TH tumulus"), "{file}");
    }
    assert!(read(&folder.file("tumulus-compare.1")).contains("null\\-limit"));
    assert!(read(&folder.file("tumulus-trace-cut.1")).contains(".TH tumulus"), "commands of commands have pages, too");
    assert_eq!(printed(tumulus().arg("man")).lines().filter(|line| line.starts_with(".TH")).count(), 1);
}
