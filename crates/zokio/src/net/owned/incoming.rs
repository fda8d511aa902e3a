//! [`Incoming`]: the connections that a listener takes, by one request for all of them.
//!
//! Two ways, and a value may change from the first to the second once:
//!
//! - the ring: the kernel accepts as connections come and queues them; the request is armed again
//!   whenever it has ended (the queue was full, the kernel ended it, an error);
//! - readiness, where there is no ring, or where it does not take the request.
//!
//! Invariants:
//!
//! 1. A connection that the kernel accepted is in the queue, or was given to the caller, or is closed
//!    because the `Incoming` was dropped. A future of [`Incoming::accept`] owns none.
//! 2. Once the end of the request was seen, nobody but its owner has the listener.

use crate::net::{TcpListener, TcpStream};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_task::coop;

#[cfg(target_os = "linux")]
#[path = "incoming_ring.rs"]
mod ring;
#[cfg(not(target_os = "linux"))]
#[path = "incoming_plain.rs"]
mod ring;

/// The connections of a [`TcpListener`].
///
/// On Linux, where there is a ring, the kernel is asked once and accepts from then on (a multishot
/// accept): connections that come in a burst cost no system call each. Up to a limit they are
/// accepted ahead of the caller; then the kernel is asked to wait until the caller has caught up.
///
/// # Examples
/// ```
/// use zokio::io::AsyncWriteExt;
/// use zokio::net::{TcpListener, TcpStream, owned::Incoming};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let mut incoming = Incoming::new(listener);
/// let client = TcpStream::connect(address).await?;
/// let mut stream = incoming.accept().await?;
/// assert_eq!(stream.peer_addr()?, client.local_addr()?);
/// stream.write_all(b"hello").await?;
///
/// // The listener again, and what was accepted ahead.
/// let (listener, ahead) = incoming.into_listener().await?;
/// assert_eq!(listener.local_addr()?, address);
/// assert!(ahead.is_empty());
/// # Ok(()) }
/// ```
pub struct Incoming {
    /// Before the listener: dropped first.
    ring: ring::Accepting,
    listener: Arc<TcpListener>,
}

impl Incoming {
    /// How many connections are accepted ahead of the caller, about, unless told otherwise.
    pub const AHEAD_DEFAULT: usize = 64;

    /// Takes over a listener. Nothing is accepted before the first call of
    /// [`accept`](Self::accept).
    pub fn new(listener: TcpListener) -> Self {
        Self::with_limit(listener, Self::AHEAD_DEFAULT)
    }

    /// As [`new`](Self::new), with about `ahead` connections accepted ahead of the caller. A few
    /// more may come while the kernel is being told to wait.
    ///
    /// # Panics
    /// If `ahead` is 0.
    pub fn with_limit(listener: TcpListener, ahead: usize) -> Self {
        assert!(ahead > 0, "at least one connection is accepted ahead");
        Self {
            ring: ring::Accepting::new(ahead),
            listener: Arc::new(listener),
        }
    }

    /// The listener, to be asked for its address. Do not accept from it: connections may be taken
    /// here and there.
    pub fn listener(&self) -> &TcpListener {
        &self.listener
    }

    /// Whether a ring accepts now, rather than this process by readiness.
    pub fn is_on_ring(&self) -> bool {
        self.ring.is_armed()
    }

    /// Takes the next connection. Its address is its [`peer_addr`](TcpStream::peer_addr).
    ///
    /// # Errors
    /// The errors of `accept`: of a connection that was given up meanwhile (`ConnectionAborted`), or of the
    /// listener, for example that no more descriptors may be opened (`EMFILE`). The next call goes on in
    /// both cases. Or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no connection was taken: what the kernel has
    /// accepted is given to the next call.
    pub async fn accept(&mut self) -> io::Result<TcpStream> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next connection. One task waits at a time.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let unit = ready!(coop::poll_proceed(cx));
        if let Some(accepted) = ready!(self.ring.poll(&self.listener, cx)) {
            unit.made_progress();
            return Poll::Ready(accepted);
        }
        // Takes a unit of its own.
        drop(unit);
        self.listener.poll_accept(cx).map_ok(|(stream, _)| stream)
    }

    /// Accepts no more, and gives the listener back, with the connections that were accepted and not
    /// yet taken.
    ///
    /// # Errors
    /// An error of the kind `Other` if the runtime has shut down while the kernel may still use the
    /// listener.
    ///
    /// # Cancel safety
    /// If the future is dropped, so are the listener and these connections.
    pub async fn into_listener(mut self) -> io::Result<(TcpListener, Vec<TcpStream>)> {
        let ahead = self.ring.finish(&self.listener).await;
        match Arc::try_unwrap(self.listener) {
            Ok(listener) => Ok((listener, ahead)),
            // The driver gave up on the kernel and keeps what the kernel may still use.
            Err(_) => Err(io::Error::other("the listener is still in use")),
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("listener", &self.listener)
            .field("is_on_ring", &self.is_on_ring())
            .finish()
    }
}
