//! [`ZcSender`]: sends from buffers that the network reads where they are.
//!
//! Two ways, and a value may change from the first to the second once:
//!
//! - the ring, for what is long: the request holds the buffer until the kernel says that the network
//!   needs it no longer;
//! - readiness: the bytes are copied into the socket, as by any write.
//!
//! Invariants:
//!
//! 1. One request is in flight at a time, so bytes keep their order. It belongs to the sender, not to the
//!    future: the next send waits for it.
//! 2. A buffer comes back after the end of the last request that had it.

use super::socket::{Lane, StreamSocket};
use crate::net::{TcpStream, tcp};
#[cfg(unix)]
use crate::net::{UnixStream, unix};
use std::fmt;
use std::io;
use std::sync::Arc;
use zokio_driver::buf::{self, IoBuf};
use zokio_io::Interest;
use zokio_task::coop;

#[cfg(target_os = "linux")]
#[path = "sender_ring.rs"]
mod ring;
#[cfg(not(target_os = "linux"))]
#[path = "sender_plain.rs"]
mod ring;

/// A target of a [`ZcSender`]: a stream, or its owned half for writing.
///
/// The trait is sealed: it can be named in bounds, and implemented here only.
pub trait Target: Send + Sync + 'static {
    /// The stream behind it.
    #[doc(hidden)]
    type Stream: StreamSocket;

    /// The stream behind it.
    #[doc(hidden)]
    fn stream(&self) -> &Self::Stream;
}

macro_rules! target {
    ($target:ty, $stream:ty) => {
        impl Target for $target {
            type Stream = $stream;

            fn stream(&self) -> &$stream {
                self.as_ref()
            }
        }
    };
}

target!(TcpStream, TcpStream);
target!(tcp::OwnedWriteHalf, TcpStream);
#[cfg(unix)]
target!(UnixStream, UnixStream);
#[cfg(unix)]
target!(unix::OwnedWriteHalf, UnixStream);

/// Sends from buffers that come back when the network needs them no longer.
///
/// Where there is a ring, a kernel of 6.2 or later and a TCP socket, long buffers are not copied: the
/// network reads them where they are. Where it cannot (over loopback, or through a device that cannot
/// gather), which the kernel tells after a few sends, the rest is written as by any write.
///
/// A buffer comes back when the peer has acknowledged it, so that a single connection waits for a round
/// trip with each: use long buffers, and many connections. Short ones are copied, which costs less.
///
/// # Examples
/// ```
/// use zokio::io::AsyncReadExt;
/// use zokio::net::owned::ZcSender;
/// use zokio::net::{TcpListener, TcpStream};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// # let server = listener.accept().await?.0;
/// let mut sender = ZcSender::new(server);
/// let (result, page) = sender.send(vec![7; 100_000]).await;
/// result?;
/// assert_eq!(page.len(), 100_000);
/// drop(sender.into_inner().await?);
///
/// let mut heard = Vec::new();
/// client.read_to_end(&mut heard).await?;
/// assert!(heard == page);
/// # Ok(()) }
/// ```
pub struct ZcSender<W: Target> {
    /// Before the socket: dropped first.
    ring: ring::Sending,
    target: Arc<W>,
}

impl<W: Target> ZcSender<W> {
    /// How long a buffer has to be for the network to read it where it is.
    pub const LEN_MIN: usize = 32 * 1024;

    /// Takes over a stream, or its half for writing.
    pub fn new(target: W) -> Self {
        Self {
            ring: ring::Sending::new(),
            target: Arc::new(target),
        }
    }

    /// The target that it sends to. Do not write to it while a send is under way.
    pub fn target(&self) -> &W {
        &self.target
    }

    /// How many requests have gone to a ring.
    pub fn on_ring(&self) -> u64 {
        self.ring.count()
    }

    /// Sends all initialised bytes of `buf`, and gives it back.
    ///
    /// # Errors
    /// The errors of the send, when a part may have been sent: `BrokenPipe` or `ConnectionReset` if the
    /// peer receives no more; or that the runtime has shut down.
    ///
    /// # Panics
    /// If the runtime was shut down and the system did not give the buffer back.
    ///
    /// # Cancel safety
    /// If the future is dropped, a part may have been sent: nothing, what had been begun, or all. What
    /// has been begun goes on and the next send waits for it, so that bytes stay in order. The
    /// buffer is dropped when the network needs it no longer.
    pub async fn send<B: IoBuf>(&mut self, buf: B) -> (io::Result<()>, B) {
        // A send whose future was dropped.
        self.ring.settle().await;
        let buf = Arc::new(buf);
        let result = self.send_all(&buf).await;
        let buf = Arc::into_inner(buf);
        let buf =
            buf.expect("the runtime was shut down, and the system did not give the buffer back");
        (result, buf)
    }

    async fn send_all<B: IoBuf>(&mut self, buf: &Arc<B>) -> io::Result<()> {
        let mut start = 0;
        loop {
            coop::consume_budget().await;
            let left = buf::initialised(&**buf).len() - start;
            if left == 0 {
                return Ok(());
            }
            let sent = if left < Self::LEN_MIN {
                None
            } else {
                self.ring.send(&self.target, buf, start).await?
            };
            start += match sent {
                Some(sent) => sent,
                None => self.write(&buf::initialised(&**buf)[start..]).await?,
            };
        }
    }

    /// Writes once.
    async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let stream = self.target.stream();
        loop {
            match stream.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Lane::ready(stream, Interest::WRITABLE).await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Gives the target back, when nothing is under way any more.
    ///
    /// # Errors
    /// If the runtime was shut down and the system still uses the socket.
    ///
    /// # Cancel safety
    /// If the future is dropped, so is the target.
    pub async fn into_inner(mut self) -> io::Result<W> {
        self.ring.settle().await;
        Arc::into_inner(self.target).ok_or_else(|| io::Error::other("the socket is still in use"))
    }
}

impl<W: Target> fmt::Debug for ZcSender<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZcSender")
            .field("on_ring", &self.on_ring())
            .finish_non_exhaustive()
    }
}
