//! One call of `poll(2)`, for the threads that wait for a descriptor outside of every set.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;

/// An element of [`poll`]: waits for `events` of `fd`.
pub(crate) fn poll_of(fd: RawFd, events: libc::c_short) -> libc::pollfd {
    libc::pollfd {
        fd,
        events,
        revents: 0,
    }
}

/// Calls `poll(2)` once, for `limit_ms` milliseconds at most; a negative limit is none. Returns how many
/// elements have events.
///
/// # Errors
/// `Interrupted` if a signal ended the wait, `OutOfMemory` if the kernel has no memory for the elements.
pub(crate) fn poll(all: &mut [libc::pollfd], limit_ms: libc::c_int) -> io::Result<usize> {
    // SAFETY: the elements are live and exclusively ours, and as many as the call is told.
    let ready = unsafe { libc::poll(all.as_mut_ptr(), all.len() as libc::nfds_t, limit_ms) };
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}
