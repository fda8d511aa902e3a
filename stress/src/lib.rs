//! Programs that put the runtime under stress and check that their books balance.
//!
//! - [`storm`](mod@storm): real threads, real sockets, the public API, a bounded time.
//! - [`soak`](mod@soak): a mixed load for minutes or days, during which memory and descriptors stay flat.
//! - [`endings`](mod@endings): short runtimes whose tasks block, each ended at another moment.
//! - `faulted`: what asks the system for anything, for a tracer that refuses it.
//! - `schedules`, under `--cfg shuttle`: the scheduler under many random schedules of a smaller
//!   program, one thread at a time, so that a failure can be replayed.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "test programs: real time and real threads are what they are about"
)]

#[cfg(not(zokio_shuttle))]
mod blocking;
#[cfg(not(zokio_shuttle))]
pub mod endings;
#[cfg(not(zokio_shuttle))]
mod families;
#[cfg(all(not(zokio_shuttle), target_os = "linux"))]
pub mod faulted;
#[cfg(all(test, zokio_shuttle))]
mod schedules;
#[cfg(all(not(zokio_shuttle), target_os = "linux"))]
pub mod soak;
#[cfg(not(zokio_shuttle))]
pub mod storm;

#[cfg(not(zokio_shuttle))]
pub use storm::{Guard, Ledger, Options, storm};
