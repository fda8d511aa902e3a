//! Lanes for much traffic, beside the sockets' own methods: batches, bytes that never enter this
//! process, buffers that belong to the operation.
//!
//! - [`sendfile`] sends a file to a stream socket, [`splice_bidirectional`] joins two stream sockets;
//!   on Linux the bytes stay within the kernel. [`SendFile`] and [`Splice`] are the same, in a form
//!   that can be dropped in the middle and gone on with.
//! - [`UdpLane`] receives and sends many datagrams at once; the kernel joins and splits them where it
//!   can (`UDP_GRO`, `UDP_SEGMENT`).
//! - [`Incoming`] takes the connections of a listener: where there is a ring, the kernel accepts them
//!   as they come.
//! - [`Receiver`] receives the bytes of a stream socket into buffers of a [`BufferPool`]: where there is a
//!   ring, the kernel takes a buffer when bytes come.
//! - [`ZcSender`] sends from buffers that the network reads where they are.
//!
//! None of this is in Tokio's API. Each works on every system, with the same results: where the
//! system has no such call, the bytes are read and written one buffer or one datagram at a time.
//!
//! # Examples
//! ```
//! use zokio::io::{AsyncReadExt, AsyncWriteExt};
//! use zokio::net::{TcpListener, TcpStream, owned};
//!
//! # #[zokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! // A proxy for one connection: client <-> near | far <-> server.
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let mut client = TcpStream::connect(address).await?;
//! let (mut near, _) = listener.accept().await?;
//! let mut far = TcpStream::connect(address).await?;
//! let (mut server, _) = listener.accept().await?;
//!
//! client.write_all(b"hello").await?;
//! client.shutdown().await?;
//! server.write_all(b"hi").await?;
//! server.shutdown().await?;
//! let moved = owned::splice_bidirectional(&mut near, &mut far).await?;
//! assert_eq!(moved, (5, 2));
//!
//! let mut word = String::new();
//! server.read_to_string(&mut word).await?;
//! assert_eq!(word, "hello");
//! # Ok(()) }
//! ```

mod datagrams;
mod incoming;
mod receiver;
mod send_file;
mod sender;
mod socket;
mod splice;
#[cfg(all(test, target_os = "linux"))]
mod tests;

pub use datagrams::{Datagram, Datagrams, RecvBatch, SendBatch, UdpLane};
pub use incoming::Incoming;
pub use receiver::{Buffer, BufferPool, Receiver, Source};
pub use send_file::{SendFile, sendfile};
pub use sender::{Target, ZcSender};
pub use socket::StreamSocket;
pub use splice::{Splice, splice_bidirectional};
