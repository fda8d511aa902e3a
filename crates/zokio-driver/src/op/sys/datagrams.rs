//! `recvmmsg` and `sendmmsg`: many datagrams for one system call.
//!
//! With `UDP_GRO` the kernel joins datagrams of one peer and one size, and says where one ends in a
//! control message; with `UDP_SEGMENT` it takes them apart again when sending.
//!
//! Invariants:
//!
//! 1. The headers of a call are written anew for each call, and point at memory that the call borrows
//!    or that the [`Desk`] owns. Between calls no pointer of theirs is used.
//! 2. A desk is used by one call at a time: it is borrowed mutably.
#![allow(unsafe_code)]

use super::{Outgoing, Received};
use crate::op::sys::again_if_interrupted;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// The most messages that one call moves.
pub const BATCH_MAX: usize = 64;

/// The most datagrams that the kernel takes as one message.
pub const SEGMENTS_MAX: usize = 64;

/// Room for one control message with a number.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 32]);

/// The memory that one message needs beside its bytes.
struct Place {
    name: MaybeUninit<libc::sockaddr_storage>,
    vector: libc::iovec,
    control: Control,
}

/// Where the headers of a call are written: made once, used for many calls.
pub struct Desk {
    headers: Vec<libc::mmsghdr>,
    places: Vec<Place>,
}

// SAFETY: the pointers in headers and places are written by the call that uses them (invariant 1).
unsafe impl Send for Desk {}
// SAFETY: as above; a shared desk offers nothing but its size.
unsafe impl Sync for Desk {}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("messages", &self.places.len())
            .finish()
    }
}

impl Desk {
    /// A desk for that many messages, [`BATCH_MAX`] at most.
    pub fn new(messages: usize) -> Self {
        let messages = messages.clamp(1, BATCH_MAX);
        // SAFETY: numbers and null pointers: all zeroes is a value.
        let header = || unsafe { std::mem::zeroed::<libc::mmsghdr>() };
        let place = || Place {
            name: MaybeUninit::zeroed(),
            vector: libc::iovec {
                iov_base: std::ptr::null_mut(),
                iov_len: 0,
            },
            control: Control([0; 32]),
        };
        Self {
            headers: std::iter::repeat_with(header).take(messages).collect(),
            places: std::iter::repeat_with(place).take(messages).collect(),
        }
    }

    /// Writes the header of message `index`.
    fn write(&mut self, index: usize, bytes: *mut u8, len: usize, name: usize, control: usize) {
        let place = &mut self.places[index];
        place.vector = libc::iovec {
            iov_base: bytes.cast(),
            iov_len: len,
        };
        let entry = &mut self.headers[index];
        entry.msg_len = 0;
        let header = &mut entry.msg_hdr;
        header.msg_name = match name {
            0 => std::ptr::null_mut(),
            _ => place.name.as_mut_ptr().cast(),
        };
        header.msg_namelen = name as libc::socklen_t;
        header.msg_iov = &mut place.vector;
        header.msg_iovlen = 1;
        header.msg_control = match control {
            0 => std::ptr::null_mut(),
            _ => place.control.0.as_mut_ptr().cast(),
        };
        header.msg_controllen = control as _;
        header.msg_flags = 0;
    }

    /// Receives datagrams into `bytes`, of which each message has `size`. What is known of each is
    /// added to `received`. Returns how many messages came, each of which may be several datagrams.
    ///
    /// # Errors
    /// `WouldBlock` if there are none; otherwise the errors of `recvmmsg`: `ConnectionRefused` if a
    /// datagram that was sent earlier found no receiver.
    ///
    /// # Panics
    /// If `size` is 0 or does not fit `bytes`.
    pub fn recv(
        &mut self,
        socket: BorrowedFd<'_>,
        bytes: &mut [u8],
        size: usize,
        received: &mut Vec<Received>,
    ) -> io::Result<usize> {
        assert!(0 < size && size <= bytes.len(), "messages have room");
        let count = self.headers.len().min(bytes.len() / size);
        for (index, room) in bytes.chunks_exact_mut(size).take(count).enumerate() {
            let name = size_of::<libc::sockaddr_storage>();
            self.write(index, room.as_mut_ptr(), size, name, size_of::<Control>());
        }
        let moved = again_if_interrupted(|| {
            // SAFETY: `count` headers were just written and point at live memory, which is ours to
            // write to (invariant 1).
            unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    count as _,
                    libc::MSG_DONTWAIT as _,
                    std::ptr::null_mut(),
                )
            }
        })?;
        for (entry, place) in self.headers.iter().zip(&self.places).take(moved) {
            let len = entry.msg_len as usize;
            let header = &entry.msg_hdr;
            received.push(Received {
                peer: read_name(&place.name, header.msg_namelen as usize)?,
                len,
                segment: segment_of(header).unwrap_or(len),
                is_truncated: header.msg_flags & libc::MSG_TRUNC != 0,
            });
        }
        Ok(moved)
    }

    /// Sends the first of `messages`, as many as one call takes and the socket has room for. Returns
    /// how many.
    ///
    /// # Errors
    /// The error of the first message, of `sendmmsg`: `WouldBlock` if there is no room, `ConnectionRefused`
    /// if a datagram that was sent earlier found no receiver.
    pub fn send(&mut self, socket: BorrowedFd<'_>, messages: &[Outgoing<'_>]) -> io::Result<usize> {
        let count = self.headers.len().min(messages.len());
        if count == 0 {
            return Ok(0);
        }
        for (index, message) in messages.iter().take(count).enumerate() {
            let place = &mut self.places[index];
            let name = match message.peer {
                Some(peer) => write_name(&mut place.name, peer),
                None => 0,
            };
            let control = match message.segment {
                Some(segment) => write_segment(&mut place.control, segment),
                None => 0,
            };
            let bytes = message.bytes;
            // The kernel only reads what a message to be sent points at.
            let start = bytes.as_ptr().cast_mut();
            self.write(index, start, bytes.len(), name, control);
        }
        again_if_interrupted(|| {
            // SAFETY: as in `recv`; the kernel reads.
            unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    count as _,
                    (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
                )
            }
        })
    }
}

