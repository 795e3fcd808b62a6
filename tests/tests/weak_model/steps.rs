//! The steps that a program is made of.

use proptest::prelude::*;
use tumulus_tests::scaled;

/// One step of a program. Numbers pick among what there is, by the remainder.
#[derive(Clone, Debug)]
pub enum Step {
    Node {
        edges: Vec<usize>,
    },
    Map,
    Registry,
    Link {
        from: usize,
        to: usize,
    },
    Unlink {
        from: usize,
    },
    Insert {
        map: usize,
        key: usize,
        edges: Vec<usize>,
    },
    /// Makes as many keys, each of them the value of the one before; `reversed` inserts the last one first.
    Chain {
        map: usize,
        first: usize,
        len: usize,
        reversed: bool,
    },
    Remove {
        map: usize,
        key: usize,
    },
    Change {
        map: usize,
        key: usize,
        to: usize,
    },
    Shrink {
        map: usize,
    },
    Clear {
        map: usize,
    },
    Forget {
        count: usize,
    },
    Downgrade {
        of: usize,
    },
    Upgrade {
        which: usize,
        keep: bool,
    },
    MakeRef {
        of: usize,
    },
    Deref {
        which: usize,
    },
    EndOfJob,
    Register {
        registry: usize,
        target: usize,
        edges: Vec<usize>,
        token: Option<usize>,
    },
    Unregister {
        registry: usize,
        token: usize,
    },
    TakeDead {
        registry: usize,
    },
    OnDeath {
        of: usize,
    },
    Collect,
    CollectMinor,
    StartMajor,
    Safepoint,
    Slice {
        units: u64,
    },
}

pub fn step() -> impl Strategy<Value = Step> {
    let n = any::<usize>;
    let edges = || prop::collection::vec(any::<usize>(), 0..3);
    prop_oneof![
        8 => edges().prop_map(|edges| Step::Node { edges }),
        3 => Just(Step::Map),
        1 => Just(Step::Registry),
        4 => (n(), n()).prop_map(|(from, to)| Step::Link { from, to }),
        2 => n().prop_map(|from| Step::Unlink { from }),
        14 => (n(), n(), edges()).prop_map(|(map, key, edges)| Step::Insert { map, key, edges }),
        1 => (n(), n(), 1..scaled(30, 10), any::<bool>())
            .prop_map(|(map, first, len, reversed)| Step::Chain { map, first, len, reversed }),
        2 => (n(), n()).prop_map(|(map, key)| Step::Remove { map, key }),
        3 => (n(), n(), n()).prop_map(|(map, key, to)| Step::Change { map, key, to }),
        1 => n().prop_map(|map| Step::Shrink { map }),
        1 => n().prop_map(|map| Step::Clear { map }),
        6 => (1..6_usize).prop_map(|count| Step::Forget { count }),
        4 => n().prop_map(|of| Step::Downgrade { of }),
        3 => (n(), any::<bool>()).prop_map(|(which, keep)| Step::Upgrade { which, keep }),
        2 => n().prop_map(|of| Step::MakeRef { of }),
        2 => n().prop_map(|which| Step::Deref { which }),
        2 => Just(Step::EndOfJob),
        4 => (n(), n(), edges(), prop::option::of(n()))
            .prop_map(|(registry, target, edges, token)| Step::Register { registry, target, edges, token }),
        2 => (n(), n()).prop_map(|(registry, token)| Step::Unregister { registry, token }),
        2 => n().prop_map(|registry| Step::TakeDead { registry }),
        2 => n().prop_map(|of| Step::OnDeath { of }),
        2 => Just(Step::Collect),
        4 => Just(Step::CollectMinor),
        2 => Just(Step::StartMajor),
        3 => Just(Step::Safepoint),
        10 => (1..40_u64).prop_map(|units| Step::Slice { units }),
    ]
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..scaled(60, 12))
}
