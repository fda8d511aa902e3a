//! Layer 2 of Zokio: who runs which task where.
//!
//! Public surface, used by `zokio-runtime` only:
//!
//! - [`Scheduler`]: [`multi_thread`](Scheduler::multi_thread) and
//!   [`current_thread`](Scheduler::current_thread) make one, [`start`](Scheduler::start) starts the
//!   workers, [`block_on`](Scheduler::block_on) and [`run_until_idle`](Scheduler::run_until_idle)
//!   drive a current-thread scheduler,
//!   [`begin_shutdown`](Scheduler::begin_shutdown) and
//!   [`wait_shutdown`](Scheduler::wait_shutdown) end it, [`metrics`](Scheduler::metrics) and
//!   [`worker_metrics`](Scheduler::worker_metrics) show what it did.
//! - [`Spawner`]: spawns tasks; knows nothing of the scheduler's types.
//! - [`Worker`] and [`Step`]: the loop, for whoever runs it by hand.
//! - [`block_in_place`].
//! - [`Policy`], [`ThreadHost`]: what the runtime supplies, beside a
//!   [`Park`](zokio_base::park::Park) for each worker.
//!
//! How it works, from the inside out:
//!
//! - `local_queue`: the ring of one worker; `lifo_slot`; `inject`: the inboxes, which take what
//!   comes from outside and what does not fit the ring.
//! - `core`: a worker's queues, driver and counters, which can be detached from its thread;
//!   `handoff`: who holds a core, and how it changes hands.
//! - `idle`: who sleeps, who searches, whom to wake.
//! - `shared`: where a woken task goes; `worker`: the loop.
//! - `monitor`: finds tasks that block their thread, and has another thread go on with the core;
//!   `detached`: the threads that lost theirs; `bell`: what wakes the monitor.
//! - `observe`: what is measured around polls; `stats`, `histogram`, `buckets`: how it is counted.
//! - `current_thread`: `block_on` on one core, from several threads.
//!
//! Invariants:
//!
//! 1. A task that is ready is in exactly one queue, and gets its turn however many others there
//!    are: queues are first in, first out, and each is looked at within a bounded number of turns.
//! 2. A core is touched by one thread at a time.
//! 3. Time, random numbers and threads come from `zokio-base` and the given
//!    [`ThreadHost`] only, so equal seeds give equal runs when a caller steps the workers.

#![deny(unsafe_code)]

mod bell;
mod block_in_place;
mod buckets;
mod core;
mod current_thread;
mod detached;
// The fuzzer's door.
#[cfg(all(any(feature = "fuzz", test), not(zokio_model)))]
#[doc(hidden)]
pub mod fuzz;
mod handoff;
mod histogram;
mod idle;
mod inject;
mod lifo_slot;
mod local_queue;
mod monitor;
mod observe;
mod policy;
mod scheduler;
mod shared;
mod spawner;
mod stats;
mod sys;
#[cfg(all(test, not(zokio_model)))]
mod tests;
mod worker;

pub use block_in_place::block_in_place;
pub use buckets::{Buckets, LogBuckets, PRECISION_MAX};
pub use policy::{
    DETACHED_MAX, DRIVER_INTERVAL, DefaultPolicy, INJECT_INTERVAL, Policy, STALL_THRESHOLD,
    StallReport, TaskMeta, ThreadHost,
};
pub use scheduler::{Containment, Scheduler};
pub use spawner::Spawner;
pub use stats::{SchedulerMetrics, WorkerMetrics};
pub use worker::{Entered, Step, Worker};
