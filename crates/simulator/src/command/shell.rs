//! `tumulus completions` and `tumulus man`: for shells, and for who packages the program.

use super::output::{Output, create};
use super::{Cli, Code, Failure};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;

/// The arguments of `completions`.
#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// The arguments of `man`.
#[derive(Args, Debug)]
pub(super) struct Man {
    /// Writes a page for the program and one for each command into a folder
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn completions(arguments: &Completions, out: &mut Output) -> Result<Code, Failure> {
    // Into a text first: the generator would panic where nobody reads.
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "tumulus", &mut text);
    out.write_all(&text)?;
    Ok(Code::Done)
}

pub(super) fn man(arguments: &Man, out: &mut Output) -> Result<Code, Failure> {
    let Some(folder) = &arguments.folder else {
        clap_mangen::Man::new(Cli::command()).render(out)?;
        return Ok(Code::Done);
    };
    std::fs::create_dir_all(folder).map_err(Failure::at(folder))?;
    let mut all = Cli::command().disable_help_subcommand(true);
    all.build();
    for (name, command) in pages(&all) {
        let path = folder.join(format!("{name}.1"));
        let mut file = create(&path)?;
        let page = clap_mangen::Man::new(command.display_name(&name));
        page.render(&mut file).and_then(|()| file.flush()).map_err(Failure::at(&path))?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(Code::Done)
}

/// The names of pages and what is on them: the program, and each command, and the commands of commands.
fn pages(program: &clap::Command) -> Vec<(String, clap::Command)> {
    let mut pages = vec![("tumulus".to_string(), program.clone())];
    let mut at = 0;
    while let Some((name, command)) = pages.get(at) {
        let below = command.get_subcommands().map(|below| (format!("{name}-{}", below.get_name()), below.clone()));
        let below: Vec<_> = below.collect();
        pages.extend(below);
        at += 1;
    }
    pages
}
