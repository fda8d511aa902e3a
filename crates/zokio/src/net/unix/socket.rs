//! [`UnixSocket`]: a Unix-domain socket that is neither connected nor listening yet.

use super::{UnixDatagram, UnixListener, UnixStream};
use crate::io_driver::until_possible;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A Unix-domain socket before it becomes a [`UnixStream`], a [`UnixDatagram`] or a
/// [`UnixListener`].
///
/// # Examples
/// ```
/// use zokio::net::UnixSocket;
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let folder = tempfile::tempdir()?;
/// let server = UnixSocket::new_stream()?;
/// server.bind(folder.path().join("server"))?;
/// let listener = server.listen(1024)?;
/// // A client that has a name too.
/// let client = UnixSocket::new_stream()?;
/// client.bind(folder.path().join("client"))?;
/// let _stream = client.connect(folder.path().join("server")).await?;
/// let (_, from) = listener.accept().await?;
/// assert!(from.as_pathname().unwrap().ends_with("client"));
/// # Ok(()) }
/// ```
pub struct UnixSocket {
    inner: Socket,
}

impl UnixSocket {
    /// A socket for datagrams.
    ///
    /// # Errors
    /// The errors of `socket`: an error without a kind (`EMFILE`, `ENFILE`) if no more descriptors may be
    /// opened.
    pub fn new_datagram() -> io::Result<UnixSocket> {
        UnixSocket::new(Type::DGRAM)
    }

    /// A socket for streams and listeners.
    ///
    /// # Errors
    /// The errors of `socket`: an error without a kind (`EMFILE`, `ENFILE`) if no more descriptors may be
    /// opened.
    pub fn new_stream() -> io::Result<UnixSocket> {
        UnixSocket::new(Type::STREAM)
    }

    fn new(kind: Type) -> io::Result<UnixSocket> {
        let inner = Socket::new(Domain::UNIX, kind, None)?;
        inner.set_nonblocking(true)?;
        Ok(UnixSocket { inner })
    }

    /// An error if the socket is of a kind. What is neither for streams nor for datagrams (made of a
    /// descriptor) may be used in every way that the system allows.
    fn refuse_kind(&self, kind: Type, refusal: &'static str) -> io::Result<()> {
        if self.inner.r#type()? == kind {
            return Err(io::Error::other(refusal));
        }
        Ok(())
    }

    /// Gives the socket a path.
    ///
    /// # Errors
    /// The errors of `bind`: `AddrInUse` if something has the path, `NotFound` if its folder does not
    /// exist, `PermissionDenied` if the folder may not be written to, `InvalidInput` if the path is too
    /// long for an address.
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.inner.bind(&SockAddr::unix(path)?)
    }

    /// Listens, with room for `backlog` connections that nobody has accepted yet.
    ///
    /// # Errors
    /// An error if the socket is for datagrams; the errors of `listen`: `InvalidInput` if it has no path;
    /// or that the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        self.refuse_kind(Type::DGRAM, "listen cannot be called on a datagram socket")?;
        self.inner
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        let listener = OwnedFd::from(self.inner).into();
        UnixListener::new(mio::net::UnixListener::from_std(listener))
    }

    /// Connects. Waits for room at the listener as [`UnixStream::connect`] does.
    ///
    /// # Errors
    /// As [`UnixStream::connect`]; that the socket is for datagrams.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        self.refuse_kind(Type::DGRAM, "connect cannot be called on a datagram socket")?;
        let address = SockAddr::unix(path)?;
        match until_possible(|| self.inner.connect(&address)).await {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let stream = OwnedFd::from(self.inner).into();
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
        self.refuse_kind(Type::STREAM, "datagram cannot be called on a stream socket")?;
        let socket = OwnedFd::from(self.inner).into();
        UnixDatagram::new(mio::net::UnixDatagram::from_std(socket))
    }
}

impl fmt::Debug for UnixSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

raw_socket!(UnixSocket);
