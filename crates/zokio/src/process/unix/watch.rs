//! A child, and how its end is noticed.
//!
//! On Linux a child has a descriptor that becomes readable when it ends: one source like any other.
//! Where there is none (other systems, old kernels, sandboxes), `SIGCHLD` says that some child has
//! ended, and each one that is waited for is asked. Both need a descriptor. While the process has none
//! left, the child is asked again and again, with growing pauses, and gets a better source as soon as
//! there is one: a child that has started is never given up for want of a descriptor.
//!
//! Invariants:
//!
//! 1. The source is in place before the child is asked whether it has ended: an end that the answer
//!    did not show comes as an event.
//! 2. A child is watched by the runtime that waits for it, which need not be the one that started it:
//!    that one may be gone, or not be driven.
//! 3. Nobody but the owner of the [`StdChild`] reaps it. So its number is its own until then.

use crate::io_driver::{BackOff, IoSource, Pause, try_driver};
use crate::signal::unix::{Signal, SignalKind, signal_with_driver};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::{Child as StdChild, ExitStatus};
use std::task::{Context, Poll, ready};
use zokio_driver::{Direction, DriverHandle, Interest};

/// Ways to notice the end of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::process) enum Means {
    /// A descriptor for each child.
    Pidfd,
    /// `SIGCHLD`.
    Signal,
}

impl Means {
    /// The best means that this system is believed to have.
    pub(super) fn best() -> Self {
        if cfg!(any(target_os = "linux", target_os = "android")) {
            Self::Pidfd
        } else {
            Self::Signal
        }
    }
}

/// The end of the child will not be noticed: its runtime has shut down. The child itself is as it
/// was.
pub(super) struct Unwatched(pub(super) io::Error);

/// Tells of the end of a child, or of some child.
pub(super) enum Source {
    Pidfd(IoSource<OwnedFd>),
    Signal(Signal),
    Asking(Asking),
}

/// Stands for a source while there are no descriptors.
pub(super) struct Asking {
    /// The means to change to as soon as possible. None if the system cannot watch the descriptors that
    /// there are.
    means: Option<Means>,
    driver: DriverHandle,
    back_off: BackOff,
    pause: Option<Pause>,
}

// A panic elsewhere leaves it as it was: a pause is over or not, and asking again harms nobody.
impl std::panic::UnwindSafe for Asking {}
impl std::panic::RefUnwindSafe for Asking {}

impl Asking {
    fn new(means: Option<Means>, driver: DriverHandle) -> Self {
        Self {
            means,
            driver,
            back_off: BackOff::new(),
            pause: None,
        }
    }

    /// A source with a descriptor, if there is one again.
    fn better_source(&self, child: &StdChild) -> Option<Source> {
        Source::by_descriptor(self.means?, child, &self.driver).ok()
    }

    /// Waits until it is time to ask again.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pause.is_none() {
            if try_driver().is_none() {
                // The reaper of events polls an orphan, perhaps outside of every runtime.
                return Poll::Ready(Err(zokio_driver::poll::shutdown_error()));
            }
            self.pause = Some(self.back_off.pause()?);
        }
        if let Some(pause) = &mut self.pause {
            let waited = ready!(Pin::new(pause).poll(cx));
            self.pause = None;
            waited?;
        }
        Poll::Ready(Ok(()))
    }
}

impl Source {
    /// A source for `child`: by `means`, or by a signal if they are missing here, or by asking.
    ///
    /// # Errors
    /// If the runtime has shut down.
    pub(super) fn of(means: Means, child: &StdChild, driver: DriverHandle) -> io::Result<Self> {
        match Self::by_descriptor(means, child, &driver) {
            Err(error) if !zokio_runtime::is_rt_shutdown_err(&error) => {
                Ok(Self::Asking(Asking::new(Some(means), driver)))
            }
            found => found,
        }
    }

