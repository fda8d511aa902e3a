//! [`UnixDatagram`]: datagrams between processes of one host.

use super::SocketAddr;
use super::room::{self, RefusedSlot, Room};
use crate::io_driver::{BOTH, IoSource, RECEIVABLE, advance, attempt, spare};
use crate::net::nonblocking::assert_nonblocking;
use bytes::BufMut;
use socket2::{SockAddr, SockRef};
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll, ready};
use zokio_base::sync::atomic::{AtomicBool, Ordering};
use zokio_driver::{Direction, Ready};
use zokio_io::{Interest, ReadBuf};
use zokio_task::coop;

/// A Unix-domain socket for datagrams. All methods take `&self`, so tasks can share it in an `Arc`.
///
/// # Examples
/// ```
/// use zokio::net::UnixDatagram;
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("server");
/// let server = UnixDatagram::bind(&path)?;
/// let client = UnixDatagram::unbound()?;
/// client.send_to(b"hello", &path).await?;
/// let mut buf = [0; 16];
/// let (len, from) = server.recv_from(&mut buf).await?;
/// assert_eq!(&buf[..len], b"hello");
/// assert!(from.is_unnamed());
/// # Ok(()) }
/// ```
pub struct UnixDatagram {
    io: IoSource<Socket>,
}

/// The system's socket, and what the system does not tell: a non-blocking receive from a socket that
/// was shut down and has nothing left says that it would block (on Linux). Here it is at its end.
struct Socket {
    inner: mio::net::UnixDatagram,
    is_shut_down: AtomicBool,
    /// The room that a sender that polls waits for.
    refused: RefusedSlot,
}

impl Socket {
    /// The result of a receive, or `end` if it will never bring anything.
    fn received<R>(
        &self,
        result: io::Result<R>,
        end: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        match result {
            // Acquire: pairs with the store in `shutdown`, which comes before the event that has a
            // receiver try again.
            Err(error)
                if error.kind() == ErrorKind::WouldBlock
                    && self.is_shut_down.load(Ordering::Acquire) =>
            {
                end()
            }
            result => result,
        }
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let is_for_receiving = matches!(how, Shutdown::Read | Shutdown::Both);
        if is_for_receiving {
            // Release: pairs with the load in `received`.
            self.is_shut_down.store(true, Ordering::Release);
        }
        self.inner.shutdown(how)
    }

    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.received(self.inner.recv(buf), || Ok(0))
    }

    fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, net::SocketAddr)> {
        self.received(self.inner.recv_from(buf), || Ok((0, nobody()?)))
    }

    fn recv_uninit(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        self.received(SockRef::from(&self.inner).recv(buf), || Ok(0))
    }

    fn recv_from_uninit(
        &self,
        buf: &mut [MaybeUninit<u8>],
    ) -> io::Result<(usize, net::SocketAddr)> {
        let received = SockRef::from(&self.inner).recv_from(buf);
        let received = received.and_then(|(len, from)| Ok((len, address_of(&from)?)));
        self.received(received, || Ok((0, nobody()?)))
    }
}

/// The address of a socket without a name.
fn nobody() -> io::Result<net::SocketAddr> {
    net::SocketAddr::from_pathname("")
}

