//! Runs the code in the documents, a test for each block.
//!
//! Only rustdoc sees this module, when it looks for tests.

macro_rules! chapters {
    ($($name:ident: $path:literal),* $(,)?) => {$(
        #[doc = include_str!(concat!("../../", $path))]
        mod $name {}
    )*};
}

chapters! {
    readme: "README.md",
    introduction: "docs/src/introduction.md",
    quick_start: "docs/src/quick-start.md",
    the_one_rule: "docs/src/the-one-rule.md",
    rooting: "docs/src/rooting.md",
    pauses: "docs/src/pauses.md",
    statistics: "docs/src/statistics.md",
    snapshots: "docs/src/snapshots.md",
    simulator: "docs/src/simulator.md",
    traces: "docs/src/traces.md",
    writing: "docs/src/writing.md",
    strings_and_slices: "docs/src/strings-and-slices.md",
    native_functions: "docs/src/native-functions.md",
    weak: "docs/src/weak.md",
    array_buffers: "docs/src/array-buffers.md",
    lending: "docs/src/lending.md",
    leaks: "docs/src/leaks.md",
    backing_stores: "docs/src/backing-stores.md",
    wrong_programs: "docs/src/wrong-programs.md",
    limits: "docs/src/limits.md",
    zeal: "docs/src/zeal.md",
    testing_an_interpreter: "docs/src/testing-an-interpreter.md",
    porting: "docs/src/porting.md",
    testing: "docs/src/testing.md",
    collections: "docs/src/collections.md",
    memory_layout: "docs/src/memory-layout.md",
    design: "docs/src/design.md",
    soundness: "docs/src/soundness.md",
    benchmarks: "docs/src/benchmarks.md",
    faq: "docs/src/faq.md",
}
