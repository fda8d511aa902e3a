//! Where sources are not descriptors: whoever owns one registers it, through `mio`'s own types, when it
//! is made (`Registration::attach_source`).

use crate::poll::Ready;
use mio::{Interest, Registry, Token};
use std::io;
use std::time::Duration;

/// Sources have no name here: their owner registers them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceId;

/// There are no rings here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RingFd {}

/// Sets have no name here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetFd;

impl SetFd {
    pub(crate) fn of(_poll: &mio::Poll) -> Self {
        Self
    }
}

/// Nothing can be registered by name here.
pub(crate) fn register(
    _registry: &Registry,
    _source: &SourceId,
    _token: Token,
    _interest: Interest,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A source without a name cannot be asked about: its first event says what it is ready for.
pub(crate) fn ready_now(_source: &SourceId, _interest: Interest) -> Ready {
    Ready::EMPTY
}

/// The owner has taken the source out already.
pub(crate) fn deregister(_registry: &Registry, _source: &SourceId) -> io::Result<()> {
    Ok(())
}

/// There are no rings here.
pub(crate) fn watch_ring(_registry: &Registry, ring: RingFd, _token: Token) -> io::Result<()> {
    match ring {}
}

/// Sets have no name here, so none can be a member of another.
pub(crate) fn nest(_registry: &Registry, _inner: SetFd, _token: Token) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nothing is nested here.
pub(crate) fn take_out(_registry: &Registry, _inner: SetFd) -> io::Result<()> {
    Ok(())
}

/// The set rounds up to what it can.
pub(crate) fn split_timeout(timeout: Duration) -> (Duration, Duration) {
    (timeout.min(Duration::from_secs(1 << 20)), Duration::ZERO)
}

/// Never needed here.
pub(crate) fn wait_fine(_set: SetFd, _timeout: Duration) -> io::Result<bool> {
    Ok(true)
}

/// Whether an error says that the system lacks something that it may have in a while.
pub(crate) fn is_for_now(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
}
