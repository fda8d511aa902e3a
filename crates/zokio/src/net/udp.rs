//! [`UdpSocket`]: datagrams.

use super::ToSocketAddrs;
use super::addr::{no_address, resolve};
use super::nonblocking::assert_nonblocking;
use crate::io_driver::{BOTH, IoSource, RECEIVABLE, advance, spare};
use bytes::BufMut;
use socket2::{SockAddr, SockRef};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use zokio_driver::Direction;
use zokio_io::{Interest, ReadBuf};

/// A UDP socket.
///
/// All methods take `&self`: several tasks may share a socket in an `Arc`, and send and receive at
/// once. A datagram that does not fit the buffer is cut off.
///
/// # Examples
/// ```no_run
/// use zokio::net::UdpSocket;
///
/// # async fn demo() -> std::io::Result<()> {
/// let socket = UdpSocket::bind("0.0.0.0:8080").await?;
/// let mut buf = [0; 1500];
/// let (len, peer) = socket.recv_from(&mut buf).await?;
/// socket.send_to(&buf[..len], peer).await?;
/// # Ok(()) }
/// ```
pub struct UdpSocket {
    io: IoSource<mio::net::UdpSocket>,
}

impl UdpSocket {
    /// Binds to the first of the addresses that works.
    ///
    /// # Errors
    /// The error of the last address; `InvalidInput` if there is none.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        let mut last = None;
        for address in resolve(addr).await? {
            match mio::net::UdpSocket::bind(address) {
                Ok(socket) => return UdpSocket::new(socket),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    #[track_caller]
    fn new(socket: mio::net::UdpSocket) -> io::Result<UdpSocket> {
        let io = IoSource::new(socket, BOTH)?.watched()?;
        Ok(UdpSocket { io })
    }

    /// Takes over a socket of the standard library, which must be in non-blocking mode.
    ///
    /// # Errors
    /// If the runtime has shut down; and the errors of registering the socket with the system, for example
    /// `StorageFull` if it watches no more.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O. In debug builds, if it is in blocking mode
    /// (not on Windows, which does not tell).
    #[track_caller]
    pub fn from_std(socket: net::UdpSocket) -> io::Result<UdpSocket> {
        assert_nonblocking(&socket)?;
        UdpSocket::new(mio::net::UdpSocket::from_std(socket))
    }

    /// Gives the socket away, as one of the standard library, still in non-blocking mode.
    ///
    /// # Errors
    /// If the system cannot deregister the socket. It always can while the socket is open.
    pub fn into_std(self) -> io::Result<net::UdpSocket> {
        Ok(self.io.into_inner()?.into())
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// The errors of `getsockname`. An open socket gives none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// The address it is connected to.
    ///
    /// # Errors
    /// If the socket is not connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.peer_addr()
    }

    /// Sets the peer of [`send`](Self::send) and [`recv`](Self::recv): the first of the addresses that
    /// works. Datagrams of others are not received any more.
    ///
    /// # Errors
    /// The error of the last address; `InvalidInput` if there is none.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let mut last = None;
        for address in resolve(addr).await? {
            match self.io.connect(address) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// Takes the pending error of the socket, if there is one.
    ///
    /// # Errors
    /// The errors of `getsockopt` (`SO_ERROR`). An open socket gives none. The pending error is in the
    /// `Ok`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.take_error()
    }

    readiness_methods!();
    poll_readiness_methods!(poll_recv_ready, poll_send_ready);
    datagram_methods!();

    /// Receives into memory that may be uninitialised.
    fn recv_with<R>(&self, receive: impl FnOnce(&SockRef<'_>) -> io::Result<R>) -> io::Result<R> {
        // Through `try_io` of mio's type, which re-arms its events where that is needed.
        mio::net::UdpSocket::try_io(&self.io, || receive(&SockRef::from(&*self.io)))
    }

    fn recv_raw(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        self.recv_with(|socket| socket.recv(buf))
    }

    fn recv_from_raw(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<(usize, SocketAddr)> {
        let (len, from) = self.recv_with(|socket| socket.recv_from(buf))?;
        Ok((len, to_ip(&from)?))
    }
}

fn to_ip(address: &SockAddr) -> io::Result<SocketAddr> {
    address
        .as_socket()
        .ok_or_else(|| io::Error::other("the sender's address is not an IP address"))
}

/// Datagrams with addresses.
impl UdpSocket {
    /// Sends a datagram to the first of the addresses.
    ///
    /// # Errors
    /// `ConnectionRefused` if a datagram that was sent earlier found no receiver, `NetworkUnreachable` or
    /// `HostUnreachable` if no route leads there, `PermissionDenied` for a broadcast that is not allowed
    /// ([`set_broadcast`](Self::set_broadcast)), an error without a kind (`EMSGSIZE`) if the datagram is
    /// too long; `InvalidInput` if there is no address; or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, nothing was sent.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], target: A) -> io::Result<usize> {
        let target = resolve(target).await?.next().ok_or_else(no_address)?;
        let send = || self.io.send_to(buf, target);
        self.io.async_io(Interest::WRITABLE, send).await
    }

    /// Polls for sending a datagram. Of several tasks that poll for writing, the last is woken.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io
            .poll_io(cx, Direction::Write, || self.io.send_to(buf, target))
    }

    /// Tries to send a datagram.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; otherwise as [`send_to`](Self::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.io
            .try_io(Interest::WRITABLE, || self.io.send_to(buf, target))
    }

    /// Receives a datagram and its sender's address.
    ///
    /// # Errors
    /// The errors of `recvfrom`: `ConnectionRefused` (on Windows `ConnectionReset`) if a datagram that was
    /// sent earlier found no receiver; or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no datagram was taken.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let receive = || self.io.recv_from(buf);
        self.io.async_io(RECEIVABLE, receive).await
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
        self.io
            .try_io(Interest::READABLE, || self.io.recv_from(buf))
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

/// Looking without taking.
impl UdpSocket {
    /// Looks at the next datagram of the connected peer.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let peek = || self.io.peek(buf);
        self.io.async_io(RECEIVABLE, peek).await
    }

    /// Polls for looking at the next datagram of the connected peer.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io.poll_recv(cx, buf, |buf| {
            Ok((self.recv_with(|socket| socket.peek(buf))?, ()))
        })
    }

    /// Tries to look at the next datagram of the connected peer.
    ///
    /// # Errors
    /// `WouldBlock` if none is there; otherwise as [`recv`](Self::recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, || self.io.peek(buf))
    }

    /// Looks at the next datagram and its sender's address.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let peek = || self.io.peek_from(buf);
        self.io.async_io(RECEIVABLE, peek).await
    }

    /// Polls for looking at the next datagram and its sender's address.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.io.poll_recv(cx, buf, |buf| {
            let (len, from) = self.recv_with(|socket| socket.peek_from(buf))?;
            Ok((len, to_ip(&from)?))
        })
    }

    /// Tries to look at the next datagram and its sender's address.
    ///
    /// # Errors
    /// As [`try_peek`](Self::try_peek).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .try_io(Interest::READABLE, || self.io.peek_from(buf))
    }

    /// Waits for a datagram and returns its sender's address.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        let peek = || self.peek_sender_raw();
        self.io.async_io(RECEIVABLE, peek).await
    }

    /// Polls for a datagram and returns its sender's address.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.io
            .poll_io(cx, Direction::Read, || self.peek_sender_raw())
    }

    /// Tries to tell the sender of the next datagram.
    ///
    /// # Errors
    /// As [`try_peek`](Self::try_peek).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.io
            .try_io(Interest::READABLE, || self.peek_sender_raw())
    }

    fn peek_sender_raw(&self) -> io::Result<SocketAddr> {
        to_ip(&self.recv_with(|socket| socket.peek_sender())?)
    }
}

