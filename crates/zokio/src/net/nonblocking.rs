//! Sockets that come from the standard library have to be in non-blocking mode: one that is not would
//! hold its whole worker up, much later and somewhere else. So debug builds look.

use std::io;

/// Panics, in debug builds, if `socket` is in blocking mode.
///
/// # Errors
/// The errors of `fcntl` (`F_GETFL`). An open socket gives none.
#[cfg(unix)]
#[track_caller]
pub(crate) fn assert_nonblocking<S: std::os::fd::AsFd>(socket: &S) -> io::Result<()> {
    debug_assert!(
        socket2::SockRef::from(socket).nonblocking()?,
        "a socket in blocking mode would block its worker: call `set_nonblocking(true)` first"
    );
    Ok(())
}

/// Does nothing: these systems do not tell the mode of a socket.
///
/// # Errors
/// None.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)] // The same signature everywhere.
pub(crate) fn assert_nonblocking<S>(_socket: &S) -> io::Result<()> {
    Ok(())
}
