//! Descriptors, as everything is one on unix.

use super::poll;
use crate::poll::Ready;
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

/// The bit of `poll(2)` that says that the peer has closed its side: for a part of what it says elsewhere,
/// `POLLHUP` is all there is.
#[cfg(any(target_os = "linux", target_os = "android"))]
const READ_CLOSED: libc::c_short = libc::POLLRDHUP;
/// The bit of `poll(2)` that says that the peer has closed its side: there is none here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const READ_CLOSED: libc::c_short = 0;

/// What a source is ready for at this moment: what its first event would say if it entered a set now with
/// `interest`. Nothing, if the system does not say: its first event will.
pub(crate) fn ready_now(source: &SourceId, interest: Interest) -> Ready {
    let mut events = 0;
    if interest.is_readable() {
        events |= libc::POLLIN | READ_CLOSED;
    }
    if interest.is_writable() {
        events |= libc::POLLOUT;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if interest.is_priority() {
        events |= libc::POLLPRI;
    }
    let mut asked = [poll::poll_of(*source, events)];
    match poll::poll(&mut asked, 0) {
        Ok(1) => ready_of(asked[0].revents),
        _ => Ready::EMPTY,
    }
}

/// The bits of `poll(2)` in the words of a set's event: by the rules by which `mio` reads those of epoll.
fn ready_of(events: libc::c_short) -> Ready {
    let has = |bits: libc::c_short| events & bits != 0;
    let states = [
        (has(libc::POLLIN | libc::POLLPRI), Ready::READABLE),
        (has(libc::POLLOUT), Ready::WRITABLE),
        (
            has(libc::POLLHUP) || (has(libc::POLLIN) && has(READ_CLOSED)),
            Ready::READ_CLOSED,
        ),
        (
            has(libc::POLLHUP)
                || (has(libc::POLLOUT) && has(libc::POLLERR))
                || events == libc::POLLERR,
            Ready::WRITE_CLOSED,
        ),
        (has(libc::POLLPRI), Ready::PRIORITY),
        (has(libc::POLLERR), Ready::ERROR),
    ];
    states
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .fold(Ready::EMPTY, |ready, (_, state)| ready | state)
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
