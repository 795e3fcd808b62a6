//! The parent: starts a child for each measurement, in rounds interleaved over the contestants, and checks that all
//! of them computed the same.

use std::env;
use std::process::{Command, Stdio};

use fastrand::Rng;

use crate::allocator;
use crate::command::CHILD;
use crate::suite::{Checked, Contestant, Entry, OURS, Suite, name_of};

/// Who is measured, how often, and how large.
#[derive(Debug)]
pub struct Plan<S: Suite> {
    /// The contestants, in the order of the report.
    pub contestants: Vec<&'static Contestant<S>>,
    /// How many times each is run.
    pub rounds: u32,
    /// What the sizes are multiplied by.
    pub scale: f64,
}

/// What came of one workload.
#[derive(Debug)]
pub struct Outcome<S: Suite> {
    /// The workload.
    pub workload: S::Workload,
    /// What the sizes were multiplied by.
    pub scale: f64,
    /// The measurements of each contestant that took part, at least one each.
    pub results: Vec<(&'static str, Vec<S::Measurement>)>,
    /// Who took no part, and why.
    pub absent: Vec<(&'static str, &'static str)>,
    /// What went wrong: children that failed, and checksums that differ.
    pub errors: Vec<String>,
}

/// Measures a workload as planned. Progress goes to standard error.
pub fn run<S: Suite>(workload: S::Workload, plan: &Plan<S>) -> Outcome<S> {
    let mut outcome =
        Outcome { workload, scale: plan.scale, results: Vec::new(), absent: Vec::new(), errors: Vec::new() };
    let mut runners = Vec::new();
    for &contestant in &plan.contestants {
        match (contestant.entry)(workload) {
            Entry::Runs(_) => runners.push((contestant, plan.rounds, Vec::new())),
            Entry::Once(_) => runners.push((contestant, 1, Vec::new())),
            Entry::Absent(reason) => outcome.absent.push((contestant.name, reason)),
        }
    }
    for round in 0..plan.rounds {
        for place in order(runners.len(), round) {
            let (contestant, rounds, measurements) = &mut runners[place];
            if round >= *rounds {
                continue;
            }
            eprintln!("{}, round {} of {}: {}", name_of(workload), round + 1, plan.rounds, contestant.name);
            match measure(contestant, workload, plan.scale) {
                Ok(measurement) => measurements.push(measurement),
                Err(error) => {
                    // What failed once is not tried again: it may have taken minutes.
                    *rounds = 0;
                    outcome.errors.push(format!("{}: {error}", contestant.name));
                }
            }
        }
    }
    runners.retain(|(_, _, measurements)| !measurements.is_empty());
    outcome.results =
        runners.into_iter().map(|(contestant, _, measurements)| (contestant.name, measurements)).collect();
    outcome.errors.extend(check(&outcome.results));
    outcome
}

/// The order of the contestants in a round: another in each, so that nobody always follows the same one.
///
/// A process that comes after a large one was seen to take up to twice its usual CPU time.
fn order(contestants: usize, round: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..contestants).collect();
    Rng::with_seed(u64::from(round)).shuffle(&mut order);
    order
}

/// One measurement, in as many child processes as the contestant has passes.
fn measure<S: Suite>(contestant: &Contestant<S>, workload: S::Workload, scale: f64) -> Result<S::Measurement, String> {
    let passes = (0..contestant.passes).map(|pass| measure_pass(contestant, workload, scale, pass));
    S::join(passes.collect::<Result<_, _>>()?)
}

/// One pass, in a child process on the contestant's allocator.
fn measure_pass<S: Suite>(
    contestant: &Contestant<S>,
    workload: S::Workload,
    scale: f64,
    pass: u32,
) -> Result<S::Measurement, String> {
    let program = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let output = Command::new(program)
        .args([CHILD, contestant.name, &name_of(workload), &scale.to_string(), &pass.to_string()])
        .env(allocator::VARIABLE, contestant.allocator.name())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start a child: {error}"))?;
    if !output.status.success() {
        return Err(format!("the child failed with {}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("the child printed no measurement: {error}"))
}

/// A complaint about each contestant whose checksums are not those of the reference.
fn check<M: Checked>(results: &[(&'static str, Vec<M>)]) -> Vec<String> {
    let reference = results.iter().find(|(name, _)| *name != OURS).or(results.first());
    let Some((reference_name, expected)) = reference.map(|(name, measurements)| (name, measurements[0].checksum()))
    else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    for (name, measurements) in results {
        if let Some(wrong) = measurements.iter().find(|measurement| measurement.checksum() != expected) {
            let found = wrong.checksum();
            complaints.push(format!("{name}: checksum {found}, but {reference_name} has {expected}"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum(u64);

    impl Checked for Sum {
        fn checksum(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn each_round_has_all_contestants_in_an_order_of_its_own() {
        let orders: Vec<Vec<usize>> = (0..3).map(|round| order(10, round)).collect();
        assert_ne!(orders[0], orders[1]);
        assert_ne!(orders[1], orders[2]);
        for mut order in orders {
            order.sort_unstable();
            assert_eq!(order, (0..10).collect::<Vec<usize>>());
        }
    }

    #[test]
    fn a_checksum_that_differs_in_any_round_is_an_error() {
        let good = || ("box", vec![Sum(1), Sum(1)]);
        assert_eq!(check(&[(OURS, vec![Sum(1)]), good()]), Vec::<String>::new());
        assert_eq!(check(&[(OURS, vec![Sum(1), Sum(2)]), good()]), ["ours: checksum 2, but box has 1"]);
    }
}
