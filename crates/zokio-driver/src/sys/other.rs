//! Where sources are not descriptors: they are registered through `mio`'s own types.

use mio::event::Source;
use mio::{Interest, Registry, Token};
use std::fmt;
use std::io;
use std::time::Duration;
use zokio_base::sync::Mutex;

/// A source of events, shared with the socket it belongs to.
pub struct SourceId(Mutex<Box<dyn Source + Send>>);

impl SourceId {
    /// Names `source`.
    pub fn new(source: Box<dyn Source + Send>) -> Self {
        Self(Mutex::new(source))
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceId").finish_non_exhaustive()
    }
}

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

/// Registers a source.
pub(crate) fn register(
    registry: &Registry,
    source: &SourceId,
    token: Token,
    interest: Interest,
) -> io::Result<()> {
    source.0.lock().register(registry, token, interest)
}

/// Takes a source out again.
pub(crate) fn deregister(registry: &Registry, source: &SourceId) -> io::Result<()> {
    source.0.lock().deregister(registry)
}

/// There are no rings here.
pub(crate) fn watch_ring(_registry: &Registry, ring: RingFd, _token: Token) -> io::Result<()> {
    match ring {}
}

/// The set rounds up to what it can.
pub(crate) fn split_timeout(timeout: Duration) -> (Duration, Duration) {
    (timeout.min(Duration::from_secs(1 << 20)), Duration::ZERO)
}

/// Never needed here.
pub(crate) fn wait_fine(_set: SetFd, _timeout: Duration) -> io::Result<bool> {
    Ok(true)
}
