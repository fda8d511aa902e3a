//! The measured programs. They name the runtime `rt` and are compiled once for each.

mod demo;
mod echo;
mod scenarios;
mod sync;

pub(crate) use super::{contain, rt};
pub(crate) use demo::{
    blocked, build_and_drop, busy, idle, idle_tasks, owned, run_away, sleep_lateness,
};
pub(crate) use echo::{Echo, echo, serve_load, serve_load_with, serve_owned};
pub(crate) use scenarios::{
    chained, file, mpsc, ping_pong, remote, sleeps, spawn, timeouts, yield_now,
};
pub(crate) use sync::{
    broadcast, mpsc_bounded, mpsc_unbounded, mutex_contended, mutex_free, notify_ping_pong,
    notify_waiters, oneshot_across, oneshot_local, rwlock_contended, rwlock_read, rwlock_write,
    semaphore_contended, semaphore_free, timeout_dropped, timeout_ready, timeout_then_ready, watch,
};

use crate::measure::Flavor;

/// A runtime of the given flavor with everything enabled.
pub(crate) fn runtime(flavor: Flavor) -> rt::runtime::Runtime {
    let mut builder = match flavor {
        Flavor::Multi(workers) => {
            let mut builder = rt::runtime::Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
        Flavor::Current => rt::runtime::Builder::new_current_thread(),
    };
    builder
        .enable_all()
        .build()
        .expect("a runtime can be built")
}

/// Runs `future` as a task, so that a multi-thread worker runs it, not the calling thread.
pub(crate) fn run_as_task<F>(runtime: &rt::runtime::Runtime, future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let task = runtime.spawn(future);
    runtime.block_on(task).expect("the program does not panic")
}
