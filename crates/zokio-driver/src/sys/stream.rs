//! Receiving from a stream socket of Unix, on which more than bytes may come.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Receives from a socket into memory that may be uninitialised. Returns how many bytes of it then are
/// not, and whether something that came with them was cut off because nobody asked for it
/// (`MSG_CTRUNC`): descriptors, credentials. Linux ends a read of a stream behind such bytes, whatever
/// else is there.
///
/// # Errors
/// Those of `recvmsg`: `WouldBlock` if nothing is there yet, `ConnectionReset` if the peer closed its end
/// with bytes unread, `NotConnected` if the socket has no peer.
#[inline]
pub fn recv_uninit(fd: BorrowedFd<'_>, buf: &mut [MaybeUninit<u8>]) -> io::Result<(usize, bool)> {
    let mut part = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        // Some systems refuse greater counts.
        iov_len: buf.len().min(libc::c_int::MAX as usize),
    };
    // SAFETY: a message header of zeros is one without address, parts and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: the header and its one part are live, and the part's memory is writable for its length.
    let received = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, 0) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    Ok((received, message.msg_flags & libc::MSG_CTRUNC != 0))
}
