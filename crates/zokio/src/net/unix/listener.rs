//! [`UnixListener`]: takes connections.

use super::{SocketAddr, UnixStream};
use crate::io_driver::IoSource;
use crate::net::nonblocking::assert_nonblocking;
use std::fmt;
use std::io;
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll};
use zokio_driver::{Direction, Interest as DriverInterest};
use zokio_io::Interest;

/// A Unix-domain socket that listens for connections.
///
/// # Examples
/// ```
/// use zokio::io::{AsyncReadExt, AsyncWriteExt};
/// use zokio::net::{UnixListener, UnixStream};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("server");
/// let listener = UnixListener::bind(&path)?;
/// let server = zokio::spawn(async move {
///     let (mut stream, _) = listener.accept().await?;
///     stream.write_all(b"welcome").await
/// });
/// let mut said = String::new();
/// UnixStream::connect(&path).await?.read_to_string(&mut said).await?;
/// assert_eq!(said, "welcome");
/// server.await?
/// # }
/// ```
pub struct UnixListener {
    io: IoSource<mio::net::UnixListener>,
}

impl UnixListener {
    /// Listens on a path, which must not exist yet. On Linux a path that begins with a zero byte is
    /// a name in the abstract namespace.
    ///
    /// # Errors
    /// The errors of `bind`: `AddrInUse` if something has the path, `NotFound` if its folder does not
    /// exist, `PermissionDenied` if the folder may not be written to, `InvalidInput` if the path is too
    /// long for an address. Or that the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[track_caller]
    pub fn bind<P>(path: P) -> io::Result<UnixListener>
    where
        P: AsRef<Path>,
    {
        UnixListener::bind_addr(&super::stream::address_of(path.as_ref())?)
    }

    /// Listens on an address.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[track_caller]
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::new(mio::net::UnixListener::bind_addr(&addr.0)?)
    }

    #[track_caller]
    pub(super) fn new(listener: mio::net::UnixListener) -> io::Result<UnixListener> {
        let io = IoSource::new(listener, DriverInterest::READABLE)?;
        Ok(UnixListener { io })
    }

    /// Takes the next connection.
    ///
    /// # Errors
    /// The errors of `accept`: of a connection that was given up meanwhile (`ConnectionAborted`), or of the
    /// listener, for example that no more descriptors may be opened (`EMFILE`). The next call goes on in
    /// both cases. Or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no connection was taken.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let accept = || self.io.accept();
        let accepted = self.io.async_io(Interest::READABLE, accept).await?;
        self.accepted(accepted)
    }

    fn accepted(
        &self,
        (stream, peer): (mio::net::UnixStream, net::SocketAddr),
    ) -> io::Result<(UnixStream, SocketAddr)> {
        let stream = UnixStream::accepted(stream, self.io.driver())?;
        Ok((stream, SocketAddr(peer)))
    }

    /// Polls for a connection. Of several tasks that poll, the last is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.io
            .poll_io(cx, Direction::Read, || self.io.accept())
            .map(|accepted| self.accepted(accepted?))
    }

    /// Takes over a listener of the standard library, which must be in non-blocking mode.
    ///
    /// # Errors
    /// If the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O. In debug builds, if it is in blocking mode.
    #[track_caller]
    pub fn from_std(listener: net::UnixListener) -> io::Result<UnixListener> {
        assert_nonblocking(&listener)?;
        UnixListener::new(mio::net::UnixListener::from_std(listener))
    }

    /// Gives the listener away, as one of the standard library, still in non-blocking mode.
    ///
    /// # Errors
    /// If the system cannot deregister the socket. It always can while the socket is open.
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        Ok(self.io.into_inner()?.into())
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The errors of `getsockname`. An open socket gives none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr().map(SocketAddr)
    }

    /// Takes the pending error of the socket, if there is one.
    ///
    /// # Errors
    /// The errors of `getsockopt` (`SO_ERROR`). An open socket gives none. The pending error is in the
    /// `Ok`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.take_error()
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

socket_conversions!(UnixListener, net::UnixListener);
