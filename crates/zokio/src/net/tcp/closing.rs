//! [`Closing`]: the system's stream, which a thread of the pool closes if that may take long.
//!
//! A socket with `SO_LINGER` of more than zero waits in `close` until the peer has all bytes that were
//! written, or until the time is up. Linux waits in non-blocking mode, too, so a worker that dropped such a
//! stream stood still. The option comes from [`TcpStream::set_linger`](super::TcpStream::set_linger), with a
//! descriptor that was taken over, from a listener to the connections that it accepts, or through a descriptor
//! that was lent: any of these notes the driver here, whose pool is used. The drop asks the system for the option only if a
//! driver was noted, so most streams are closed without a further call. To ask always was rejected for its cost, to
//! keep a copy of the option because a descriptor that was lent goes round it.
//!
//! A pool that has shut down drops the job, and its stream with it: the caller closes, and waits.

use crate::net::connecting::Connecting;
use mio::net::TcpStream;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::time::Duration;
use zokio_base::sync::OnceLock;
use zokio_driver::DriverHandle;

/// A stream of the system, and who closes it.
pub(super) struct Closing {
    /// None only while it is taken away at the end.
    stream: Option<TcpStream>,
    /// Whose pool closes it. Set if closing may linger.
    closer: OnceLock<DriverHandle>,
}

impl Closing {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream: Some(stream),
            closer: OnceLock::new(),
        }
    }

    /// Has a thread of the pool of `driver` close the stream, if it lingers then. The first one counts.
    pub(super) fn close_with(&self, driver: &DriverHandle) {
        self.closer.get_or_init(|| driver.clone());
    }

    /// Gives the stream away: its new owner closes it.
    pub(super) fn into_inner(mut self) -> TcpStream {
        self.stream.take().expect("taken by nobody but an owner")
    }
}

impl Deref for Closing {
    type Target = TcpStream;

    #[inline]
    fn deref(&self) -> &TcpStream {
        self.stream.as_ref().expect("taken by nobody but an owner")
    }
}

impl Connecting for Closing {
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        (**self).take_error()
    }

    fn has_peer(&self) -> bool {
        self.peer_addr().is_ok()
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        if let Some(driver) = self.closer.take() {
            if lingers(&stream) {
                driver
                    .plane()
                    .pool()
                    .offload(Box::new(move || drop(stream)));
            }
        }
    }
}

/// Whether closing `stream` may wait.
fn lingers(stream: &TcpStream) -> bool {
    matches!(SockRef::from(stream).linger(), Ok(Some(time)) if time > Duration::ZERO)
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Closing {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        (**self).as_raw_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Closing {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        (**self).as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsRawSocket for Closing {
    fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
        (**self).as_raw_socket()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Closing {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        (**self).as_socket()
    }
}

#[cfg(not(unix))]
impl mio::event::Source for Closing {
    fn register(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
        interest: mio::Interest,
    ) -> std::io::Result<()> {
        let stream = self.stream.as_mut().expect("taken by nobody but an owner");
        stream.register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
        interest: mio::Interest,
    ) -> std::io::Result<()> {
        let stream = self.stream.as_mut().expect("taken by nobody but an owner");
        stream.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &mio::Registry) -> std::io::Result<()> {
        let stream = self.stream.as_mut().expect("taken by nobody but an owner");
        stream.deregister(registry)
    }
}
