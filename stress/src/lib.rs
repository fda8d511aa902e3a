//! Programs that put the runtime under stress and check that their books balance.
//!
//! - [`storm`](mod@storm): real threads, real sockets, the public API, a bounded time.
//! - `schedules`, under `--cfg shuttle`: the scheduler under many random schedules of a smaller
//!   program, one thread at a time, so that a failure can be replayed.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "test programs: real time and real threads are what they are about"
)]

#[cfg(not(shuttle))]
mod blocking;
#[cfg(not(shuttle))]
mod families;
#[cfg(all(test, shuttle))]
mod schedules;
#[cfg(not(shuttle))]
pub mod storm;

#[cfg(not(shuttle))]
pub use storm::{Guard, Ledger, Options, storm};
