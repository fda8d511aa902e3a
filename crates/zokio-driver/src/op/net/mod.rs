//! Operations of sockets beyond one read or write: system calls that move many datagrams, or bytes
//! that never enter this process.
//!
//! None of these waits: each answers `WouldBlock`, and its caller waits for readiness. So they are no
//! operations of the table; where the system lacks one (another system than Linux, a filter) they
//! answer that it is [`Unsupported`](std::io::ErrorKind::Unsupported), and the caller takes the plain
//! way, with the same result.
//!
//! - [`datagrams`]: `recvmmsg` and `sendmmsg`, with the kernel joining and splitting datagrams;
//! - [`splice`]: `splice` between sockets and a pipe, `sendfile` from a file.

#[cfg(target_os = "linux")]
#[path = "../sys/datagrams.rs"]
pub mod datagrams;
#[cfg(target_os = "linux")]
#[path = "../sys/splice.rs"]
pub mod splice;

use std::io;
use std::net::SocketAddr;

/// The facts about a message that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The address of its sender.
    pub peer: SocketAddr,
    /// How many bytes there are.
    pub len: usize,
    /// After how many bytes a new datagram begins, if the kernel joined several. The last one may be
    /// shorter.
    pub segment: usize,
    /// Whether its end was cut off.
    pub is_truncated: bool,
}

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Where to; None on a connected socket.
    pub peer: Option<SocketAddr>,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// After how many bytes the kernel begins a new datagram; None if this is one.
    pub segment: Option<u16>,
}

/// Whether `error` says that the system has no such call for these descriptors, rather than that the call
/// failed.
pub fn is_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    if matches!(
        error.raw_os_error(),
        Some(libc::ENOSYS | libc::EINVAL | libc::EOPNOTSUPP | libc::EPERM)
    ) {
        return true;
    }
    error.kind() == io::ErrorKind::Unsupported
}
