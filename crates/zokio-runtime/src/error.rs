//! Errors and panic texts. Published tests compare the texts, so they name Tokio's context.

use std::error::Error;
use std::fmt;
use std::io;
use zokio_task::context::ThreadGone;

pub(crate) const NO_RUNTIME: &str =
    "there is no reactor running, must be called from the context of a Tokio 1.x runtime";
pub(crate) const THREAD_GONE: &str = "The Tokio context thread-local variable has been destroyed.";
pub(crate) const NESTED: &str = "Cannot start a runtime from within a runtime. This happens \
     because a function (like `block_on`) attempted to block the current thread while the thread \
     is being used to drive asynchronous tasks. If you are in an async function, use `.await` on the \
     future instead of blocking on it.";

/// Why there is no current runtime. See [`Handle::try_current`](crate::Handle::try_current).
///
/// # Examples
/// ```
/// let error = zokio_runtime::Handle::try_current().unwrap_err();
/// println!("{error}");
/// ```
#[derive(Debug)]
pub struct TryCurrentError {
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NoContext,
    ThreadLocalDestroyed,
}

impl TryCurrentError {
    pub(crate) fn no_context() -> Self {
        Self {
            kind: Kind::NoContext,
        }
    }

    /// Whether the thread is inside of no runtime.
    ///
    /// # Examples
    /// ```
    /// let error = zokio_runtime::Handle::try_current().unwrap_err();
    /// assert!(error.is_missing_context());
    /// ```
    pub fn is_missing_context(&self) -> bool {
        self.kind == Kind::NoContext
    }

    /// Whether the thread is being torn down and its locals are gone.
    ///
    /// # Examples
    /// ```
    /// let error = zokio_runtime::Handle::try_current().unwrap_err();
    /// assert!(!error.is_thread_local_destroyed());
    /// ```
    pub fn is_thread_local_destroyed(&self) -> bool {
        self.kind == Kind::ThreadLocalDestroyed
    }
}

impl From<ThreadGone> for TryCurrentError {
    fn from(_: ThreadGone) -> Self {
        Self {
            kind: Kind::ThreadLocalDestroyed,
        }
    }
}

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::NoContext => NO_RUNTIME,
            Kind::ThreadLocalDestroyed => THREAD_GONE,
        })
    }
}

impl Error for TryCurrentError {}

/// Whether an I/O operation failed because its runtime is shutting down.
///
/// # Examples
/// ```
/// let error = std::io::Error::other("something else");
/// assert!(!zokio_runtime::is_rt_shutdown_err(&error));
/// ```
pub fn is_rt_shutdown_err(error: &io::Error) -> bool {
    zokio_driver::poll::is_shutdown_error(error)
}
