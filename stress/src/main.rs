//! The stress program: `zokio-stress [--seconds N] [--seed N] [--workers N] [--no-sockets]`.
//!
//! Runs storms of two seconds until the time is over, each with the next seed.

#![allow(
    clippy::disallowed_methods,
    reason = "a test program, outside of the runtime"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use zokio_stress::{Options, storm};

fn main() -> ExitCode {
    let (mut seconds, mut seed, mut workers, mut sockets) = (10u64, 1u64, 4u64, true);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let target = match arg.as_str() {
            "--seconds" => &mut seconds,
            "--seed" => &mut seed,
            "--workers" => &mut workers,
            "--no-sockets" => {
                sockets = false;
                continue;
            }
            other => {
                eprintln!("zokio-stress: no option `{other}`");
                return ExitCode::from(2);
            }
        };
        let Some(value) = args.next().and_then(|text| text.parse().ok()) else {
            eprintln!("zokio-stress: {arg} needs a number");
            return ExitCode::from(2);
        };
        *target = value;
    }
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        let options = Options {
            seed,
            time: Duration::from_secs(2),
            workers: workers as usize,
            sockets,
        };
        let ledger = storm(options);
        println!("seed {seed}: {}", ledger.summary());
        seed += 1;
    }
    ExitCode::SUCCESS
}
