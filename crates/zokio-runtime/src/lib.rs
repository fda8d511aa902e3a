//! Layer 4 of Zokio: the runtime. Driver, timers, scheduler and blocking pool, joined.
//!
//! - [`Builder`] makes a [`Runtime`]; a [`Handle`] is what tasks and other threads hold of it.
//! - `park.rs` joins a worker's driver and timers into the one place where the worker waits.
//! - `end.rs` has timers go on while the end of a runtime waits for closures that block.
//! - `default_runtime.rs` is the runtime of programs that make none; `idle.rs` serves callers that
//!   have a loop of their own.
//! - [`blocking`] is the pool of threads: closures that block run there, and so do the workers.
//! - `settings.rs` is the scheduler's policy, filled from the builder; `histogram.rs` is the part of
//!   it that says how times are counted, `metrics.rs` and `metrics/` show the counts.
//! - [`join_set`] awaits tasks together; `local_set` runs tasks that stay on one thread, where a local
//!   runtime is not wanted; `task_builder.rs` says more about a task.
//!
//! Ownership is one-way, so that nothing keeps itself alive for ever:
//!
//! 1. A [`Handle`] owns the scheduler, the pool, the driver and the timers.
//! 2. Threads of the pool hold a handle while they live; they end with the shutdown.
//! 3. The scheduler reaches the pool through a host that holds the handle weakly.
//! 4. Tasks hold their shard, which leads to the queues only. What a task's future holds is
//!    dropped with it, at the shutdown at the latest.
//! 5. The [`Runtime`] begins the shutdown when it is dropped.

#![deny(unsafe_code)]

pub mod blocking;
mod builder;
mod current;
mod default_runtime;
mod end;
mod error;
mod handle;
mod histogram;
mod id;
mod idle;
pub mod join_set;
mod local_runtime;
mod local_set;
mod metrics;
mod park;
mod runtime;
mod seed;
mod settings;
mod task_builder;
mod task_meta;
mod thread_tag;

pub use blocking::{
    spawn_blocking, spawn_own, try_spawn_blocking, try_spawn_own, try_spawn_waiting,
};
pub use builder::Builder;
pub use current::{
    driver_for_files, is_driver_shutdown, spawn, try_driver_for_files, worker_index,
};
pub use default_runtime::block_on;
pub use error::{TryCurrentError, is_rt_shutdown_err};
pub use handle::{EnterGuard, Handle, RuntimeFlavor};
pub use histogram::{
    HistogramConfiguration, HistogramScale, InvalidHistogramConfiguration, LogHistogram,
    LogHistogramBuilder,
};
pub use id::Id;
pub use idle::Idle;
pub use join_set::JoinSet;
pub use local_runtime::{LocalOptions, LocalRuntime};
pub use local_set::{LocalEnterGuard, LocalSet, UnhandledPanic, spawn_local};
pub use metrics::RuntimeMetrics;
pub use runtime::Runtime;
pub use seed::RngSeed;
pub use task_builder::Builder as TaskBuilder;
pub use task_meta::TaskMeta;
pub use zokio_driver::uring::{OpMetrics, RingStatus, UnknownIoMode};
pub use zokio_driver::{DriverMetrics, IoMode};
pub use zokio_sched::{StallReport, block_in_place};
