//! Descriptors, as everything is one on unix.

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Names a source of events: its descriptor.
pub type SourceId = RawFd;

/// Names a ring: its descriptor.
pub(crate) type RingFd = RawFd;

/// Names a readiness set: its descriptor. Valid while the set is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetFd(RawFd);

impl SetFd {
    pub(crate) fn of(poll: &mio::Poll) -> Self {
        Self(poll.as_raw_fd())
    }

    pub(crate) fn raw(self) -> RawFd {
        self.0
    }
}

/// Registers a source, edge-triggered.
pub(crate) fn register(
    registry: &Registry,
    source: &SourceId,
    token: Token,
    interest: Interest,
) -> io::Result<()> {
    SourceFd(source).register(registry, token, interest)
}

/// Takes a source out again.
pub(crate) fn deregister(registry: &Registry, source: &SourceId) -> io::Result<()> {
    SourceFd(source).deregister(registry)
}

/// Has a set watch a ring for completions.
pub(crate) fn watch_ring(registry: &Registry, ring: RingFd, token: Token) -> io::Result<()> {
    SourceFd(&ring).register(registry, token, Interest::READABLE)
}

/// Has a set report the events of another one.
pub(crate) fn nest(registry: &Registry, inner: SetFd, token: Token) -> io::Result<()> {
    SourceFd(&inner.raw()).register(registry, token, Interest::READABLE)
}

/// Ends what `nest` began.
pub(crate) fn take_out(registry: &Registry, inner: SetFd) -> io::Result<()> {
    SourceFd(&inner.raw()).deregister(registry)
}

/// Whether an error says that the system lacks something that it may have in a while.
pub(crate) fn is_for_now(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code.is_some_and(|code| [libc::ENOMEM, libc::EAGAIN, libc::ENOBUFS].contains(&code))
}
