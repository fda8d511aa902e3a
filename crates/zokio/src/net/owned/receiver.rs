//! [`Receiver`]: the bytes of a stream socket, in buffers of a pool.
//!
//! Two ways, and a value may change from the first to the second once:
//!
//! - the ring: the kernel receives as bytes come, each time into a buffer of the pool that it takes then,
//!   and queues them; the request is armed again whenever it has ended;
//! - readiness: a buffer is taken when there are bytes, and read into.
//!
//! Invariants:
//!
//! 1. Bytes that left the socket are in the queue, in a buffer that the caller has, or in a buffer that a
//!    dropped `Receiver` gave back. A future of [`Receiver::recv`] owns none.
//! 2. One request is in flight at a time, so bytes keep their order; and no byte is read by readiness
//!    before the end of the last request was seen.
//! 3. When the pool has no buffers left, nothing is received until one comes back: bytes stay with the
//!    system, and the peer is held up in the end.

use super::socket::{Lane, StreamSocket};
use crate::io_driver::{driver, worker};
use crate::net::{TcpStream, tcp};
#[cfg(unix)]
use crate::net::{UnixStream, unix};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_driver::buf::pool::{Lease, Pool};
use zokio_io::ReadBuf;

#[cfg(target_os = "linux")]
#[path = "receiver_ring.rs"]
mod ring;
#[cfg(not(target_os = "linux"))]
#[path = "receiver_plain.rs"]
mod ring;

/// The next thing that the kernel brings.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // A ring would bring them.
enum Next {
    Bytes(Lease),
    /// The peer has closed its side.
    AtEnd,
    /// It is to be read.
    ByReadiness,
}

/// A number of buffers that [`Receiver`]s share.
///
/// Where there is a ring the buffers are registered with it, and the kernel takes one when bytes come:
/// a connection that is silent has none. A pool belongs to one worker's ring; a server with several
/// workers may have a pool for each. Cloning it is cheap and makes no buffers.
#[derive(Clone)]
pub struct BufferPool(Arc<Pool>);

impl BufferPool {
    /// Makes `count` buffers of `size` bytes each. `count` is rounded up to a power of two.
    ///
    /// # Panics
    /// If there are no buffers or more than 32,768, or if `size` is 0 or above 2 GiB. Outside of a
    /// runtime, or if the runtime has no I/O.
    #[track_caller]
    pub fn new(count: usize, size: usize) -> Self {
        let driver = driver();
        Self(Pool::new(&driver, worker(&driver), count, size))
    }

    /// How many buffers there are.
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// How long each of them is.
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// How many have bytes that were received, or are in somebody's hands.
    pub fn lent(&self) -> usize {
        self.0.lent()
    }

    /// Whether they are registered with a ring.
    pub fn is_on_ring(&self) -> bool {
        self.0.worker().is_some()
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool")
            .field("count", &self.count())
            .field("size", &self.size())
            .field("lent", &self.lent())
            .finish_non_exhaustive()
    }
}

/// Bytes that were received. Dropped, the buffer goes back to its pool.
pub struct Buffer(Lease);

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len()).finish()
    }
}

/// A source of a [`Receiver`]: a stream, or its owned half for reading.
///
/// The trait is sealed: it can be named in bounds, and implemented here only.
pub trait Source: Send + Sync + 'static {
    /// The stream behind it.
    #[doc(hidden)]
    type Stream: StreamSocket;

    /// The stream behind it.
    #[doc(hidden)]
    fn stream(&self) -> &Self::Stream;
}

macro_rules! source {
    ($source:ty, $stream:ty) => {
        impl Source for $source {
            type Stream = $stream;

            fn stream(&self) -> &$stream {
                self.as_ref()
            }
        }
    };
}

source!(TcpStream, TcpStream);
source!(tcp::OwnedReadHalf, TcpStream);
#[cfg(unix)]
source!(UnixStream, UnixStream);
#[cfg(unix)]
source!(unix::OwnedReadHalf, UnixStream);

/// Receives the bytes of a stream socket in buffers of a [`BufferPool`].
///
/// Where there is a ring the kernel is asked once and receives from then on (a multishot receive).
/// Up to a limit it receives ahead of the caller. While it does, do not read from the stream in another
/// way: bytes may be taken here and there. To write, give the receiver the owned half for reading.
///
/// Dropped, it drops what was received ahead: nobody else has these bytes. Whoever goes on reading the
/// socket by other means (the other half's `as_ref`, a copy of its descriptor) begins behind them.
/// [`into_parts`](Self::into_parts) gives them back, with the socket. The socket is closed when the
/// system has ended the request, which may be a moment after the drop.
///
/// # Examples
/// ```
/// use zokio::io::AsyncWriteExt;
/// use zokio::net::owned::{BufferPool, Receiver};
/// use zokio::net::{TcpListener, TcpStream};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// # let server = listener.accept().await?.0;
/// let pool = BufferPool::new(16, 4096);
/// let (reader, mut writer) = server.into_split();
/// let mut receiver = Receiver::new(reader, &pool);
///
/// client.write_all(b"hello").await?;
/// let buffer = receiver.recv().await?.expect("the client is there");
/// assert_eq!(&buffer[..], b"hello");
/// writer.write_all(&buffer).await?;
/// // The buffer goes back.
/// drop(buffer);
///
/// client.shutdown().await?;
/// assert!(receiver.recv().await?.is_none());
/// # Ok(()) }
/// ```
pub struct Receiver<R: Source> {
    /// Before the socket: dropped first.
    ring: ring::Receiving,
    pool: BufferPool,
    source: Arc<R>,
    is_at_end: bool,
}