/// Options.
impl UdpSocket {
    traffic_class_methods!(io);

    /// Whether it may send to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.io.broadcast()
    }

    /// Sets whether it may send to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.io.set_broadcast(on)
    }

    /// Whether its own multicast datagrams come back to it (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.io.multicast_loop_v4()
    }

    /// Sets whether its own multicast datagrams come back to it (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    /// The errors of `setsockopt`. An open socket gives none.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.io.set_multicast_loop_v4(on)
    }

    /// The time to live of its multicast datagrams (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.io.multicast_ttl_v4()
    }

    /// Sets the time to live of its multicast datagrams (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    /// The errors of `setsockopt`: `InvalidInput` if it is over 255.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.io.set_multicast_ttl_v4(ttl)
    }

    /// Whether its own IPv6 multicast datagrams come back to it (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    /// The errors of `getsockopt`: that a socket for IPv4 does not have the option.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.io.multicast_loop_v6()
    }

    /// Sets whether its own IPv6 multicast datagrams come back to it (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    /// The errors of `setsockopt`: that a socket for IPv4 does not have the option.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.io.set_multicast_loop_v6(on)
    }

    /// The time to live of its datagrams (`IP_TTL`).
    ///
    /// # Errors
    /// The errors of `getsockopt`. An open socket gives none.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.ttl()
    }

    /// Sets the time to live of its datagrams (`IP_TTL`).
    ///
    /// # Errors
    /// The errors of `setsockopt` (`IP_TTL`): on Linux `InvalidInput` unless it is between 1 and 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.set_ttl(ttl)
    }

    /// Joins a multicast group on the interface with this address.
    ///
    /// # Errors
    /// The errors of `setsockopt`: `InvalidInput` if the address is none of a group, `AddrInUse` if the
    /// socket is in the group already, an error without a kind (`ENODEV`) if there is no such interface.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.join_multicast_v4(&multiaddr, &interface)
    }

    /// Joins a multicast group on the interface with this index; 0 lets the system choose.
    ///
    /// # Errors
    /// The errors of `setsockopt`: `InvalidInput` if the address is none of a group, `AddrInUse` if the
    /// socket is in the group already, an error without a kind (`ENODEV`) if there is no such interface.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.join_multicast_v6(multiaddr, interface)
    }

    /// Leaves a multicast group again.
    ///
    /// # Errors
    /// The errors of `setsockopt`: `AddrNotAvailable` if the socket is not in the group.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.leave_multicast_v4(&multiaddr, &interface)
    }

    /// Leaves a multicast group again.
    ///
    /// # Errors
    /// The errors of `setsockopt`: `AddrNotAvailable` if the socket is not in the group.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.leave_multicast_v6(multiaddr, interface)
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

socket_conversions!(UdpSocket, net::UdpSocket);
