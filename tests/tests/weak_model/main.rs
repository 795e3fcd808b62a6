//! Programs made at random, run beside a naive model of what is weak: objects and ephemeron maps that refer to each other in
//! every way, weak handles, jobs, registries, and collections of all kinds, whole and in slices.
//!
//! The model follows edges from the roots, and goes over all maps until nothing changes. After a full collection exactly what
//! it reaches is alive; at any time all that it reaches is, a map shows the entries whose keys are alive, and what a
//! registry hands out is dead. Every value is dropped once.

mod check;
mod model;
mod program;
mod steps;

use model::Model;
use proptest::prelude::*;
use proptest::test_runner::Config;
use steps::{Step, steps};
use tumulus_heap::{Budget, Heap, HeapBuilder, Zeal};
use tumulus_tests::cases;

fn run(steps: &[Step], options: HeapBuilder) {
    let mut heap = options.build();
    let mut model = Model::default();
    for step in steps {
        model.run(&mut heap, step);
    }
    heap.collect(&model.roots());
    model.check(&mut heap, true);
    model.stack.clear();
    model.kept.clear();
    heap.end_of_job();
    heap.collect(&());
    model.check(&mut heap, true);
    assert!(model.objects.is_empty() && model.values.is_empty());
    let Model { ledger, .. } = model;
    drop(heap);
    ledger.expect_all_dropped();
}

/// The collectors that a program can choose from, and the zeal that looks at them most closely.
fn options(which: u8) -> HeapBuilder {
    let small = || Heap::builder().nursery(8 << 10).min_heap(32 << 10);
    let zealous = |words: &str| small().zeal(words.parse::<Zeal>().unwrap());
    match which % 6 {
        0 => small(),
        1 => small().nursery(0),
        2 => small().pause_budget(Budget::unlimited()),
        3 => zealous("recheck,verify,poison"),
        4 => zealous("slice=3,recheck,verify"),
        _ => zealous("slice=7,minor,recheck"),
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn what_is_weak_is_as_the_model_says(steps in steps(), which in any::<u8>()) {
        run(&steps, options(which));
    }
}

proptest! {
    #![proptest_config(Config { cases: 100_000, failure_persistence: None, ..Config::default() })]

    /// Some minutes, with optimisations.
    #[test]
    #[ignore = "takes some minutes; `cargo test --release --test weak_model -- --ignored`"]
    fn a_hundred_thousand_programs(steps in steps(), which in any::<u8>()) {
        run(&steps, options(which));
    }
}
