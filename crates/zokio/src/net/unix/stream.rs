//! [`UnixStream`]: one connection.

use super::SocketAddr;
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::ucred::{self, UCred};
use crate::io_driver::{IoSource, Moved, STREAM, until_possible};
use crate::net::connecting::connected;
use crate::net::nonblocking::assert_nonblocking;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll};
use zokio_driver::{DriverHandle, Ready};

/// A connection between two Unix-domain sockets.
///
/// Reading and writing go through [`AsyncRead`](zokio_io::AsyncRead) and
/// [`AsyncWrite`](zokio_io::AsyncWrite) and their extension traits.
///
/// # Examples
/// ```
/// use zokio::io::{AsyncReadExt, AsyncWriteExt};
/// use zokio::net::UnixStream;
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (mut near, mut far) = UnixStream::pair()?;
/// near.write_all(b"hello").await?;
/// near.shutdown().await?;
/// let mut said = String::new();
/// far.read_to_string(&mut said).await?;
/// assert_eq!(said, "hello");
/// # Ok(()) }
/// ```
pub struct UnixStream {
    io: IoSource<mio::net::UnixStream>,
    /// It is a socket of another kind (`SOCK_SEQPACKET`): each read takes one record, and there may be
    /// more behind.
    is_of_records: bool,
}

/// The address that a path stands for: on Linux a leading zero byte makes it an abstract name.
pub(super) fn address_of(path: &Path) -> io::Result<SocketAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;
        if let [0, name @ ..] = path.as_os_str().as_bytes() {
            return net::SocketAddr::from_abstract_name(name).map(SocketAddr);
        }
    }
    net::SocketAddr::from_pathname(path).map(SocketAddr)
}

impl UnixStream {
    /// Connects to the socket at a path. On Linux a path that begins with a zero byte is a name in
    /// the abstract namespace.
    ///
    /// Waits while the listener has as many connections to accept as it has room for. The system has no
    /// event for the end of that, so the attempt is repeated with pauses that grow from half a
    /// millisecond to 32 ms.
    ///
    /// # Errors
    /// `NotFound` if there is no such path, `ConnectionRefused` if nobody listens there; what the system
    /// says besides.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket, whether it is connected or not.
    pub async fn connect<P>(path: P) -> io::Result<UnixStream>
    where
        P: AsRef<Path>,
    {
        let address = address_of(path.as_ref())?;
        UnixStream::connect_addr(&address).await
    }

    /// Connects to an address. Waits for room at the listener as [`connect`](Self::connect) does.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    ///
    /// # Cancel safety
    /// As [`connect`](Self::connect).
    pub async fn connect_addr(addr: &SocketAddr) -> io::Result<UnixStream> {
        let connect = || mio::net::UnixStream::connect_addr(&addr.0);
        UnixStream::finish_connect(until_possible(connect).await?).await
    }

    /// Waits until a connection that was begun is there.
    pub(super) async fn finish_connect(stream: mio::net::UnixStream) -> io::Result<UnixStream> {
        let io = connected(IoSource::new(stream, STREAM)?).await?;
        Ok(UnixStream::of(io))
    }

    fn of(io: IoSource<mio::net::UnixStream>) -> UnixStream {
        let is_of_records = false;
        UnixStream { io, is_of_records }
    }

    /// A stream that belongs to the driver of the listener that accepted it. It has room to send,
    /// and often the peer has already sent something.
    pub(super) fn accepted(
        stream: mio::net::UnixStream,
        driver: &DriverHandle,
    ) -> io::Result<UnixStream> {
        let io = IoSource::with_driver(stream, STREAM, driver.clone())?;
        let io = io.assuming(Ready::READABLE | Ready::WRITABLE);
        Ok(UnixStream::of(io))
    }

    /// Two sockets that are connected with each other.
    ///
    /// # Errors
    /// The errors of `socketpair`: an error without a kind (`EMFILE`, `ENFILE`) if no more descriptors may
    /// be opened; or that the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = mio::net::UnixStream::pair()?;
        let end = |stream: mio::net::UnixStream| {
            let io = IoSource::new(stream, STREAM)?.assuming(Ready::WRITABLE);
            io::Result::Ok(UnixStream::of(io))
        };
        Ok((end(left)?, end(right)?))
    }

    /// Takes over a stream of the standard library, which must be in non-blocking mode.
    ///
    /// # Errors
    /// If the runtime has shut down; and the errors of registering the socket with the system, for example
    /// `StorageFull` if it watches no more.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O. In debug builds, if it is in blocking mode.
    #[track_caller]
    pub fn from_std(stream: net::UnixStream) -> io::Result<UnixStream> {
        assert_nonblocking(&stream)?;
        let kind = SockRef::from(&stream).r#type();
        // A descriptor that is no socket at all says so when it is used.
        let is_of_records = kind.is_ok_and(|kind| kind != socket2::Type::STREAM);
        let io = IoSource::new(mio::net::UnixStream::from_std(stream), STREAM)?.watched()?;
        Ok(UnixStream { io, is_of_records })
    }

    /// Gives the stream away, as one of the standard library, still in non-blocking mode.
    ///
    /// # Errors
    /// If the system cannot deregister the socket. It always can while the socket is open.
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        Ok(self.io.into_inner()?.into())
    }

    /// The address of this side.
    ///
    /// # Errors
    /// The errors of `getsockname`. An open socket gives none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr().map(SocketAddr)
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// If the stream is not connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.peer_addr().map(SocketAddr)
    }

    /// The process that had the other end when the stream was connected, and its owner.
    ///
    /// # Errors
    /// The errors of `getsockopt` (`SO_PEERCRED`) on Linux, of `getpeerucred` on illumos and Solaris, and
    /// of `getpeereid` elsewhere: `NotConnected` if the stream has no peer.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        ucred::of(self)
    }

    /// Takes the pending error of the socket, if there is one.
    ///
    /// # Errors
    /// The errors of `getsockopt` (`SO_ERROR`). An open socket gives none. The pending error is in the
    /// `Ok`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.take_error()
    }

    /// Halves that borrow the stream.
    pub fn split<'a>(&'a mut self) -> (ReadHalf<'a>, WriteHalf<'a>) {
        split::split(self)
    }

    /// Halves that own the stream together. Dropping the writing half closes the write side.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::split_owned(self)
    }

    /// Receives into memory that may be uninitialised.
    #[inline]
    fn recv_moved(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<Moved> {
        let (bytes, cut_off) = zokio_driver::stream::recv_uninit(self.io.as_fd(), buf)?;
        Ok(Moved {
            bytes,
            at_boundary: cut_off || self.is_of_records,
        })
    }

    /// Nothing is to be waited for: what the peer has sent is here, whether or not the peer has read what it
    /// was sent. So the end of a Unix stream is never a reason to leave bytes of it unread.
    pub(crate) fn poll_failure_shared(&self, _cx: &mut Context<'_>) -> Poll<io::Error> {
        Poll::Pending
    }

    readiness_methods!();
    poll_readiness_methods!(poll_read_ready, poll_write_ready);
    stream_try_methods!();
    stream_shared_methods!(UnixStream);
}

impl AsRef<Self> for UnixStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

stream_traits!(UnixStream, |stream| stream);
socket_conversions!(UnixStream, net::UnixStream);
