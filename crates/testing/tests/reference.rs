//! Random programs on a heap and on the naive model of it, in every mode.

use proptest::prelude::*;
use proptest::test_runner::Config;
use tumulus_testing::panic_message;
use tumulus_testing::reference::{Machine, Step, decode};
use tumulus_testing::zeal::Mode;

fn modes() -> Vec<Mode> {
    Mode::all().filter(|mode| mode.frees()).collect()
}

fn cases() -> Config {
    let default = if cfg!(miri) { 2 } else { 200 };
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn heap_and_model_agree(bytes in prop::collection::vec(any::<u8>(), 0..600), which in any::<prop::sample::Index>()) {
        let mut machine = Machine::new(which.get(&modes()).builder());
        machine.run(&decode(&bytes));
        machine.finish();
    }
}

#[test]
fn each_kind_of_step_comes_out_of_some_bytes() {
    let bytes: Vec<u8> = (0..26).flat_map(|code| [code, 1, 1, 1]).collect();
    let kinds: std::collections::HashSet<_> = (0..26).map(|code| std::mem::discriminant(&decode(&[code])[0])).collect();
    assert_eq!(kinds.len(), 22);
    for mode in modes() {
        let mut machine = Machine::new(mode.builder());
        machine.run(&decode(&bytes));
        assert!(machine.steps() > 26);
        machine.finish();
    }
}

/// A heap that frees nothing does what the model says is wrong: so the comparison can fail.
#[test]
fn a_heap_that_does_not_collect_is_found_out() {
    let mode = Mode::all().find(|mode| !mode.frees()).unwrap();
    for (steps, words) in [
        (&[Step::New, Step::Pop, Step::Collect][..], "0 should have been freed"),
        (
            &[Step::New, Step::MakeBuffer { of: 0, bytes: 9 }, Step::MakeBuffer { of: 0, bytes: 9 }, Step::Collect],
            "alive",
        ),
    ] {
        let said = panic_message(|| Machine::new(mode.builder()).run(steps)).unwrap();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn values_of_tables_live_with_their_keys() {
    let (table, key, value) = (0, 1, 2);
    let steps = [
        Step::New,
        Step::New,
        Step::New,
        Step::Insert { table, key, value },
        Step::Weaken(value),
        Step::Root(key),
        Step::MakeBuffer { of: value, bytes: 99 },
        Step::Pop,
        Step::Pop,
        Step::Collect, // the root keeps the key, the table the value
        Step::Write { of: value, at: 3, value: 7 },
        Step::Unroot(0),
        Step::CollectMinor,
        Step::Collect,
    ];
    for mode in modes() {
        let mut machine = Machine::new(mode.builder());
        machine.run(&steps);
        machine.finish();
    }
}

/// As many steps as `TUMULUS_MODEL_STEPS` says, over all modes in turn. `scripts/model` runs it.
#[test]
#[ignore = "takes minutes; scripts/model runs it"]
fn many_steps() {
    let wanted = std::env::var("TUMULUS_MODEL_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let (mut steps, mut programs) = (0_u64, 0_u64);
    let mut random = fastrand::Rng::with_seed(1);
    while steps < wanted {
        let modes = modes();
        let mode = modes[programs as usize % modes.len()];
        let bytes: Vec<u8> = (0..2000).map(|_| random.u8(..)).collect();
        let program = decode(&bytes);
        let run = || {
            let mut machine = Machine::new(mode.builder());
            machine.run(&program);
            machine.finish();
        };
        if let Some(words) = panic_message(run) {
            panic!("program {programs} in mode {:?}: {words}\n{program:?}", mode.name());
        }
        programs += 1;
        steps += program.len() as u64;
    }
    println!("model: {steps} steps of {programs} programs in {} modes, 0 divergences", modes().len());
}
