//! Layer 2 of Zokio: time. Timer wheels, `sleep`, `timeout`, `interval`, and a clock that tests can
//! stop.
//!
//! # How it hangs together
//!
//! - [`Instant`] asks the clock of the runtime that the thread is inside of.
//! - A [`TimerHandle`] has one *shard* for each worker: a wheel of deadlines (`wheel/`) behind a lock
//!   that hardly anybody else takes (`shard.rs`).
//! - [`Sleep`], [`Timeout`] and [`Interval`] hold a `Timer` (`timer.rs`): a deadline, the shard of the
//!   worker on which they were made, and, once polled, the key of an entry in its wheel. The entry
//!   lives in the wheel, never in the future: a future that is dropped before it is polled has
//!   touched nothing.
//! - This crate does no waiting of its own. The runtime asks each worker's shard how long the
//!   worker may wait ([`TimerHandle::begin_wait`]) and afterwards has it wake what is due
//!   ([`TimerHandle::process`]).
//!
//! # A worker's turn
//!
//! ```text
//! loop {
//!     run tasks; every so often: driver.poll(), timers.process(worker, clock.now(), sink)
//!     nothing to run:
//!         if the clock is paused: driver.poll(); if still nothing to run and timers.jump_to_next():
//!             process, go on
//!         limit = timers.begin_wait(worker)      // from here on, earlier timers of others unpark
//!         driver.park(limit)
//!         timers.process(worker, clock.now(), sink)   // ends the wait
//! }
//! ```
//!
//! Invariants across files:
//!
//! 1. An entry is inserted, moved, cancelled and fired under its shard's lock; whoever takes it out of
//!    the wheel takes its waker, so it fires once or is cancelled once.
//! 2. No waker is cloned, woken or dropped under a shard's lock: all three may run foreign code.
//! 3. Deadlines count nanoseconds since the handle was made. While the clock is paused a new
//!    deadline is rounded up to whole milliseconds since the pause.

#![deny(unsafe_code)]

pub mod error;
mod handle;
mod instant;
mod interval;
#[cfg(all(test, not(zokio_model)))]
mod mock;
#[cfg(all(test, zokio_loom))]
mod model;
mod pause;
mod shard;
mod sleep;
#[cfg(all(test, not(zokio_model)))]
mod tests;
mod timeout;
mod timer;
mod wheel;

// The fuzzer's door.
#[cfg(all(any(feature = "fuzz", test), not(zokio_model)))]
#[doc(hidden)]
pub use wheel::fuzz;

pub use handle::{TIMER_FLOOR, TimerHandle};
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use pause::{advance, pause, resume};
pub use sleep::{Sleep, sleep, sleep_until};
pub use std::time::Duration;
pub use timeout::{Timeout, timeout, timeout_at};
