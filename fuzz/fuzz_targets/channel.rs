//! A channel against a queue. The model is in `zokio-sync`, `mpsc/fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zokio_sync::mpsc::fuzz::run(bytes));
