//! The stress program: `zokio-stress [--seconds N] [--seed N] [--workers N] [--no-sockets]`.
//!
//! Runs storms of two seconds until the time is over, each with the next seed.
//!
//! `zokio-stress --endings [--seconds N] [--seed N]` builds and ends short runtimes instead.
//!
//! `zokio-stress --faults WORKERS` does each thing once, for `cargo xtask faults`.
//!
//! `zokio-stress --soak [--seconds N] [--seed N]` is the soak instead, half of the time with a ring and
//! half without: five minutes, unless told otherwise here or by `ZOKIO_SOAK_SECONDS`.

#![allow(
    clippy::disallowed_methods,
    reason = "a test program, outside of the runtime"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use zokio_stress::{Options, storm};

fn main() -> ExitCode {
    let (mut seconds, mut seed, mut workers, mut sockets) = (None, 1u64, 4u64, true);
    let (mut is_soak, mut is_endings) = (false, false);
    #[cfg(target_os = "linux")]
    if let Some(ending) = run_faulted() {
        return ending;
    }
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let target = match arg.as_str() {
            "--seconds" => seconds.insert(0),
            "--soak" => {
                is_soak = true;
                continue;
            }
            "--endings" => {
                is_endings = true;
                continue;
            }
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
    if is_soak {
        return run_soak(seconds, seed);
    }
    let seconds = seconds.unwrap_or(10);
    if is_endings {
        let sum = zokio_stress::endings::endings(seed, Duration::from_secs(seconds));
        println!("seed {seed}: {sum:?}");
        return ExitCode::SUCCESS;
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

/// `--faults WORKERS`, if that is what is asked for.
#[cfg(target_os = "linux")]
fn run_faulted() -> Option<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [option, workers] if option == "--faults" => {
            let workers = workers.parse().expect("a number of workers");
            Some(zokio_stress::faulted::run(workers))
        }
        _ => None,
    }
}

/// How many samples a soak takes.
#[cfg(target_os = "linux")]
const SAMPLES: u32 = 60;

#[cfg(target_os = "linux")]
fn run_soak(seconds: Option<u64>, seed: u64) -> ExitCode {
    use zokio::runtime::IoMode;
    use zokio_stress::soak::{Soak, soak};

    let said = std::env::var("ZOKIO_SOAK_SECONDS").ok();
    let said = said.map(|word| word.parse().expect("ZOKIO_SOAK_SECONDS is a number"));
    let seconds = seconds.or(said).unwrap_or(300);
    for mode in [IoMode::Auto, IoMode::Epoll] {
        println!("{mode:?}, {} seconds", seconds / 2);
        soak(Soak {
            seed,
            time: Duration::from_secs(seconds) / 2,
            samples: SAMPLES,
            mode,
        });
    }
    ExitCode::SUCCESS
}

#[cfg(not(target_os = "linux"))]
fn run_soak(_seconds: Option<u64>, _seed: u64) -> ExitCode {
    eprintln!("zokio-stress: the soak counts what Linux says of a process");
    ExitCode::from(2)
}
