//! Streams that only know how to block, made asynchronous by the blocking pool.
//!
//! A [`Reader`] or [`Writer`] holds the stream and lends it, together with a buffer of its own, to
//! one job of the pool at a time.
//!
//! Invariants:
//!
//! 1. Buffers belong to the job while it runs, never to a future: dropping a future that waits for
//!    it harms nobody.
//! 2. At most one job of a stream is under way, so bytes keep their order.
//! 3. A write is reported as done only if the pool has taken it.
//! 4. Bytes that a job has read wait in the buffer until they are asked for: none are lost.

mod reader;
mod writer;

#[cfg(all(test, not(zokio_model)))]
mod tests;

pub(crate) use reader::{Input, Reader};
pub(crate) use writer::{Output, Writer};

use std::io;
use zokio_task::JoinError;

/// How many bytes one job moves at most.
const MAX_BUF_SIZE: usize = 2 * 1024 * 1024;

/// The error of a job that brought nothing: the pool was shut down before the job began, or the job
/// panicked.
fn lost(error: JoinError) -> io::Error {
    if error.is_cancelled() {
        zokio_driver::poll::shutdown_error()
    } else {
        io::Error::other("background task failed")
    }
}
