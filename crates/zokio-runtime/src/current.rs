//! The runtime that the thread is inside of.

use crate::error::{NO_RUNTIME, THREAD_GONE};
use crate::handle::Inner;
use zokio_base::sync::Arc;
use zokio_driver::DriverHandle;
use zokio_sched::Spawner;
use zokio_task::context::{self, Services};
use zokio_task::{JoinHandle, SpawnMeta, box_if_large};

const NOT_OURS: &str = "only runtimes enter services";

pub(crate) fn downcast(services: Arc<dyn Services>) -> Arc<Inner> {
    services.into_any().downcast().expect(NOT_OURS)
}

/// Calls `f` with the current runtime, which is borrowed meanwhile: `f` runs no foreign code.
///
/// # Panics
/// Outside of a runtime.
#[track_caller]
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Arc<dyn Services>, &Inner) -> R) -> R {
    let found = context::with_services(|services| {
        services.map(|services| {
            let inner = services.as_any().downcast_ref().expect(NOT_OURS);
            f(services, inner)
        })
    });
    match found {
        Ok(Some(result)) => result,
        Ok(None) => panic!("{NO_RUNTIME}"),
        Err(context::ThreadGone) => panic!("{THREAD_GONE}"),
    }
}

/// Spawns a task onto the current runtime. It runs whether or not the handle it returns is awaited;
/// dropping the handle leaves the task alone.
///
/// There is no promise that the task runs to its end: when the runtime shuts down, tasks are
/// dropped at their next `.await`.
///
/// # Panics
/// Outside of a runtime.
///
/// # Examples
/// ```
/// let runtime = zokio_runtime::Runtime::new().unwrap();
/// let sum = runtime.block_on(async {
///     let left = zokio_runtime::spawn(async { 1 });
///     let right = zokio_runtime::spawn(async { 2 });
///     left.await.unwrap() + right.await.unwrap()
/// });
/// assert_eq!(sum, 3);
/// ```
#[track_caller]
#[inline]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    box_if_large!(future: F => spawn_with(future, SpawnMeta::new()))
}

/// As [`spawn`], with everything said about the task.
///
/// # Panics
/// Outside of a runtime.
#[track_caller]
#[inline]
pub(crate) fn spawn_with<F>(future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // The shard is taken out first: a task that is refused is dropped at once, and what it owns may
    // enter a runtime, for which the context must not be borrowed.
    let shard = with(|_, inner| inner.spawner.shard().clone());
    Spawner::spawn_on(&shard, future, meta)
}

/// The driver of the current runtime, for operations on files: these need no `enable_io`.
///
/// # Panics
/// Outside of a runtime.
#[track_caller]
pub fn driver_for_files() -> DriverHandle {
    with(|_, inner| inner.driver.clone())
}

/// As [`driver_for_files`]. None outside of a runtime.
pub fn try_driver_for_files() -> Option<DriverHandle> {
    let driver = |services: Option<&Arc<dyn Services>>| {
        let inner: &Inner = services?.as_any().downcast_ref().expect(NOT_OURS);
        Some(inner.driver.clone())
    };
    context::with_services(driver).ok().flatten()
}

/// Whether the driver of the current runtime is gone.
///
/// # Panics
/// Outside of a runtime.
#[track_caller]
#[inline]
pub fn is_driver_shutdown() -> bool {
    with(|_, inner| inner.driver.is_shutdown())
}

/// Which worker of the current runtime runs the calling task. None on any other thread.
///
/// The index is below the number of workers and stays the same during one poll of a task.
///
/// # Examples
/// ```
/// assert_eq!(zokio_runtime::worker_index(), None);
/// let runtime = zokio_runtime::Runtime::new().unwrap();
/// let index = runtime.block_on(async {
///     zokio_runtime::spawn(async { zokio_runtime::worker_index() }).await.unwrap()
/// });
/// assert!(index.unwrap() < runtime.metrics().num_workers());
/// ```
pub fn worker_index() -> Option<usize> {
    let index = context::with_services(|services| {
        let inner = services?.as_any().downcast_ref::<Inner>().expect(NOT_OURS);
        inner.spawner.current_worker()
    });
    index.ok().flatten()
}