/// Has the kernel join datagrams that `socket` receives, or not.
///
/// # Errors
/// The errors of `setsockopt` (`UDP_GRO`): an error without a kind (`ENOPROTOOPT`) if the kernel cannot.
pub fn set_gro(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let on = libc::c_int::from(on);
    // SAFETY: the descriptor is open, and the value has the size that is passed.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if set < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether the kernel takes datagrams apart that `socket` sends.
pub fn has_gso(socket: BorrowedFd<'_>) -> bool {
    let mut segment: libc::c_int = 0;
    let mut len = size_of_val(&segment) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the value has the size that is passed.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw mut segment).cast(),
            &raw mut len,
        )
    };
    got == 0
}

/// Writes the control message that has the kernel take a message apart. Returns its size.
fn write_segment(control: &mut Control, segment: u16) -> usize {
    let len = size_of::<u16>() as libc::c_uint;
    // SAFETY: these compute sizes.
    let (space, filled) = unsafe { (libc::CMSG_SPACE(len), libc::CMSG_LEN(len)) };
    assert!(space as usize <= size_of::<Control>(), "a number has room");
    let header = control.0.as_mut_ptr().cast::<libc::cmsghdr>();
    // SAFETY: the control block is aligned for the header and has room for it and its data.
    unsafe {
        (*header).cmsg_level = libc::SOL_UDP;
        (*header).cmsg_type = libc::UDP_SEGMENT;
        (*header).cmsg_len = filled as _;
        libc::CMSG_DATA(header)
            .cast::<u16>()
            .write_unaligned(segment);
    }
    space as usize
}

/// Where the kernel says that datagrams were joined.
fn segment_of(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel has filled the control block that the header points at, up to the length
    // that it wrote there; the functions stay within it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = message.as_ref() {
            if found.cmsg_level == libc::SOL_UDP && found.cmsg_type == libc::UDP_GRO {
                let size = libc::CMSG_DATA(message)
                    .cast::<libc::c_int>()
                    .read_unaligned();
                return usize::try_from(size).ok().filter(|&size| size > 0);
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

/// Writes `peer` as the kernel takes it. Returns the size.
fn write_name(name: &mut MaybeUninit<libc::sockaddr_storage>, peer: SocketAddr) -> usize {
    match peer {
        SocketAddr::V4(peer) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: peer.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(peer.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is aligned and large enough for each kind of address.
            unsafe { name.as_mut_ptr().cast::<libc::sockaddr_in>().write(raw) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(peer) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: peer.port().to_be(),
                sin6_flowinfo: peer.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: peer.ip().octets(),
                },
                sin6_scope_id: peer.scope_id(),
            };
            // SAFETY: as above.
            unsafe { name.as_mut_ptr().cast::<libc::sockaddr_in6>().write(raw) };
            size_of::<libc::sockaddr_in6>()
        }
    }
}

/// Reads the address that the kernel wrote.
fn read_name(name: &MaybeUninit<libc::sockaddr_storage>, len: usize) -> io::Result<SocketAddr> {
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, "the sender has no IP address");
    if len < size_of::<libc::sockaddr_in>() {
        return Err(unknown());
    }
    // SAFETY: the kernel wrote `len` bytes, which is a family at least.
    let family = unsafe { name.as_ptr().cast::<libc::sa_family_t>().read() };
    match libc::c_int::from(family) {
        libc::AF_INET => {
            // SAFETY: the family and the length say that this is what the kernel wrote.
            let raw = unsafe { name.as_ptr().cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
            let port = u16::from_be(raw.sin_port);
            Ok(SocketAddrV4::new(ip, port).into())
        }
        libc::AF_INET6 if len >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above.
            let raw = unsafe { name.as_ptr().cast::<libc::sockaddr_in6>().read() };
            let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
            let port = u16::from_be(raw.sin6_port);
            let (flow, scope) = (raw.sin6_flowinfo, raw.sin6_scope_id);
            Ok(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => Err(unknown()),
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn an_address_survives_the_way_there_and_back() {
        for text in ["127.0.0.1:80", "[::1]:65535", "[fe80::1%3]:1", "1.2.3.4:0"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut name = MaybeUninit::zeroed();
            let len = write_name(&mut name, address);
            assert_eq!(read_name(&name, len).unwrap(), address);
        }
    }

    #[test]
    fn many_go_out_and_come_in_with_one_call_each() {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let second = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut desk = Desk::new(8);
        let peer = Some(second.local_addr().unwrap());
        let messages = [b"one".as_slice(), b"", b"three"].map(|bytes| Outgoing {
            peer,
            bytes,
            segment: None,
        });
        assert_eq!(desk.send(near.as_fd(), &messages).unwrap(), 3);
        let (mut bytes, mut received) = ([0; 32], Vec::new());
        let moved = desk.recv(second.as_fd(), &mut bytes, 4, &mut received);
        assert_eq!(moved.unwrap(), 3);
        let seen: Vec<_> = received.iter().map(|r| (r.len, r.is_truncated)).collect();
        assert_eq!(seen, [(3, false), (0, false), (4, true)]);
        assert!(
            received
                .iter()
                .all(|r| r.peer == near.local_addr().unwrap())
        );
        assert_eq!(&bytes[8..12], b"thre");
        let nothing = desk.recv(second.as_fd(), &mut bytes, 4, &mut received);
        assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
