//! The peer of a Unix-domain socket.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The process at the other end, and its owner.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The process, where the system tells.
    pub pid: Option<libc::pid_t>,
    /// The user.
    pub uid: libc::uid_t,
    /// The group.
    pub gid: libc::gid_t,
}

/// The process that had the other end of a connected Unix-domain socket when it was connected.
///
/// # Errors
/// Those of `getsockopt` (`SO_PEERCRED`) on Linux, of `getpeerucred` on illumos and Solaris, and of
/// `getpeereid` elsewhere: `NotConnected` if the socket has no peer. Linux has no error for that; it names
/// no process, and -1 as the user and the group.
pub fn of(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    ask(socket)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn ask(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut found = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the option fills at most `len` bytes of the live structure that is passed.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Peer {
        pid: Some(found.pid),
        uid: found.uid,
        gid: found.gid,
    })
}

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
fn ask(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut found = std::ptr::null_mut();
    // SAFETY: the call makes a credential and writes its address to the live place.
    let result = unsafe { libc::getpeerucred(socket.as_raw_fd(), &raw mut found) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the credential was just made for us; it is read, and then freed once.
    let (pid, uid, gid) = unsafe {
        let told = (
            libc::ucred_getpid(found),
            libc::ucred_geteuid(found),
            libc::ucred_getegid(found),
        );
        libc::ucred_free(found);
        told
    };
    Ok(Peer {
        // -1 says that it is not told.
        pid: (pid != -1).then_some(pid),
        uid,
        gid,
    })
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "illumos",
    target_os = "solaris"
)))]
fn ask(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: both numbers are live and written to by the call only.
    let result = unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut uid, &raw mut gid) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Peer {
        pid: pid_of(socket)?,
        uid,
        gid,
    })
}

/// The peer's process.
#[cfg(target_vendor = "apple")]
fn pid_of(socket: BorrowedFd<'_>) -> io::Result<Option<libc::pid_t>> {
    let mut pid: libc::pid_t = 0;
    let mut len = size_of::<libc::pid_t>() as libc::socklen_t;
    // SAFETY: the option fills at most `len` bytes of the live number that is passed.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_LOCAL,
            libc::LOCAL_PEERPID,
            (&raw mut pid).cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Some(pid))
}

/// These systems do not tell, or not in a way that all of their versions know.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "illumos",
    target_os = "solaris",
    target_vendor = "apple"
)))]
fn pid_of(_socket: BorrowedFd<'_>) -> io::Result<Option<libc::pid_t>> {
    Ok(None)
}
