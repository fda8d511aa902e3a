//! The blocking pool: threads for closures that block, for operations that have no other way, and
//! for the workers themselves.
//!
//! `queue.rs` decides who runs what; `door.rs` knows who is inside, and lets nobody in any more at the
//! end; `reserve.rs` keeps a few threads for the runtime's own work; `pool.rs` has the threads.

mod door;
#[cfg(all(test, zokio_loom))]
mod model;
pub(crate) mod pool;
mod queue;
mod reserve;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use crate::current;
use crate::handle::Inner;
use pool::{Job, Pool, Refused, Whose};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use zokio_base::clock::Clock;
use zokio_base::park::{Interrupt, Offload};
use zokio_base::sync::{Arc, Weak};
use zokio_driver::DriverHandle;
use zokio_sched::ThreadHost;
use zokio_task::{JoinHandle, SpawnMeta, box_if_large};

/// Runs a closure that may block on a thread of the runtime's pool, so that no worker waits for it.
///
/// The pool starts threads as they are needed, up to
/// [`max_blocking_threads`](crate::Builder::max_blocking_threads); beyond that closures wait in a
/// queue. A closure that has begun cannot be aborted: the runtime's shutdown waits for it. One that
/// has not begun is cancelled by `abort` and by the shutdown.
///
/// # Panics
/// Outside of a runtime, and if the system gives no thread and the pool has none.
///
/// # Examples
/// ```
/// let runtime = zokio_runtime::Runtime::new().unwrap();
/// let sum = runtime.block_on(async {
///     zokio_runtime::spawn_blocking(|| (1..=100).sum::<u32>()).await.unwrap()
/// });
/// assert_eq!(sum, 5050);
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(func: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    box_if_large!(closure func: F => spawn_blocking_with(func, SpawnMeta::new()))
}

/// As [`spawn_blocking`], with everything said about the task.
///
/// # Panics
/// As for [`spawn_blocking`].
#[track_caller]
pub(crate) fn spawn_blocking_with<F, R>(func: F, meta: SpawnMeta) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let inner = current::with(|services, _| current::downcast(services.clone()));
    inner.pool.spawn(&inner, func, meta)
}

/// As [`spawn_blocking`], for operations that have errors to report: a pool that takes no more work is
/// one, instead of a task that was cancelled.
///
/// # Errors
/// If the runtime has shut down. [`is_rt_shutdown_err`](crate::is_rt_shutdown_err) knows the error.
///
/// # Panics
/// As for [`spawn_blocking`].
#[track_caller]
pub fn try_spawn_blocking<F, R>(func: F) -> io::Result<JoinHandle<R>>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    taken(offer(func, Whose::Users))
}

/// As [`try_spawn_blocking`], for the runtime's own work, which ends soon: a few threads are reserved for it
/// ([`reserved_blocking_threads`](crate::Builder::reserved_blocking_threads)).
///
/// # Errors
/// As [`try_spawn_blocking`].
///
/// # Panics
/// As for [`spawn_blocking`].
#[track_caller]
pub fn try_spawn_own<F, R>(func: F) -> io::Result<JoinHandle<R>>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    taken(offer(func, Whose::Own))
}

/// As [`try_spawn_own`]. A runtime that has shut down cancels the task.
///
/// # Panics
/// As for [`spawn_blocking`].
#[track_caller]
pub fn spawn_own<F, R>(func: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    offer(func, Whose::Own).0
}

/// As [`try_spawn_blocking`], for a closure that waits for others: `wait` is ended when the runtime shuts
/// down, which does not wait for them.
///
/// # Errors
/// As [`try_spawn_blocking`].
///
/// # Panics
/// As for [`spawn_blocking`].
#[track_caller]
pub fn try_spawn_waiting<F, R>(wait: Weak<dyn Interrupt>, func: F) -> io::Result<JoinHandle<R>>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let inner = current::with(|services, _| current::downcast(services.clone()));
    inner.pool.watch(wait);
    try_spawn_own(func)
}

/// Offers `func` to the pool of the current runtime; says too whether the pool took it.
#[track_caller]
fn offer<F, R>(func: F, whose: Whose) -> (JoinHandle<R>, bool)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let inner = current::with(|services, _| current::downcast(services.clone()));
    inner.pool.offer(&inner, func, SpawnMeta::new(), whose)
}

/// The handle of an offer that the pool took.
fn taken<R>((join, is_taken): (JoinHandle<R>, bool)) -> io::Result<JoinHandle<R>> {
    if is_taken {
        Ok(join)
    } else {
        Err(zokio_driver::poll::shutdown_error())
    }
}

/// A closure as the future of a task that is polled once.
pub(crate) struct Blocking<F> {
    func: Option<F>,
}

impl<F> Blocking<F> {
    fn new(func: F) -> Self {
        Self { func: Some(func) }
    }
}

/// The closure is moved out, never pinned.
impl<F> Unpin for Blocking<F> {}

impl<F: FnOnce() -> R, R> Future for Blocking<F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<R> {
        let func = self.func.take().expect("a closure is run once");
        Poll::Ready(func())
    }
}

/// Keeps a paused clock from jumping while it lives.
pub(crate) struct HoldClock {
    clock: Clock,
    driver: DriverHandle,
}

impl HoldClock {
    /// A paused clock must not run ahead of work that is under way. Only the clock of a
    /// current-thread runtime can be paused.
    fn of(inner: &Inner) -> Option<Self> {
        if inner.scheduler.is_multi_thread() {
            return None;
        }
        inner.clock.hold();
        Some(Self {
            clock: inner.clock.clone(),
            driver: inner.driver.clone(),
        })
    }
}

impl Drop for HoldClock {
    fn drop(&mut self) {
        self.clock.release();
        if self.clock.is_paused() {
            // The worker waits for this: it may jump now.
            self.driver.unpark(0);
        }
    }
}

/// Threads for workers. Weak, as the scheduler owns it.
#[derive(Debug)]
pub(crate) struct Host(Weak<Pool>);

impl Host {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        Self(Arc::downgrade(pool))
    }
}

impl ThreadHost for Host {
    fn host(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let closed = || io::Error::other("the runtime is shutting down");
        let pool = self.0.upgrade().ok_or_else(closed)?;
        pool.submit(Job::Worker(job))
            .map_err(|refused| match refused {
                Refused::Closed(_) => closed(),
                Refused::NoThread(_, error) => error,
            })
    }
}

/// Threads for operations of the driver. Weak, as sockets may outlive their runtime with it.
#[derive(Debug)]
pub(crate) struct PoolOffload(Weak<Pool>);

impl PoolOffload {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        Self(Arc::downgrade(pool))
    }
}

impl Offload for PoolOffload {
    fn offload(&self, job: Box<dyn FnOnce() + Send + 'static>) {
        if let Some(pool) = self.0.upgrade() {
            // A refused job is dropped, and cleans up in its own drop.
            let _ = pool.promise(job);
        }
    }

    fn watch(&self, wait: Weak<dyn Interrupt>) {
        if let Some(pool) = self.0.upgrade() {
            pool.watch(wait);
        }
    }
}
