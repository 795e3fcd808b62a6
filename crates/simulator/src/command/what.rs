//! The arguments that say what is run: those of `run`, `compare`, and others that run something.

use super::Failure;
use crate::options::HeapOptions;
use crate::settings::Settings;
use crate::workloads::Value;
use clap::Args;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is run, by flags, by a file, or both.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct What {
    /// A workload that is built in (see `tumulus workloads`), or a trace [default: the config's, or else requests]
    pub(super) workload: Option<String>,
    /// A file of TOML with settings; - for standard input. Flags go before it
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets a parameter of the workload; can be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// What random numbers begin with [default: 1]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Stops the workload after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time_limit: Option<f64>,
    #[command(flatten)]
    heap: HeapOptions,
}

impl What {
    /// The settings, the flags before the file.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let value = |text: &String| {
            let count = text.parse().map(Value::Count).ok();
            count.unwrap_or_else(|| Value::Word(text.clone()))
        };
        let flags = Settings {
            workload: self.workload.clone(),
            seed: self.seed,
            time_limit: self.time_limit,
            parameters: self.set.iter().map(|(name, text)| (name.clone(), value(text))).collect(),
            heap: self.heap.clone(),
        };
        let Some(path) = &self.config else { return Ok(flags) };
        let text = read_text(path)?;
        let file = toml::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        Ok(flags.or(file))
    }
}

/// The text of a file, or of standard input if it is `-`.
fn read_text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    }
    .map_err(Failure::at(path))?;
    Ok(text)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write name=value")?;
    Ok((name.into(), value.into()))
}

fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number of seconds")?;
    std::time::Duration::try_from_secs_f64(number).map(|_| number).map_err(|error| error.to_string())
}
