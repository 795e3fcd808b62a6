#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![allow(clippy::cast_sign_loss, reason = "no figure is below zero")]

pub mod command;
pub mod compare;
mod findings;
pub mod mmu;
pub mod options;
pub mod outcome;
mod recorder;
mod replayed;
pub mod report;
mod run;
pub mod session;
pub mod settings;
pub mod show;
mod subject;
pub mod workloads;

pub use fastrand::Rng as Random;
pub use options::HeapOptions;
pub use outcome::Outcome;
pub use run::{Progress, Setup, USUAL_SAMPLES, Watch, run};
pub use session::{Session, Stop};
pub use settings::Settings;
pub use subject::{Subject, SubjectError};
pub use workloads::Workload;
