//! Unix-domain sockets: listeners, streams, halves of streams, datagrams.

mod datagram;
mod listener;
mod room;
mod socket;
mod socketaddr;
mod split;
mod stream;
mod ucred;

pub mod pipe;

pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use socket::UnixSocket;
pub use socketaddr::SocketAddr;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::UnixStream;
pub use ucred::UCred;

/// A user's number.
#[allow(non_camel_case_types)] // The name that the system gives it.
pub type uid_t = u32;

/// A group's number.
#[allow(non_camel_case_types)] // The name that the system gives it.
pub type gid_t = u32;

/// A process's number.
#[allow(non_camel_case_types)] // The name that the system gives it.
pub type pid_t = i32;
