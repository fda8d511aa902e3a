//! TCP, UDP and Unix-domain sockets.
//!
//! - [`TcpListener`] and [`TcpStream`]; [`TcpSocket`] for setting options first;
//! - [`UdpSocket`];
//! - [`UnixListener`], [`UnixStream`], [`UnixDatagram`] and [`UnixSocket`] (unix only), and pipes
//!   in [`unix::pipe`];
//! - `windows::named_pipe` (windows only);
//! - [`lookup_host`] and [`ToSocketAddrs`] for names;
//! - [`owned`]: lanes for much traffic.
//!
//! A socket belongs to the runtime in whose context it was made. Its operations are tried at once
//! and wait only where that would block.

mod addr;
mod connecting;
#[macro_use]
mod descriptors;
mod lookup_host;
mod nonblocking;
pub mod owned;
#[macro_use]
mod shared;
pub mod tcp;
mod udp;

#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;

pub use addr::ToSocketAddrs;
pub use lookup_host::lookup_host;
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