    /// As [`of`](Self::of), for what has a descriptor.
    fn by_descriptor(means: Means, child: &StdChild, driver: &DriverHandle) -> io::Result<Self> {
        if means == Means::Pidfd {
            match zokio_driver::fd::pidfd_open(child.id()) {
                Ok(fd) => {
                    let pidfd = IoSource::with_driver(fd, Interest::READABLE, driver.clone())?;
                    return Ok(Self::Pidfd(pidfd));
                }
                Err(error) if is_out_of_descriptors(&error) => return Err(error),
                // No such call, or it is forbidden.
                Err(_) => {}
            }
        }
        signal_with_driver(SignalKind::child(), driver.clone()).map(Self::Signal)
    }

    fn driver(&self) -> &DriverHandle {
        match self {
            Self::Pidfd(pidfd) => pidfd.driver(),
            Self::Signal(signal) => signal.driver(),
            Self::Asking(asking) => &asking.driver,
        }
    }
}

/// A child that was not reaped yet.
pub(super) struct Watched {
    child: StdChild,
    source: Source,
}

impl Watched {
    pub(super) fn new(child: StdChild, source: Source) -> Self {
        Self { child, source }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether an event will tell of the child's end, without being asked for.
    pub(super) fn has_source(&self) -> bool {
        !matches!(self.source, Source::Asking(_))
    }

    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits until the child has ended, and reaps it.
    pub(super) fn poll_wait(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<io::Result<ExitStatus>, Unwatched>> {
        if let Some(current) = try_driver() {
            if let Err(error) = self.move_to(current) {
                return Poll::Ready(Err(Unwatched(error)));
            }
        }
        loop {
            let child = &mut self.child;
            match &mut self.source {
                Source::Pidfd(pidfd) => {
                    let polled = pidfd.poll_io(cx, Direction::Read, || has_ended(child));
                    match ready!(polled) {
                        Ok(result) => return Poll::Ready(Ok(result)),
                        Err(error) if zokio_runtime::is_rt_shutdown_err(&error) => {
                            return Poll::Ready(Err(Unwatched(error)));
                        }
                        // It has such descriptors and cannot watch them.
                        Err(_) => {
                            let driver = pidfd.driver().clone();
                            self.source =
                                Source::of(Means::Signal, child, driver).map_err(Unwatched)?;
                        }
                    }
                }
                Source::Asking(asking) => {
                    if asking.pause.is_none() {
                        if let Some(better) = asking.better_source(child) {
                            self.source = better;
                            continue;
                        }
                        if let Ok(result) = has_ended(child) {
                            return Poll::Ready(Ok(result));
                        }
                    }
                    ready!(asking.poll_pause(cx)).map_err(Unwatched)?;
                }
                Source::Signal(signal) => {
                    match has_ended(child) {
                        Ok(result) => return Poll::Ready(Ok(result)),
                        Err(_would_block) => {}
                    }
                    if ready!(signal.poll_recv(cx)).is_none() {
                        let driver = signal.driver();
                        if driver.is_shutdown() {
                            let gone = zokio_driver::poll::shutdown_error();
                            return Poll::Ready(Err(Unwatched(gone)));
                        }
                        // It has a descriptor and cannot watch it.
                        self.source = Source::Asking(Asking::new(None, driver.clone()));
                    }
                }
            }
        }
    }

    /// Has another runtime watch the child (invariant 2).
    fn move_to(&mut self, driver: DriverHandle) -> io::Result<()> {
        if driver.is_same(self.source.driver()) {
            return Ok(());
        }
        let means = match &self.source {
            Source::Pidfd(_) => Means::Pidfd,
            Source::Signal(_) => Means::Signal,
            Source::Asking(asking) => asking.means.unwrap_or(Means::best()),
        };
        self.source = Source::of(means, &self.child, driver)?;
        Ok(())
    }
}

/// Reaps the child if it has ended; `WouldBlock` if it has not.
fn has_ended(child: &mut StdChild) -> io::Result<io::Result<ExitStatus>> {
    match child.try_wait() {
        Ok(Some(status)) => Ok(Ok(status)),
        Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Ok(Err(error)),
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
