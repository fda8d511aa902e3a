//! Operations on a ring whose kernel is played. The model is in `zokio-driver`, `uring/fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zokio_driver::uring::fuzz::run(bytes));
