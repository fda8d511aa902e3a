//! [`UdpLane`]: many datagrams at once.
//!
//! One system call moves up to 64 messages, and with the kernel's help each message is up to 64
//! datagrams. Where there is no such call, datagrams are moved one by one; whoever uses a lane sees
//! no difference but in the number of system calls.
//!
//! Invariants:
//!
//! 1. A datagram leaves a [`SendBatch`] when it was given to the system; one that is still inside was not.
//! 2. Joining changes nothing that a receiver could see: only neighbours with one peer and one size
//!    are joined (the last may be shorter), and what the system refuses joined is sent one by one.
//! 3. A lane that has the kernel join receives only into messages that no joined datagram exceeds.

mod recv_batch;
mod send_batch;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod system;

#[cfg(all(test, target_os = "linux"))]
pub(crate) use system::one_by_one;

pub use recv_batch::{Datagram, Datagrams, RecvBatch};
pub use send_batch::SendBatch;

use crate::net::UdpSocket;
use std::io;
use std::net::SocketAddr;
use zokio_base::sync::std_atomic::{AtomicBool, Ordering};

/// A UDP socket that moves many datagrams at once.
///
/// All methods take `&self`: several tasks may share a lane, each with batches of its own.
///
/// # Examples
/// ```
/// use zokio::net::UdpSocket;
/// use zokio::net::owned::{RecvBatch, SendBatch, UdpLane};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let near = UdpLane::new(UdpSocket::bind("127.0.0.1:0").await?)?;
/// let far = UdpLane::new(UdpSocket::bind("127.0.0.1:0").await?)?;
///
/// let mut out = SendBatch::new();
/// for number in 0..10_u32 {
///     out.push(&number.to_le_bytes(), far.local_addr()?);
/// }
/// assert_eq!(near.send_many(&mut out).await?, 10);
///
/// let mut batch = RecvBatch::for_lane(4);
/// let mut sum = 0;
/// let mut count = 0;
/// while count < 10 {
///     count += far.recv_many(&mut batch).await?;
///     for datagram in batch.iter() {
///         assert_eq!(datagram.peer, near.local_addr()?);
///         sum += u32::from_le_bytes(datagram.bytes.try_into().unwrap());
///     }
/// }
/// assert_eq!(sum, 45);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct UdpLane {
    socket: UdpSocket,
    /// The kernel joins what is received.
    joins: bool,
    /// The kernel splits what is sent. Cleared when the device turns out to be unable to. Relaxed
    /// everywhere: a hint.
    splits: AtomicBool,
}

impl UdpLane {
    /// Makes a lane of a socket. Where the system can, it joins datagrams that are received.
    ///
    /// # Errors
    /// None: a system that does not join datagrams makes a lane that gets them one by one.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        let joins = system::set_joining(&socket, true);
        let splits = AtomicBool::new(system::can_split(&socket));
        Ok(Self {
            socket,
            joins,
            splits,
        })
    }

    /// Makes a lane whose datagrams are neither joined nor split by the system, so that messages of
    /// any size do to receive them.
    pub fn unjoined(socket: UdpSocket) -> Self {
        Self {
            socket,
            joins: false,
            splits: AtomicBool::new(false),
        }
    }

    /// Gives the socket back, whose datagrams come one by one again. What was joined and not yet
    /// received stays so.
    pub fn into_socket(self) -> UdpSocket {
        if self.joins {
            system::set_joining(&self.socket, false);
        }
        self.socket
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    /// The errors of `getsockname`. An open socket gives none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Whether the system joins datagrams that are received.
    pub fn is_joining(&self) -> bool {
        self.joins
    }

    /// Whether the system splits datagrams that are sent.
    pub fn is_splitting(&self) -> bool {
        // Relaxed: see the field.
        self.splits.load(Ordering::Relaxed)
    }

    /// Receives datagrams into `batch`, in place of those that it had: at least one, and as many as
    /// there are and fit. Returns how many.
    ///
    /// # Errors
    /// The errors of `recvmmsg` or `recvfrom`: `ConnectionRefused` if a datagram that was sent earlier
    /// found no receiver; `InvalidInput` if the system joins datagrams and the messages of `batch` are
    /// shorter than [`RecvBatch::SIZE_MAX`]; or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no datagram was taken.
    pub async fn recv_many(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        if self.joins && batch.size() < RecvBatch::SIZE_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a lane that joins datagrams needs the messages of `RecvBatch::for_lane`",
            ));
        }
        batch.clear();
        if let Some(error) = batch.take_error() {
            return Err(error);
        }
        system::recv(&self.socket, batch).await?;
        Ok(batch.len())
    }

    /// Sends all of `batch`, which is empty then. Returns how many datagrams were sent.
    ///
    /// # Errors
    /// The errors of sending the first datagram that is still in the batch, as for [`UdpSocket::send_to`]:
    /// the datagrams before it were sent, it and those behind it were not. [`SendBatch::skip`] leaves it
    /// out. Or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped, what was sent has left the batch, and the rest is in it.
    pub async fn send_many(&self, batch: &mut SendBatch) -> io::Result<usize> {
        let mut sent = 0;
        while !batch.is_empty() {
            let joins = self.is_splitting();
            match system::send(&self.socket, batch, joins).await {
                Ok(count) => {
                    batch.sent(count);
                    sent += count;
                }
                Err(error) => match batch.retreat(joins, &error) {
                    // Relaxed: see the field.
                    Retreat::ForGood => self.splits.store(false, Ordering::Relaxed),
                    Retreat::Once => {}
                    Retreat::No => return Err(error),
                },
            }
        }
        Ok(sent)
    }
}

/// The consequence of an error for the datagrams that were joined.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // None are joined elsewhere.
enum Retreat {
    /// The device cannot split: join no more.
    ForGood,
    /// These could not be sent joined: send them one by one.
    Once,
    /// It is the error of one datagram.
    No,
}
