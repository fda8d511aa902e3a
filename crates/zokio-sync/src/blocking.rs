//! Waiting for a future on a thread that may block.
//!
//! Every `blocking_*` method ends here. It refuses on a thread that drives tasks, because that
//! would stop them all.

use zokio_task::context::{Region, region};

/// Runs `future` to its end on the calling thread.
///
/// # Panics
/// If the thread is driving tasks.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    assert!(
        region() == Region::Outside,
        "Cannot block the current thread from within a runtime. This happens because a function \
         attempted to block the current thread while the thread is being used to drive \
         asynchronous tasks."
    );
    zokio_task::block_on::block_on(future)
}
