//! The run queues against naive ones. The model is in `zokio-sched`, `fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zokio_sched::fuzz::run(bytes));
