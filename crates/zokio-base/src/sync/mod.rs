//! The one door to atomics, cells, locks and threads.
//!
//! Exactly one backing is compiled in: the standard library, loom (`--cfg zokio_loom`) or shuttle
//! (`--cfg zokio_shuttle`). All three offer the same API:
//!
//! - `atomic`: `AtomicBool`, `AtomicU8`, `AtomicU32`, `AtomicU64`, `AtomicUsize`, `AtomicPtr`,
//!   `fence`, `compiler_fence`, `Ordering`;
//! - `UnsafeCell` with `with` and `with_mut`, so that loom sees each access;
//! - `Mutex`, `MutexGuard`, `Condvar` without poisoning: a panic in a critical section is a bug of ours,
//!   and each section restores its invariants before anything in it can panic. There is no `RwLock`:
//!   the standard library's lets a thread that reads wait for a writer that waits for that thread;
//! - `thread`: `spawn`, `Builder`, `JoinHandle`, `yield_now`, `current_id`;
//! - `hint::spin_loop`;
//! - `model`, which runs a closure for each schedule: where there are schedules, and `block_on` in loom's;
//! - `thread_local!`, and `per_thread!`: the same with an initialiser that is `const` and so costs
//!   nothing. Threads of shuttle, which share one thread of the system, each have their own; those
//!   of loom do not.
//!
//! `--cfg zokio_model` stands beside either of the two, for code that does not ask which.
//!
//! `Arc` is the standard library's in every backing, because models need `Arc<dyn Trait>`.
//!
//! Process-wide counters and flags that no model is about use [`std_atomic`], whose constructors
//! are `const`.

#[cfg(zokio_loom)]
#[path = "loom.rs"]
mod imp;
#[cfg(all(zokio_shuttle, not(zokio_loom)))]
#[path = "shuttle.rs"]
mod imp;
#[cfg(not(zokio_model))]
#[path = "std.rs"]
mod imp;

#[cfg(zokio_loom)]
pub use imp::block_on;
#[cfg(zokio_model)]
pub use imp::model;
pub use imp::{
    Condvar, Mutex, MutexGuard, UnsafeCell, atomic, hint, per_thread, thread, thread_local,
};
pub use std::sync::{Arc, OnceLock, Weak};

/// The standard library's atomics, for process-wide statics that lie outside every model.
pub mod std_atomic {
    pub use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
}
