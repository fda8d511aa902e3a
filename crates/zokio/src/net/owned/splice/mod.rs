//! [`splice_bidirectional`]: joins two stream sockets.
//!
//! Each direction is a [`Way`] with a [`Conduit`], which holds what has left one socket and not yet
//! entered the other: a pipe in the kernel, or a buffer where there are no pipes to be had.
//!
//! Invariants:
//!
//! 1. Bytes that left a socket are in the conduit until the other socket took them. So a future that
//!    is dropped loses none: they go with the next run.
//! 2. A conduit is filled only when it is empty. So `WouldBlock` from filling is the source's.
//! 3. The far side's end is passed on after all bytes before it, once.
//! 4. While a conduit that is not empty waits for the target, a failure of the source ends the wait:
//!    nothing is read meanwhile that would tell of it.

mod buffer;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod conduit;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod conduit;

use super::socket::StreamSocket;
use conduit::Conduit;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

/// One direction.
struct Way {
    conduit: Conduit,
    moved: u64,
    /// The source has ended.
    is_at_end: bool,
    /// The target was told so.
    is_closed: bool,
}

impl Way {
    fn new() -> Self {
        Self {
            conduit: Conduit::new(),
            moved: 0,
            is_at_end: false,
            is_closed: false,
        }
    }

    async fn run<A: StreamSocket, B: StreamSocket>(&mut self, from: &A, to: &B) -> io::Result<()> {
        while !self.is_closed {
            while !self.conduit.is_empty() {
                let drain = self.conduit.drain(to);
                let drained = if self.is_at_end {
                    drain.await?
                } else {
                    or_failure(from, drain).await?
                };
                if drained == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                self.moved += drained as u64;
            }
            if self.is_at_end {
                to.shutdown_write()?;
                self.is_closed = true;
            } else {
                self.is_at_end = self.conduit.fill(from).await? == 0;
            }
        }
        Ok(())
    }
}

/// Waits for `drain`, or for `source` to fail (invariant 4).
async fn or_failure<S: StreamSocket>(
    source: &S,
    drain: impl Future<Output = io::Result<usize>>,
) -> io::Result<usize> {
    let mut drain = pin!(drain);
    poll_fn(|cx| match drain.as_mut().poll(cx) {
        Poll::Pending => source.poll_failure(cx).map(Err),
        drained => drained,
    })
    .await
}

/// Two stream sockets, joined: what comes in on one goes out on the other.
///
/// [`run`](Self::run) moves bytes in both directions until both sides have ended. Between runs the
/// bytes that have left one socket and not yet entered the other wait here.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zokio::io::{AsyncReadExt, AsyncWriteExt};
/// use zokio::net::{TcpListener, TcpStream, owned::Splice};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// # let (mut client, near) = (TcpStream::connect(address).await?, listener.accept().await?.0);
/// # let (far, mut server) = (TcpStream::connect(address).await?, listener.accept().await?.0);
/// # let (mut near, mut far) = (near, far);
/// let mut splice = Splice::new(&mut near, &mut far);
/// client.write_all(b"hello").await?;
/// // Dropped in the middle, it loses nothing.
/// let _ = zokio::time::timeout(Duration::from_millis(5), splice.run()).await;
/// client.write_all(b" world").await?;
/// client.shutdown().await?;
/// server.shutdown().await?;
/// assert_eq!(splice.run().await?, (11, 0));
/// let mut words = String::new();
/// server.read_to_string(&mut words).await?;
/// assert_eq!(words, "hello world");
/// # Ok(()) }
/// ```
pub struct Splice<'a, A, B> {
    a: &'a mut A,
    b: &'a mut B,
    a_to_b: Way,
    b_to_a: Way,
}

impl<'a, A: StreamSocket, B: StreamSocket> Splice<'a, A, B> {
    /// Joins two sockets. Nothing moves yet.
    pub fn new(a: &'a mut A, b: &'a mut B) -> Self {
        Self {
            a,
            b,
            a_to_b: Way::new(),
            b_to_a: Way::new(),
        }
    }

    /// Has the bytes pass through this process even where they need not.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn copying(mut self) -> Self {
        for way in [&mut self.a_to_b, &mut self.b_to_a] {
            way.conduit = Conduit::Buffer(buffer::Buffer::new());
        }
        self
    }

    /// Moves bytes in both directions until both sides have ended, or to the first error. When one
    /// side ends, the other's write side is closed once it has all that came before; the other
    /// direction goes on. Returns how many bytes went from the first socket to the second, and back.
    ///
    /// # Errors
    /// Those of reading and writing either socket, such as `ConnectionReset`; or that the runtime has shut
    /// down. A TCP connection that was reset ends the run also while the other socket takes nothing.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: another run goes on where it was.
    ///
    /// # Platforms
    /// On Linux a write to a connection that the peer has reset raises `SIGPIPE`. Rust programs ignore it
    /// unless they ask for it.
    pub async fn run(&mut self) -> io::Result<(u64, u64)> {
        zokio::try_join!(
            self.a_to_b.run(&*self.a, &*self.b),
            self.b_to_a.run(&*self.b, &*self.a),
        )?;
        Ok(self.moved())
    }

    /// How many bytes went from the first socket to the second, and back, so far.
    pub fn moved(&self) -> (u64, u64) {
        (self.a_to_b.moved, self.b_to_a.moved)
    }

    /// How many bytes have left one socket and not yet entered the other, in each direction.
    pub fn in_transit(&self) -> (usize, usize) {
        (self.a_to_b.conduit.len(), self.b_to_a.conduit.len())
    }
}

impl<A, B> fmt::Debug for Splice<'_, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splice")
            .field("a_to_b", &self.a_to_b.moved)
            .field("b_to_a", &self.b_to_a.moved)
            .finish_non_exhaustive()
    }
}

/// Moves bytes between two stream sockets, in both directions, until both sides have ended: what
/// [`copy_bidirectional`](crate::io::copy_bidirectional) does, for sockets, without the bytes passing
/// through this process where the system can do that. Returns how many bytes went from `a` to `b`,
/// and from `b` to `a`.
///
/// # Errors
/// As [`Splice::run`].
///
/// # Cancel safety
/// Bytes that had left one socket and not yet entered the other are lost with the future. [`Splice`]
/// keeps them.
///
/// # Examples
/// See the [module](super).
pub async fn splice_bidirectional<A, B>(a: &mut A, b: &mut B) -> io::Result<(u64, u64)>
where
    A: StreamSocket,
    B: StreamSocket,
{
    Splice::new(a, b).run().await
}
