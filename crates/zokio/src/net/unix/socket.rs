//! [`UnixSocket`]: a Unix-domain socket that is neither connected nor listening yet.

use super::{UnixDatagram, UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::path::Path;

/// A Unix-domain socket before it becomes a [`UnixStream`], a [`UnixDatagram`] or a
/// [`UnixListener`].
///
/// # Examples
/// ```no_run
/// use zokio::net::UnixSocket;
///
/// # async fn demo() -> std::io::Result<()> {
/// let socket = UnixSocket::new_stream()?;
/// socket.bind("/tmp/zokio.sock")?;
/// let listener = socket.listen(1024)?;
/// # drop(listener);
/// # Ok(()) }
/// ```
pub struct UnixSocket {
    inner: Socket,
}

impl UnixSocket {
    /// A socket for datagrams.
    ///
    /// # Errors
    /// What the system says.
    pub fn new_datagram() -> io::Result<UnixSocket> {
        UnixSocket::new(Type::DGRAM)
    }

    /// A socket for streams and listeners.
    ///
    /// # Errors
    /// What the system says.
    pub fn new_stream() -> io::Result<UnixSocket> {
        UnixSocket::new(Type::STREAM)
    }

    fn new(kind: Type) -> io::Result<UnixSocket> {
        let inner = Socket::new(Domain::UNIX, kind, None)?;
        inner.set_nonblocking(true)?;
        Ok(UnixSocket { inner })
    }

    fn expect_kind(&self, kind: Type, refusal: &'static str) -> io::Result<()> {
        if self.inner.r#type()? == kind {
            Ok(())
        } else {
            Err(io::Error::other(refusal))
        }
    }

    /// Gives the socket a path.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.inner.bind(&SockAddr::unix(path)?)
    }

    /// Listens, with room for `backlog` connections that nobody has accepted yet.
    ///
    /// # Errors
    /// What the system says; that the socket is for datagrams.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        self.expect_kind(Type::STREAM, "listen cannot be called on a datagram socket")?;
        self.inner
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        UnixListener::from_std(std::os::fd::OwnedFd::from(self.inner).into())
    }

    /// Connects.
    ///
    /// # Errors
    /// What the system says; that the socket is for datagrams.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        self.expect_kind(
            Type::STREAM,
            "connect cannot be called on a datagram socket",
        )?;
        match self.inner.connect(&SockAddr::unix(path)?) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let stream = std::os::fd::OwnedFd::from(self.inner).into();
        UnixStream::finish_connect(mio::net::UnixStream::from_std(stream)).await
    }

    /// Makes a socket for datagrams of it.
    ///
    /// # Errors
    /// That the socket is for streams.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        self.expect_kind(Type::DGRAM, "datagram cannot be called on a stream socket")?;
        UnixDatagram::from_std(std::os::fd::OwnedFd::from(self.inner).into())
    }
}

impl fmt::Debug for UnixSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

raw_socket!(UnixSocket);
