//! Children on unix.
//!
//! [`Watched`] is a child that was not reaped yet, and the source that tells of its end. [`Process`]
//! has it until the child is reaped, or given to [`orphan`]. A child whose runtime is gone as well is
//! reaped by [`homeless`].

mod homeless;
mod orphan;
mod pipe;
mod watch;

pub use pipe::{ChildStderr, ChildStdin, ChildStdout};

use std::io;
use std::process::{Child as StdChild, ExitStatus};
use std::task::{Context, Poll, ready};
pub(super) use watch::Means;
use watch::{Source, Unwatched, Watched};
use zokio_driver::DriverHandle;
use zokio_driver::signals::{discards_children, keep_children};

/// To be called before a process is started.
pub(super) fn before_spawn() {
    homeless::reap_ended();
    if discards_children() {
        // A handler is in the way of nobody: it is the default, to do nothing, with a step before it.
        homeless::install();
        if discards_children() {
            // The program has set it to be ignored after some handler was installed.
            keep_children();
        }
    }
}

const ABANDONED: &str = "a process is abandoned last of all";

/// A child that was not reaped yet.
pub(super) struct Process {
    /// None once it is abandoned.
    watched: Option<Watched>,
}

impl Process {
    /// Watches `child`. If the runtime has shut down, the process is killed.
    pub(super) fn new(child: StdChild, driver: DriverHandle) -> io::Result<Self> {
        Self::by(Means::best(), child, driver)
    }

    /// As [`new`](Self::new), by other means.
    pub(super) fn by(means: Means, mut child: StdChild, driver: DriverHandle) -> io::Result<Self> {
        match Source::of(means, &child, driver) {
            Ok(source) => Ok(Self {
                watched: Some(Watched::new(child, source)),
            }),
            Err(error) => {
                // Not worth a source of its own: it is dead at once.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn watched(&mut self) -> &mut Watched {
        self.watched.as_mut().expect(ABANDONED)
    }

    /// The system's number of the process.
    pub(super) fn id(&self) -> u32 {
        self.watched.as_ref().expect(ABANDONED).id()
    }

    /// Kills the process.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.watched().kill()
    }

    /// Reaps the process if it has ended.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.watched().try_wait()
    }

    /// Reaps the process once it has ended.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        Poll::Ready(match ready!(self.watched().poll_wait(cx)) {
            Ok(result) => result,
            Err(Unwatched(error)) => Err(error),
        })
    }

    /// Leaves the process to be reaped by whoever can.
    pub(super) fn abandon(&mut self) {
        if let Some(watched) = self.watched.take() {
            orphan::leave(watched);
        }
    }
}
