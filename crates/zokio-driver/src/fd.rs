//! Descriptors: what the crates above ask of them beyond what libraries offer.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The status flags of an open file (`F_GETFL`).
///
/// # Errors
/// What the system says.
pub fn status_flags(fd: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    // SAFETY: the descriptor is open while it is borrowed; the command reads flags only.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(flags)
    }
}

/// Sets whether operations on an open file block.
///
/// # Errors
/// What the system says.
pub fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    let before = status_flags(fd)?;
    let after = if nonblocking {
        before | libc::O_NONBLOCK
    } else {
        before & !libc::O_NONBLOCK
    };
    if after == before {
        return Ok(());
    }
    // SAFETY: as in `status_flags`; setting flags touches no memory.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, after) } < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Reads into memory that may be uninitialised. Returns how many bytes of it then are not.
///
/// # Errors
/// What the system says.
pub fn read_uninit(fd: BorrowedFd<'_>, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    // Some systems refuse greater counts.
    let len = buf.len().min(libc::c_int::MAX as usize);
    // SAFETY: the memory is live and writable for that many bytes, and the call writes no others.
    let read = unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), len) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}
