//! [`TcpListener`]: takes connections.

use super::TcpStream;
use crate::io_driver::IoSource;
use crate::net::ToSocketAddrs;
use crate::net::addr::{no_address, resolve};
use crate::net::nonblocking::assert_nonblocking;
use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::task::{Context, Poll};
use zokio_base::sync::atomic::{AtomicBool, Ordering};
use zokio_driver::{Direction, Interest as DriverInterest};
use zokio_io::Interest;

/// A TCP socket that listens for connections.
///
/// # Examples
/// ```no_run
/// use zokio::net::TcpListener;
///
/// # async fn demo() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:8080").await?;
/// loop {
///     let (stream, peer) = listener.accept().await?;
///     println!("{peer} is here");
///     drop(stream);
/// }
/// # }
/// ```
pub struct TcpListener {
    io: IoSource<mio::net::TcpListener>,
    /// Its connections may linger: its descriptor was somebody else's, or was lent. Relaxed everywhere: who
    /// lends it and sets the option has done the former before the latter, and a connection that is accepted
    /// meanwhile may have the option or not.
    may_linger: AtomicBool,
}

impl TcpListener {
    /// Listens on the first of the addresses that works, with `SO_REUSEADDR` (not on Windows).
    ///
    /// Port 0 asks the system for a free port; [`local_addr`](Self::local_addr) tells which.
    ///
    /// # Errors
    /// The error of the last address; `InvalidInput` if there is none.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        let mut last = None;
        for address in resolve(addr).await? {
            match mio::net::TcpListener::bind(address) {
                Ok(listener) => return TcpListener::new(listener),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    #[track_caller]
    pub(crate) fn new(listener: mio::net::TcpListener) -> io::Result<TcpListener> {
        let io = IoSource::new(listener, DriverInterest::READABLE)?;
        Ok(TcpListener {
            io,
            may_linger: AtomicBool::new(false),
        })
    }

    /// Takes the next connection: its stream and the address of the peer.
    ///
    /// # Errors
    /// The errors of `accept`: of a connection that was given up meanwhile (`ConnectionAborted`), or of the
    /// listener, for example that no more descriptors may be opened (`EMFILE`). The next call goes on in
    /// both cases. Or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no connection was taken.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = || self.io.accept();
        let accepted = self.io.async_io(Interest::READABLE, accept).await?;
        self.accepted(accepted)
    }

    /// The driver that the listener is tied to.
    #[cfg(target_os = "linux")]
    pub(crate) fn driver_handle(&self) -> &zokio_driver::DriverHandle {
        self.io.driver()
    }

    fn accepted(
        &self,
        (stream, peer): (mio::net::TcpStream, SocketAddr),
    ) -> io::Result<(TcpStream, SocketAddr)> {
        Ok((self.stream_of(stream)?, peer))
    }

    /// A connection that the system has accepted here.
    pub(crate) fn stream_of(&self, stream: mio::net::TcpStream) -> io::Result<TcpStream> {
        let stream = TcpStream::accepted(stream, self.io.driver())?;
        // Relaxed: see the field.
        if self.may_linger.load(Ordering::Relaxed) {
            stream.note_lent();
        }
        Ok(stream)
    }

    /// Takes note that connections may inherit that they linger.
    pub(super) fn note_lent(&self) {
        // Relaxed: see the field.
        self.may_linger.store(true, Ordering::Relaxed);
    }

    /// Polls for a connection. Of several tasks that poll, the last is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.io
            .poll_io(cx, Direction::Read, || self.io.accept())
            .map(|accepted| self.accepted(accepted?))
    }

    /// Takes over a listener of the standard library, which must be in non-blocking mode.
    ///
    /// # Errors
    /// If the runtime has shut down. On Windows also the errors of registering the socket.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O. In debug builds, if it is in blocking mode
    /// (not on Windows, which does not tell).
    #[track_caller]
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        assert_nonblocking(&listener)?;
        let listener = TcpListener::new(mio::net::TcpListener::from_std(listener))?;
        listener.note_lent();
        Ok(listener)
    }

    /// Gives the listener away, as one of the standard library, still in non-blocking mode.
    ///
    /// # Errors
    /// If the system cannot deregister the socket. It always can while the socket is open.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        Ok(self.io.into_inner()?.into())
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The errors of `getsockname`. An open socket gives none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
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

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

socket_conversions!(TcpListener, net::TcpListener, noted_descriptors);