/// An address in the standard library's form.
fn address_of(address: &SockAddr) -> io::Result<net::SocketAddr> {
    if let Some(address) = address.as_unix() {
        return Ok(address);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.as_abstract_namespace() {
        use std::os::linux::net::SocketAddrExt;
        return net::SocketAddr::from_abstract_name(name);
    }
    nobody()
}

impl Deref for Socket {
    type Target = mio::net::UnixDatagram;

    fn deref(&self) -> &mio::net::UnixDatagram {
        &self.inner
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl UnixDatagram {
    /// A socket with a path, which must not exist yet.
    ///
    /// # Errors
    /// The errors of `bind`: `AddrInUse` if something has the path, `NotFound` if its folder does not
    /// exist, `PermissionDenied` if the folder may not be written to, `InvalidInput` if the path is too
    /// long for an address. Or that the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn bind<P>(path: P) -> io::Result<UnixDatagram>
    where
        P: AsRef<Path>,
    {
        UnixDatagram::new(mio::net::UnixDatagram::bind(path)?)
    }

    /// Two sockets that are connected with each other.
    ///
    /// # Errors
    /// The errors of `socketpair`: an error without a kind (`EMFILE`, `ENFILE`) if no more descriptors may
    /// be opened; or that the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (left, right) = mio::net::UnixDatagram::pair()?;
        let end = |socket| {
            let UnixDatagram { io } = UnixDatagram::new(socket)?;
            // A new socket has room to send.
            let io = io.assuming(Ready::WRITABLE);
            io::Result::Ok(UnixDatagram { io })
        };
        Ok((end(left)?, end(right)?))
    }

    /// A socket without a name.
    ///
    /// # Errors
    /// The errors of `socket`: an error without a kind (`EMFILE`, `ENFILE`) if no more descriptors may be
    /// opened; or that the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::new(mio::net::UnixDatagram::unbound()?)
    }

    #[track_caller]
    pub(super) fn new(inner: mio::net::UnixDatagram) -> io::Result<UnixDatagram> {
        let socket = Socket {
            inner,
            is_shut_down: AtomicBool::new(false),
            refused: RefusedSlot::new(None),
        };
        let io = IoSource::new(socket, BOTH)?.watched()?;
        Ok(UnixDatagram { io })
    }

    /// Takes over a socket of the standard library, which must be in non-blocking mode.
    ///
    /// # Errors
    /// If the runtime has shut down; and the errors of registering the socket with the system, for example
    /// `StorageFull` if it watches no more.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O. In debug builds, if it is in blocking mode.
    #[track_caller]
    pub fn from_std(datagram: net::UnixDatagram) -> io::Result<UnixDatagram> {
        assert_nonblocking(&datagram)?;
        UnixDatagram::new(mio::net::UnixDatagram::from_std(datagram))
    }

    /// Gives the socket away, as one of the standard library, still in non-blocking mode.
    ///
    /// # Errors
    /// If the system cannot deregister the socket. It always can while the socket is open.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        Ok(self.io.into_inner()?.inner.into())
    }

    /// Sets the peer of [`send`](Self::send) and [`recv`](Self::recv).
    ///
    /// # Errors
    /// The errors of `connect`: `NotFound` if nothing has the path, `ConnectionRefused` if no socket is
    /// open there, `PermissionDenied` if it may not be written to, an error without a kind (`EPROTOTYPE`)
    /// if it is one for streams.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.io.connect(path)
    }

    /// The address of this side.
    ///
    /// # Errors
    /// The errors of `getsockname`. An open socket gives none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr().map(SocketAddr)
    }

    /// The address of the connected peer.
    ///
    /// # Errors
    /// If the socket is not connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.peer_addr().map(SocketAddr)
    }

    /// Takes the pending error of the socket, if there is one.
    ///
    /// # Errors
    /// The errors of `getsockopt` (`SO_ERROR`). An open socket gives none. The pending error is in the
    /// `Ok`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.take_error()
    }

    /// Closes a side of the socket, or both. What was received before is still there; after it, a
    /// side that receives is at its end: 0 bytes, also for those who wait.
    ///
    /// # Errors
    /// The errors of `shutdown`: `NotConnected` if the socket has no peer, except on Linux.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.shutdown(how)
    }

    readiness_methods!();
    poll_readiness_methods!(poll_recv_ready, poll_send_ready);
    datagram_methods!();

    fn recv_raw(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        self.io.recv_uninit(buf)
    }

    fn recv_from_raw(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<(usize, SocketAddr)> {
        let (len, from) = self.io.recv_from_uninit(buf)?;
        Ok((len, SocketAddr(from)))
    }
}

