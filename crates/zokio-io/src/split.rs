//! [`split`]: one stream as a reader and a writer that can be used apart.
//!
//! Invariants:
//!
//! 1. The stream stands in the allocation that both halves share, and is pinned there: it is moved
//!    out only by [`ReadHalf::unsplit`], which asks for `T: Unpin`.
//! 2. A half that polls the stream holds its lock, so that there is one `&mut` at a time.
#![allow(unsafe_code)]

use crate::{AsyncRead, AsyncWrite, ReadBuf};
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use zokio_base::sync::{Arc, Mutex};

/// Splits a stream into a half that reads and a half that writes.
///
/// The halves may be used by different tasks; a lock keeps their polls apart. Types that can be
/// split without a lock, such as sockets, have methods of their own for it. To get the stream back,
/// see [`ReadHalf::unsplit`].
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use zokio_io::{AsyncReadExt, AsyncWriteExt};
///
/// let (a, b) = zokio_io::duplex(16);
/// let (mut a_read, mut a_write) = zokio_io::split(a);
/// let (mut b_read, mut b_write) = zokio_io::split(b);
/// a_write.write_all(b"ping").await?;
/// b_write.write_all(b"pong").await?;
/// let mut word = [0; 4];
/// b_read.read_exact(&mut word).await?;
/// assert_eq!(&word, b"ping");
/// a_read.read_exact(&mut word).await?;
/// assert_eq!(&word, b"pong");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn split<T>(stream: T) -> (ReadHalf<T>, WriteHalf<T>)
where
    T: AsyncRead + AsyncWrite,
{
    let is_write_vectored = stream.is_write_vectored();
    let shared = Arc::new(Shared {
        stream: Mutex::new(stream),
        is_write_vectored,
    });
    let reader = ReadHalf {
        shared: shared.clone(),
    };
    (reader, WriteHalf { shared })
}

/// The half that reads. Made by [`split`].
pub struct ReadHalf<T> {
    shared: Arc<Shared<T>>,
}

/// The half that writes. Made by [`split`].
pub struct WriteHalf<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    stream: Mutex<T>,
    /// Asked once: it is not expected to change, and asking needs no lock so.
    is_write_vectored: bool,
}

impl<T> Shared<T> {
    /// Calls `f` with the stream locked and pinned.
    fn with_stream<O>(&self, f: impl FnOnce(Pin<&mut T>) -> O) -> O {
        let mut stream = self.stream.lock();
        // SAFETY: invariant 1: the stream stays where it is until it is dropped, unless `T: Unpin`.
        f(unsafe { Pin::new_unchecked(&mut *stream) })
    }
}

// SAFETY: the stream goes to one thread at a time (invariant 2), for which `T: Send` is enough.
unsafe impl<T: Send> Send for ReadHalf<T> {}
// SAFETY: a shared half gives no access to the stream at all.
unsafe impl<T: Sync> Sync for ReadHalf<T> {}
// SAFETY: as for the other half.
unsafe impl<T: Send> Send for WriteHalf<T> {}
// SAFETY: as for the other half.
unsafe impl<T: Sync> Sync for WriteHalf<T> {}

impl<T> ReadHalf<T> {
    /// Whether this half and `other` came from one [`split`].
    pub fn is_pair_of(&self, other: &WriteHalf<T>) -> bool {
        other.is_pair_of(self)
    }

    /// Puts the halves together again.
    ///
    /// The stream moves by that, so it must be [`Unpin`]:
    ///
    /// ```compile_fail,E0277
    /// fn joined<T>(reader: zokio_io::ReadHalf<T>, writer: zokio_io::WriteHalf<T>) -> T {
    ///     reader.unsplit(writer)
    /// }
    /// ```
    ///
    /// # Panics
    /// If the halves did not come from one [`split`].
    #[track_caller]
    pub fn unsplit(self, other: WriteHalf<T>) -> T
    where
        T: Unpin,
    {
        assert!(
            self.is_pair_of(&other),
            "Unrelated `split::Write` passed to `split::Read::unsplit`."
        );
        drop(other);
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => shared.stream.into_inner(),
            Err(_) => unreachable!("a split makes two halves, and halves cannot be cloned"),
        }
    }
}

impl<T> WriteHalf<T> {
    /// Whether this half and `other` came from one [`split`].
    pub fn is_pair_of(&self, other: &ReadHalf<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T: AsyncRead> AsyncRead for ReadHalf<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.with_stream(|stream| stream.poll_read(cx, buf))
    }

    fn poll_read_failure(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.shared
            .with_stream(|stream| stream.poll_read_failure(cx))
    }
}

impl<T: AsyncWrite> AsyncWrite for WriteHalf<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.with_stream(|stream| stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.with_stream(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.with_stream(|stream| stream.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared
            .with_stream(|stream| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.shared.is_write_vectored
    }
}

impl<T: fmt::Debug> fmt::Debug for ReadHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("split::ReadHalf").finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for WriteHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("split::WriteHalf").finish()
    }
}
