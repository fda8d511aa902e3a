//! The timer wheel against an ordered map. The model is in `zokio-time`, `wheel/fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zokio_time::fuzz::run(bytes));
