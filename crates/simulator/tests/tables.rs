//! What tables look like. The figures are those of runs that were written down once; that they are read is also the test that
//! figures of today can be read tomorrow.
//!
//! After a change that is wanted: `INSTA_UPDATE=always cargo test -p tumulus-simulator --test tables`, and a look at what it has
//! changed.

use tumulus_simulator::compare::Comparison;
use tumulus_simulator::{Outcome, show};

fn without_colours(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn the_table_of_a_run() {
    let outcome: Outcome = serde_json::from_str(include_str!("data/outcome.json")).expect("an outcome");
    insta::assert_snapshot!(without_colours(&show::table::of(&outcome)));
}

#[test]
fn the_tables_of_a_comparison() {
    let comparison: Comparison = serde_json::from_str(include_str!("data/comparison.json")).expect("a comparison");
    insta::assert_snapshot!(without_colours(&show::comparison::of(&comparison)));
}

#[test]
fn a_run_that_did_nothing_has_a_table() {
    let text = include_str!("data/outcome.json");
    let mut outcome: Outcome = serde_json::from_str(text).expect("an outcome");
    outcome.operations = 0;
    outcome.curve.clear();
    outcome.totals.clear();
    outcome.utilisation.clear();
    outcome.pauses = tumulus_simulator::outcome::Pauses::default();
    outcome.time = tumulus_simulator::outcome::Time::default();
    let table = without_colours(&show::table::of(&outcome));
    assert!(table.contains("There were no pauses.") && table.contains("There were no collections."), "{table}");
    assert!(!table.contains("NaN") && !table.contains("inf"), "{table}");
}