impl<R: Source> Receiver<R> {
    /// How many buffers are received ahead of the caller, about, unless told otherwise.
    pub const AHEAD_DEFAULT: usize = 8;

    /// Takes over a stream, or its half for reading. Nothing is received before the first call of
    /// [`recv`](Self::recv).
    pub fn new(source: R, pool: &BufferPool) -> Self {
        Self::with_limit(source, pool, Self::AHEAD_DEFAULT)
    }

    /// As [`new`](Self::new), with about `ahead` buffers received ahead of the caller. A few more may
    /// come while the kernel is being told to wait.
    ///
    /// # Panics
    /// If `ahead` is 0.
    pub fn with_limit(source: R, pool: &BufferPool, ahead: usize) -> Self {
        assert!(ahead > 0, "at least one buffer is received ahead");
        Self {
            ring: ring::Receiving::new(ahead),
            pool: pool.clone(),
            source: Arc::new(source),
            is_at_end: false,
        }
    }

    /// The source that it receives from. Do not read from it.
    pub fn source(&self) -> &R {
        &self.source
    }

    /// Whether a ring receives now, rather than this process by readiness.
    pub fn is_on_ring(&self) -> bool {
        self.ring.is_armed()
    }

    /// Receives bytes: a buffer with at least one. None once the peer has closed its side.
    ///
    /// While all buffers of the pool are lent this waits for one to be dropped. Whoever keeps all of
    /// them waits for ever.
    ///
    /// # Errors
    /// The errors of the read: `ConnectionReset` if the peer has broken the connection off; or that the
    /// runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no byte is lost: what the kernel has received is
    /// given to the next call.
    pub async fn recv(&mut self) -> io::Result<Option<Buffer>> {
        let next = match self.ring.next(&self.source, &self.pool.0).await? {
            Next::Bytes(lease) => Some(lease),
            Next::AtEnd => None,
            Next::ByReadiness if self.is_at_end => None,
            Next::ByReadiness => self.read().await?,
        };
        self.is_at_end |= next.is_none();
        Ok(next.map(Buffer))
    }

    /// Reads once.
    async fn read(&self) -> io::Result<Option<Lease>> {
        loop {
            match poll_fn(|cx| self.poll_read(cx)).await {
                None => self.pool.0.available().await,
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Some(result) => return result.map(|lease| (!lease.is_empty()).then_some(lease)),
            }
        }
    }

    /// Polls for bytes. None if there is no buffer for them. Nobody holds one who waits.
    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Lease>>> {
        let Some(mut lease) = self.pool.0.take() else {
            return Poll::Ready(None);
        };
        let mut buf = ReadBuf::new(&mut lease);
        let result = ready!(Lane::poll_read(self.source.stream(), cx, &mut buf));
        let read = buf.filled().len();
        lease.truncate(read);
        Poll::Ready(Some(result.map(|()| lease)))
    }

    /// Receives no more, and gives the source back, with what was received and not yet taken, in its
    /// order: bytes, and behind them the error that ended the connection, if one did. The system
    /// tells an error once, so the source would not tell it again. What comes later is to be read
    /// from the source.
    ///
    /// # Errors
    /// If the runtime was shut down and the system still uses the socket.
    ///
    /// # Cancel safety
    /// If the future is dropped, so are the source and these bytes.
    ///
    /// # Examples
    /// ```
    /// use zokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use zokio::net::owned::{BufferPool, Receiver};
    /// use zokio::net::{TcpListener, TcpStream};
    ///
    /// # #[zokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let server = listener.accept().await?.0;
    /// let pool = BufferPool::new(4, 4096);
    /// let mut receiver = Receiver::new(server, &pool);
    /// client.write_all(b"head").await?;
    /// let mut bytes = receiver.recv().await?.expect("the client is there").to_vec();
    /// client.write_all(b" and body").await?;
    /// client.shutdown().await?;
    ///
    /// // The rest is read without the lane.
    /// let (mut server, ahead) = receiver.into_parts().await?;
    /// for buffer in ahead {
    ///     bytes.extend_from_slice(&buffer?);
    /// }
    /// server.read_to_end(&mut bytes).await?;
    /// assert_eq!(bytes, b"head and body");
    /// # Ok(()) }
    /// ```
    pub async fn into_parts(mut self) -> io::Result<(R, Vec<io::Result<Buffer>>)> {
        let ahead = self.ring.finish().await;
        match Arc::try_unwrap(self.source) {
            Ok(source) => {
                let ahead = ahead.into_iter().map(|it| it.map(Buffer));
                Ok((source, ahead.collect()))
            }
            // The driver gave up on the kernel and keeps what the kernel may still use.
            Err(_) => Err(io::Error::other("the socket is still in use")),
        }
    }
}

impl<R: Source> fmt::Debug for Receiver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("pool", &self.pool)
            .field("is_on_ring", &self.is_on_ring())
            .field("is_at_end", &self.is_at_end)
            .finish_non_exhaustive()
    }
}
