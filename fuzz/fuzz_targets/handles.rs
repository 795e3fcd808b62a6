//! See `tests/src/fuzz/handles.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tumulus_tests::fuzz::run("handles", bytes));