/// Datagrams with addresses.
impl UnixDatagram {
    /// Sends a datagram to the socket at a path.
    ///
    /// Waits while the peer's queue is full. The system does not say when that ends to a socket that is
    /// not connected, so a second socket waits for it, which needs a descriptor for that time; without
    /// one, sending is tried again with pauses of up to 32 ms. A loop of
    /// [`writable`](Self::writable) and [`try_send_to`](Self::try_send_to) has no such help: on Linux it
    /// runs without a pause until the peer has room.
    ///
    /// # Errors
    /// The errors of `sendto`: `NotFound` if nothing has the path, `ConnectionRefused` if no socket is open
    /// there, an error without a kind (`EMSGSIZE`) if the datagram is too long; or that the runtime has
    /// shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, nothing was sent.
    pub async fn send_to<P>(&self, buf: &[u8], target: P) -> io::Result<usize>
    where
        P: AsRef<Path>,
    {
        let target = target.as_ref();
        let mut room = None;
        loop {
            let sent = attempt(|| {
                let send = || self.io.send_to(buf, target);
                self.io.try_io(Interest::WRITABLE, send)
            });
            match sent.await {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                sent => return sent,
            }
            match &mut room {
                // It was writable, and the datagram was refused: it is the peer that has no room.
                Some(room) => poll_fn(|cx| Room::poll(room, cx, target, self.io.driver())).await?,
                none => *none = Some(Room::new()),
            }
            self.io.ready(Interest::WRITABLE).await?;
        }
    }

    /// Polls for sending a datagram. Of several tasks that poll for writing, the last is woken.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to), which says too what it does while the peer's queue is full.
    pub fn poll_send_to<P>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: P,
    ) -> Poll<io::Result<usize>>
    where
        P: AsRef<Path>,
    {
        let target = target.as_ref();
        let unit = ready!(coop::poll_proceed(cx));
        let sent = ready!(room::poll_send_to(
            &self.io.refused,
            cx,
            target,
            self.io.driver(),
            |cx| self.io.poll_waiting(cx, Direction::Write),
            || {
                let send = || self.io.send_to(buf, target);
                self.io.try_io(Interest::WRITABLE, send)
            },
        ));
        unit.made_progress();
        Poll::Ready(sent)
    }

    /// Tries to send a datagram.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; otherwise as [`send_to`](Self::send_to).
    pub fn try_send_to<P>(&self, buf: &[u8], target: P) -> io::Result<usize>
    where
        P: AsRef<Path>,
    {
        self.io
            .try_io(Interest::WRITABLE, || self.io.send_to(buf, target))
    }

    /// Receives a datagram and its sender's address.
    ///
    /// # Errors
    /// The errors of `recvfrom`, of which an open socket gives none; or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no datagram was taken.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let receive = || self.io.recv_from(buf);
        let (len, from) = self.io.async_io(RECEIVABLE, receive).await?;
        Ok((len, SocketAddr(from)))
    }

    /// Polls for a datagram. Of several tasks that poll for reading, the last is woken.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.io.poll_recv(cx, buf, |buf| self.recv_from_raw(buf))
    }

    /// Tries to receive a datagram.
    ///
    /// # Errors
    /// `WouldBlock` if none is there; otherwise as [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (len, from) = self
            .io
            .try_io(Interest::READABLE, || self.io.recv_from(buf))?;
        Ok((len, SocketAddr(from)))
    }

    /// As [`recv_from`](Self::recv_from), into the free part of a growable buffer.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// As [`recv_from`](Self::recv_from).
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let receive = || self.recv_from_raw(spare(buf));
        let (len, from) = self.io.async_io(RECEIVABLE, receive).await?;
        advance(buf, len);
        Ok((len, from))
    }

    /// As [`try_recv_from`](Self::try_recv_from), into the free part of a growable buffer.
    ///
    /// # Errors
    /// As [`try_recv_from`](Self::try_recv_from).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let (len, from) = self
            .io
            .try_io(Interest::READABLE, || self.recv_from_raw(spare(buf)))?;
        advance(buf, len);
        Ok((len, from))
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

socket_conversions!(UnixDatagram, net::UnixDatagram);
