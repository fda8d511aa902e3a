//! [`TcpSocket`]: a TCP socket that is not yet connected and does not yet listen.

use super::stream::refused_to_begin;
use super::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

/// A TCP socket before it becomes a [`TcpStream`] or a [`TcpListener`], so that options can be set
/// first.
///
/// # Examples
/// ```no_run
/// use zokio::net::TcpSocket;
///
/// # async fn demo() -> std::io::Result<()> {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind("127.0.0.1:8080".parse().unwrap())?;
/// let listener = socket.listen(1024)?;
/// # Ok(()) }
/// ```
pub struct TcpSocket {
    inner: Socket,
}

/// A pair of methods that get and set one option.
macro_rules! option {
    ($(#[$get_doc:meta])* $get:ident => $get_inner:ident,
     $(#[$set_doc:meta])* $set:ident => $set_inner:ident, $type:ty) => {
        $(#[$get_doc])*
        ///
        /// # Errors
        /// The errors of `getsockopt`. An open socket gives none.
        pub fn $get(&self) -> io::Result<$type> {
            self.inner.$get_inner()
        }

        $(#[$set_doc])*
        ///
        /// # Errors
        /// The errors of `setsockopt`. An open socket gives none.
        pub fn $set(&self, value: $type) -> io::Result<()> {
            self.inner.$set_inner(value)
        }
    };
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    /// The errors of `socket`: an error without a kind (`EMFILE`, `ENFILE`) if no more descriptors may be
    /// opened.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    /// The errors of `socket`: an error without a kind (`EMFILE`, `ENFILE`) if no more descriptors may be
    /// opened, or (`EAFNOSUPPORT`) if the system has no IPv6.
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV6)
    }

    fn new(domain: Domain) -> io::Result<TcpSocket> {
        let inner = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        inner.set_nonblocking(true)?;
        Ok(TcpSocket { inner })
    }

    /// Takes over a socket of the standard library that was made for the purpose: it must be neither
    /// connected nor listening, and in non-blocking mode.
    pub fn from_std_stream(std_stream: net::TcpStream) -> TcpSocket {
        TcpSocket {
            inner: std_stream.into(),
        }
    }

    /// Gives the socket a local address.
    ///
    /// # Errors
    /// The errors of `bind`: `AddrInUse` if another socket has the address, `AddrNotAvailable` if it is
    /// none of this host's, `PermissionDenied` if the port is reserved.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.inner.bind(&addr.into())
    }

    /// Connects.
    ///
    /// # Errors
    /// The errors of `connect`: `ConnectionRefused` if nobody listens, `TimedOut` if nobody answers,
    /// `NetworkUnreachable` or `HostUnreachable` if no route leads there, `AddrNotAvailable` if no local
    /// port is free; or that the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        match self.inner.connect(&addr.into()) {
            Ok(()) => {}
            Err(error) if is_under_way(&error) => {}
            Err(error) => return Err(refused_to_begin(error)),
        }
        let stream = mio::net::TcpStream::from_std(self.inner.into());
        let stream = TcpStream::finish_connect(stream).await?;
        stream.note_lent();
        Ok(stream)
    }

    /// Listens, with room for `backlog` connections that nobody has accepted yet.
    ///
    /// # Errors
    /// The errors of `listen`: `AddrInUse` if another socket listens at the address; or that the runtime
    /// has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.inner
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        let listener = TcpListener::new(mio::net::TcpListener::from_std(self.inner.into()))?;
        listener.note_lent();
        Ok(listener)
    }

    /// The local address.
    ///
    /// # Errors
    /// `InvalidInput` if the socket is of a family that is not IP; and the errors of `getsockname`, of
    /// which an open socket gives none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.inner.local_addr()?;
        let not_ip = || {
            let kind = io::ErrorKind::InvalidInput;
            io::Error::new(kind, "the local address is not an IP address")
        };
        address.as_socket().ok_or_else(not_ip)
    }

    /// Takes the pending error of the socket, if there is one.
    ///
    /// # Errors
    /// The errors of `getsockopt` (`SO_ERROR`). An open socket gives none. The pending error is in the
    /// `Ok`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }
}

/// Whether a connection that was begun goes on by itself.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        error.raw_os_error() == Some(libc::EINPROGRESS)
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::WouldBlock
    }
}

/// Options.
impl TcpSocket {
    option! {
        /// Whether keep-alive probes are sent (`SO_KEEPALIVE`).
        keepalive => keepalive,
        /// Sets whether keep-alive probes are sent (`SO_KEEPALIVE`).
        set_keepalive => set_keepalive, bool
    }

    option! {
        /// Whether a local address may be reused (`SO_REUSEADDR`).
        reuseaddr => reuse_address,
        /// Sets whether a local address may be reused (`SO_REUSEADDR`).
        set_reuseaddr => set_reuse_address, bool
    }

    /// Whether several sockets may share a local address (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    #[cfg(all(
        unix,
        not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
    ))]
    pub fn reuseport(&self) -> io::Result<bool> {
        self.inner.reuse_port()
    }

    /// Sets whether several sockets may share a local address (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    #[cfg(all(
        unix,
        not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
    ))]
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        self.inner.set_reuse_port(reuseport)
    }

    option! {
        /// Whether small segments are sent at once (`TCP_NODELAY`).
        nodelay => tcp_nodelay,
        /// Sets whether small segments are sent at once (`TCP_NODELAY`).
        set_nodelay => set_tcp_nodelay, bool
    }

    /// The size of the send buffer (`SO_SNDBUF`), as the system counts it.
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.inner.send_buffer_size().map(saturate)
    }

    /// Sets the size of the send buffer (`SO_SNDBUF`). The system may choose another.
    ///
    /// # Errors
    /// The errors of `setsockopt`. Linux has none: it takes the nearest size that it allows.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.inner.set_send_buffer_size(size as usize)
    }

    /// The size of the receive buffer (`SO_RCVBUF`), as the system counts it.
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.inner.recv_buffer_size().map(saturate)
    }

    /// Sets the size of the receive buffer (`SO_RCVBUF`). The system may choose another.
    ///
    /// # Errors
    /// The errors of `setsockopt`. Linux has none: it takes the nearest size that it allows.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.inner.set_recv_buffer_size(size as usize)
    }

    /// How long closing waits for data that was not sent (`SO_LINGER`), if it does.
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.inner.linger()
    }

    /// Sets how long closing waits for data that was not sent (`SO_LINGER`). The connections that a listener
    /// accepts have its setting.
    ///
    /// For the end of a stream that is dropped see [`TcpStream::set_linger`].
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    #[deprecated = "`SO_LINGER` causes the socket to block the thread on drop"]
    pub fn set_linger(&self, dur: Option<Duration>) -> io::Result<()> {
        self.inner.set_linger(dur)
    }

    /// Has closing discard data that was not sent, and reset the connection (`SO_LINGER` of zero).
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.inner.set_linger(Some(Duration::ZERO))
    }

    traffic_class_methods!(inner);
}

fn saturate(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

raw_socket!(TcpSocket);
