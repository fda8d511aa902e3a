//! [`TcpStream`]: one connection.

use super::closing::Closing;
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::io_driver::{IoSource, Moved, STREAM};
use crate::net::ToSocketAddrs;
use crate::net::addr::{no_address, resolve};
use crate::net::connecting::connected;
use crate::net::nonblocking::assert_nonblocking;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::net::{self, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;
use zokio_driver::{DriverHandle, Ready};
use zokio_io::{Interest, ReadBuf};

/// A TCP connection.
///
/// Reading and writing go through [`AsyncRead`](zokio_io::AsyncRead) and
/// [`AsyncWrite`](zokio_io::AsyncWrite) and their extension traits. Dropping the stream closes it;
/// shutting it down closes the write side only.
///
/// # Examples
/// ```no_run
/// use zokio::net::TcpStream;
/// use zokio_io::AsyncWriteExt;
///
/// # async fn demo() -> std::io::Result<()> {
/// let mut stream = TcpStream::connect("127.0.0.1:8080").await?;
/// stream.write_all(b"hello").await?;
/// # Ok(()) }
/// ```
pub struct TcpStream {
    io: IoSource<Closing>,
}

/// The error of a connection that the system would not begin. Some systems say `WouldBlock` if they
/// have no free local port: there is nothing that could be waited for.
pub(super) fn refused_to_begin(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        return io::Error::new(io::ErrorKind::AddrNotAvailable, error);
    }
    error
}

impl TcpStream {
    /// Connects to the first of the addresses that works.
    ///
    /// # Errors
    /// The error of the last address; `InvalidInput` if there is none.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    ///
    /// # Cancel safety
    /// Dropping the future closes a connection that is being made.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        let mut last = None;
        for address in resolve(addr).await? {
            let connecting = match mio::net::TcpStream::connect(address) {
                Ok(stream) => TcpStream::finish_connect(stream).await,
                Err(error) => Err(error),
            };
            match connecting {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// Waits until a connection that was begun is there.
    pub(crate) async fn finish_connect(stream: mio::net::TcpStream) -> io::Result<TcpStream> {
        let io = connected(TcpStream::new(stream)?.io).await?;
        Ok(TcpStream { io })
    }

    #[track_caller]
    pub(crate) fn new(stream: mio::net::TcpStream) -> io::Result<TcpStream> {
        let io = IoSource::new(Closing::new(stream), STREAM)?;
        Ok(TcpStream { io })
    }

    /// A stream that belongs to the driver of the listener that accepted it. It has room to send,
    /// and often the peer has already sent something.
    pub(crate) fn accepted(
        stream: mio::net::TcpStream,
        driver: &DriverHandle,
    ) -> io::Result<TcpStream> {
        let io = IoSource::with_driver(Closing::new(stream), STREAM, driver.clone())?;
        Ok(TcpStream {
            io: io.assuming(Ready::READABLE | Ready::WRITABLE),
        })
    }

    /// Takes over a stream of the standard library, which must be in non-blocking mode.
    ///
    /// # Errors
    /// If the runtime has shut down. On Windows also the errors of registering the socket.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O. In debug builds, if it is in blocking mode
    /// (not on Windows, which does not tell).
    #[track_caller]
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        assert_nonblocking(&stream)?;
        let stream = TcpStream::new(mio::net::TcpStream::from_std(stream))?;
        stream.note_lent();
        Ok(stream)
    }

    /// Gives the stream away, as one of the standard library, still in non-blocking mode.
    ///
    /// # Errors
    /// If the system cannot deregister the socket. It always can while the socket is open.
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        Ok(self.io.into_inner()?.into_inner().into())
    }

    /// The address of this side.
    ///
    /// # Errors
    /// The errors of `getsockname`. An open socket gives none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// If the stream is not connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.peer_addr()
    }

    /// Takes the pending error of the socket, if there is one.
    ///
    /// # Errors
    /// The errors of `getsockopt` (`SO_ERROR`). An open socket gives none. The pending error is in the
    /// `Ok`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.take_error()
    }

    /// Looks at bytes without taking them. Returns how many there are, up to what fits.
    ///
    /// # Errors
    /// The errors of `recv`: `ConnectionReset` if the peer has broken the connection off; or that the
    /// runtime has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let peek = || self.io.peek(buf);
        self.io.async_io(Interest::READABLE, peek).await
    }

    /// Polls for bytes to look at, which are then in the filled part of `buf`.
    ///
    /// Of several tasks that poll for reading, the last is woken.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_recv(cx, buf, |buf| {
            let look = || SockRef::from(self.socket()).peek(buf);
            let seen = mio::net::TcpStream::try_io(&self.io, look)?;
            Ok((seen, seen))
        })
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
        self.recv(buf).map(Moved::from)
    }

    /// Takes note that the stream may linger from now on: it was told to, or its descriptor was somebody
    /// else's who may have done so, or still may.
    pub(super) fn note_lent(&self) {
        self.io.close_with(self.io.driver());
    }

    /// Waits for a reset of the connection, or for the system to give it up.
    pub(crate) fn poll_failure_shared(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.io.poll_failure(cx, || self.io.take_error())
    }

    readiness_methods!();
    poll_readiness_methods!(poll_read_ready, poll_write_ready);
    stream_try_methods!();
    stream_shared_methods!(TcpStream);
}

/// Options.
impl TcpStream {
    /// Whether small segments are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.nodelay()
    }

    /// Sets whether small segments are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.set_nodelay(nodelay)
    }

    /// Whether received data is acknowledged at once (`TCP_QUICKACK`).
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
    pub fn quickack(&self) -> io::Result<bool> {
        SockRef::from(self.socket()).tcp_quickack()
    }

    /// Sets whether received data is acknowledged at once (`TCP_QUICKACK`). The system may turn it
    /// off again by itself.
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        SockRef::from(self.socket()).set_tcp_quickack(quickack)
    }

    /// How long closing waits for data that was not sent (`SO_LINGER`), if it does.
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self.socket()).linger()
    }

    /// Sets how long closing waits for data that was not sent (`SO_LINGER`).
    ///
    /// A stream that is dropped does not keep its thread waiting: a thread of the runtime's blocking pool
    /// closes it, for which the end of the runtime waits. Once the pool has shut down, the thread that drops the
    /// stream waits. A stream that was given away with [`into_std`](Self::into_std) is its owner's to close.
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    #[deprecated = "`SO_LINGER` causes the socket to block the thread on drop"]
    pub fn set_linger(&self, dur: Option<Duration>) -> io::Result<()> {
        self.note_lent();
        SockRef::from(self.socket()).set_linger(dur)
    }

    /// Has closing discard data that was not sent, and reset the connection (`SO_LINGER` of zero).
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        SockRef::from(self.socket()).set_linger(Some(Duration::ZERO))
    }

    /// The time to live of the packets it sends.
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.ttl()
    }

    /// Sets the time to live of the packets it sends.
    ///
    /// # Errors
    /// The errors of `setsockopt` (`IP_TTL`): on Linux `InvalidInput` unless it is between 1 and 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.set_ttl(ttl)
    }
}

impl AsRef<Self> for TcpStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

stream_traits!(TcpStream, |stream| stream);
socket_conversions!(TcpStream, net::TcpStream, noted_descriptors);
