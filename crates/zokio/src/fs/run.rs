//! Where operations of this module are begun.

use std::io;
use zokio_driver::op::{Backends, Op, OpenFile};

/// Begins `operation` with the current runtime.
///
/// # Panics
/// Outside of a runtime.
pub(super) fn begin<O: Backends>(operation: O) -> Op<O> {
    let driver = zokio_runtime::driver_for_files();
    let here = zokio_runtime::worker_index();
    // A single worker may be a thread that is not at its loop now: nobody would submit.
    if here.is_none() && driver.workers() == 1 {
        return driver.plane().start_offloaded(operation);
    }
    driver.plane().start(here, operation)
}

/// Begins all of `operations` with the current runtime, together.
///
/// # Panics
/// Outside of a runtime.
pub(super) fn begin_all<O: Backends>(operations: Vec<O>) -> Vec<Op<O>> {
    let driver = zokio_runtime::driver_for_files();
    let here = zokio_runtime::worker_index();
    if here.is_none() && driver.workers() == 1 {
        let begin = |operation| driver.plane().start_offloaded(operation);
        return operations.into_iter().map(begin).collect();
    }
    driver.plane().start_all(here, operations)
}

/// Has the pool of the current runtime close `file` if closing it may wait. Outside of a runtime whoever
/// lets go of it waits.
pub(super) fn adopt(file: &OpenFile) {
    if let Some(driver) = zokio_runtime::try_driver_for_files() {
        file.close_with(driver.plane().pool());
    }
}

/// Begins `operation` on the blocking pool of the current runtime.
///
/// # Panics
/// Outside of a runtime.
pub(super) fn begin_offloaded<O: Backends>(operation: O) -> Op<O> {
    zokio_runtime::driver_for_files()
        .plane()
        .start_offloaded(operation)
}

/// Runs `work` on the blocking pool.
///
/// # Panics
/// Outside of a runtime.
pub(super) async fn offload<F, T>(work: F) -> io::Result<T>
where
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    match zokio_runtime::spawn_own(work).await {
        Ok(result) => result,
        Err(_) => Err(not_run()),
    }
}

/// The pool is gone, or the work panicked.
pub(super) fn not_run() -> io::Error {
    io::Error::other("background task failed")
}

/// Makes sure that there is a runtime which has not shut down: what is done at once has to behave as what
/// is not.
///
/// # Errors
/// If the runtime has shut down.
///
/// # Panics
/// Outside of a runtime.
pub(super) fn require_runtime() -> io::Result<()> {
    if zokio_runtime::is_driver_shutdown() {
        Err(not_run())
    } else {
        Ok(())
    }
}

/// Takes a unit of the budget, and makes sure that there is a runtime which has not shut down.
///
/// # Errors
/// If the runtime has shut down.
///
/// # Panics
/// Outside of a runtime.
pub(super) async fn enter() -> io::Result<()> {
    require_runtime()?;
    zokio_task::coop::consume_budget().await;
    Ok(())
}
