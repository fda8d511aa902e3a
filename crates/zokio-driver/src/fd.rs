//! Descriptors: what the crates above ask of them beyond what libraries offer.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The status flags of an open file (`F_GETFL`).
///
/// # Errors
/// The errors of `fcntl` (`F_GETFL`). An open descriptor gives none.
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
/// The errors of `fcntl` (`F_GETFL`, `F_SETFL`). An open descriptor gives none.
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
/// The errors of `read`: `WouldBlock` if nothing is there, `Interrupted` if a signal came first.
pub fn read_uninit(fd: BorrowedFd<'_>, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    // Some systems refuse greater counts.
    let len = buf.len().min(libc::c_int::MAX as usize);
    // SAFETY: the memory is live and writable for that many bytes, and the call writes no others.
    let read = unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), len) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// A descriptor that becomes readable when the child process `pid` has ended.
///
/// `pid` has to be a child that was not waited for yet: otherwise the number may be another's.
///
/// # Errors
/// The errors of `pidfd_open`: `Unsupported` if there is no such call, `PermissionDenied` if a filter
/// forbids it, an error without a kind (`ESRCH`, `EMFILE`) if there is no such process or no descriptor is
/// left.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;

    let pid = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    let no_flags: libc::c_uint = 0;
    // SAFETY: the call takes two numbers and touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, no_flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made for us, closed on exec, and nobody else knows it. It
    // fits: descriptors are ints.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// As on Linux, which alone has such descriptors.
///
/// # Errors
/// Always.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn pidfd_open(_pid: u32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}
