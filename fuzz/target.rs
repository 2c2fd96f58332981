//! Every target: the name of the program says which body runs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nunu_ci::fuzzing::run(env!("CARGO_BIN_NAME"), data));
