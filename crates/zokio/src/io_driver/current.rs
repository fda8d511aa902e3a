//! The driver of the runtime that the thread is inside of.

use zokio_driver::DriverHandle;
use zokio_task::context::{self, ThreadGone};

const NO_RUNTIME: &str =
    "there is no reactor running, must be called from the context of a Tokio 1.x runtime";
const IO_DISABLED: &str = "A Tokio 1.x context was found, but IO is disabled. \
    Call `enable_io` on the runtime builder to enable IO.";
const THREAD_GONE: &str = "The Tokio context thread-local variable has been destroyed.";

/// The current runtime's driver.
///
/// # Panics
/// Outside of a runtime, or if the runtime has no I/O.
#[track_caller]
pub(crate) fn driver() -> DriverHandle {
    let found = context::with_services(|services| {
        services.map(|services| {
            services
                .driver()
                .and_then(|driver| driver.downcast_ref::<DriverHandle>())
                .cloned()
        })
    });
    match found {
        Ok(Some(Some(driver))) => driver,
        Ok(Some(None)) => panic!("{IO_DISABLED}"),
        Ok(None) => panic!("{NO_RUNTIME}"),
        Err(ThreadGone) => panic!("{THREAD_GONE}"),
    }
}

/// The current runtime's driver, if there is a runtime and it has I/O.
#[cfg(unix)]
pub(crate) fn try_driver() -> Option<DriverHandle> {
    let found = context::with_services(|services| {
        services
            .and_then(|services| services.driver()?.downcast_ref::<DriverHandle>())
            .cloned()
    });
    found.ok().flatten()
}

/// Which worker of `driver`'s runtime runs on this thread, if one does.
pub(crate) fn worker(driver: &DriverHandle) -> Option<usize> {
    let is_current = context::with_services(|services| {
        services
            .and_then(|services| services.driver()?.downcast_ref::<DriverHandle>())
            .is_some_and(|current| current.is_same(driver))
    });
    match is_current {
        Ok(true) => zokio_runtime::worker_index(),
        _ => None,
    }
}
