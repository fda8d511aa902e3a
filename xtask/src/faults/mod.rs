//! `cargo xtask faults`: what the library does when a system call fails, for each call and error.
//!
//! A small program (`stress/src/faulted.rs`) does everything that asks the system for something, and is
//! traced. A first run counts its calls. Then each listed call is refused, with each error that is plausible
//! for it (`calls.rs`), at its first, second, middle and last occurrence; then pairs of them at random.
//! Operations may fail. A run is bad if the program hangs, panics, is killed, holds descriptors at its end,
//! or reads other bytes than those that were reported as written.
//!
//! `--quick` refuses each call once with each error, and some pairs. `--seed N` and `--pairs N` choose the
//! pairs; `--only CALL` chooses a call. Fails, too, if a listed call was never reached.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod calls;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod plan;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod tracer;

/// Elsewhere there is no tracer.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub(crate) fn run(_args: &[String]) -> crate::Outcome {
    println!("faults: does not run here: it traces on Linux, x86-64 and aarch64");
    Ok(())
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) use plan::run;
