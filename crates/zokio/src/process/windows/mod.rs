//! Children on Windows.
//!
//! The system's thread pool watches the process's handle and calls back when it ends; pipes are read
//! and written on the blocking pool. A process that has ended leaves nothing behind once its handles
//! are closed, so there are no orphans.

mod pipe;
mod wait;

pub use pipe::{ChildStderr, ChildStdin, ChildStdout};

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, RawHandle};
use std::process::{Child as StdChild, ExitStatus};
use std::task::{Context, Poll};
use wait::Wait;
use zokio_driver::DriverHandle;

/// To be called before a process is started. There is nothing to prepare here.
pub(super) fn before_spawn() {}

/// A child that was not waited for yet.
///
/// Invariant: fields are dropped in order, so the wait is over before the handle is closed.
pub(super) struct Process {
    wait: Wait,
    child: StdChild,
}

impl Process {
    /// Watches `child`. If that fails, the process is killed.
    pub(super) fn new(mut child: StdChild, _driver: DriverHandle) -> io::Result<Self> {
        match Wait::new(child.as_handle()) {
            Ok(wait) => Ok(Self { wait, child }),
            Err(error) => {
                let _ = child.kill();
                Err(error)
            }
        }
    }

    /// The system's number of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The system's handle of the process.
    pub(super) fn raw_handle(&self) -> RawHandle {
        self.child.as_raw_handle()
    }

    /// Kills the process.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    /// The process's status if it has ended.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// The process's status once it has ended.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        // First the waker, then the question: an end that the answer does not show wakes.
        self.wait.register(cx.waker());
        match self.child.try_wait() {
            Ok(Some(status)) => Poll::Ready(Ok(status)),
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Leaves the process alone. Its handles are closed with this.
    pub(super) fn abandon(&mut self) {}
}
