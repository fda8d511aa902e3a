//! [`AsyncRead`]: bytes out of a source, without blocking.

use crate::ReadBuf;
use std::io::{self, Cursor};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A source of bytes that can be read without blocking the thread.
///
/// The asynchronous twin of [`std::io::Read`]. Where that would block, `poll_read` returns
/// `Pending` and has the task woken once it is worth trying again. Most users want the methods of
/// [`AsyncReadExt`](crate::AsyncReadExt), which are there for every `AsyncRead`.
///
/// # Examples
/// ```
/// use std::{io, pin::Pin, task::{Context, Poll}};
/// use zokio_io::{AsyncRead, ReadBuf};
///
/// /// Counts up for ever.
/// struct Counter(u8);
///
/// impl AsyncRead for Counter {
///     fn poll_read(
///         mut self: Pin<&mut Self>,
///         _cx: &mut Context<'_>,
///         buf: &mut ReadBuf<'_>,
///     ) -> Poll<io::Result<()>> {
///         while buf.remaining() > 0 {
///             buf.put_slice(&[self.0]);
///             self.0 = self.0.wrapping_add(1);
///         }
///         Poll::Ready(Ok(()))
///     }
/// }
/// ```
pub trait AsyncRead {
    /// Reads some bytes and appends them to the filled part of `buf`.
    ///
    /// - `Ready(Ok(()))`: what was read was added to `buf`. If nothing was added although `buf` had
    ///   room, the source has ended.
    /// - `Pending`: nothing was added; the task of `cx` is woken when reading may succeed.
    /// - `Ready(Err(_))`: nothing was added.
    ///
    /// # Errors
    /// Those of the source. `WouldBlock` is never among them, and `Interrupted` is retried inside.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>;

    /// Waits until the source has failed, without taking bytes from it.
    ///
    /// A copy asks this while it has no room to read: the failure of a connection stands behind the bytes
    /// that were received before, so no read of a few bytes would tell of it. The end of the source is not
    /// a failure: the bytes in front of it are still wanted. `Ready` takes the error out of the source, and
    /// `Pending` has the task of `cx` woken when there may be one.
    ///
    /// A source that knows of no failure but by reading is `Pending` for ever, as here. An adapter passes
    /// the question on.
    #[doc(hidden)]
    fn poll_read_failure(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        let _ = cx;
        Poll::Pending
    }
}

impl<T: ?Sized + AsyncRead + Unpin> AsyncRead for &mut T {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut **self).poll_read(cx, buf)
    }

    fn poll_read_failure(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        Pin::new(&mut **self).poll_read_failure(cx)
    }
}

impl<T: ?Sized + AsyncRead + Unpin> AsyncRead for Box<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut **self).poll_read(cx, buf)
    }

    fn poll_read_failure(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        Pin::new(&mut **self).poll_read_failure(cx)
    }
}

impl<P> AsyncRead for Pin<P>
where
    P: DerefMut,
    P::Target: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.as_deref_mut().poll_read(cx, buf)
    }

    fn poll_read_failure(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.as_deref_mut().poll_read_failure(cx)
    }
}

/// Reads from the front of the slice and shortens it. Ends when the slice is empty.
impl AsyncRead for &[u8] {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (front, rest) = self.split_at(self.len().min(buf.remaining()));
        buf.put_slice(front);
        *self = rest;
        Poll::Ready(Ok(()))
    }
}

/// Reads at the cursor's position and moves it. A position past the end reads nothing.
impl<T: AsRef<[u8]> + Unpin> AsyncRead for Cursor<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let position = self.position();
        let bytes = (*self).get_ref().as_ref();
        // A position that does not fit in `usize` is past the end of any slice.
        let start = usize::try_from(position).map_or(bytes.len(), |at| at.min(bytes.len()));
        let count = (bytes.len() - start).min(buf.remaining());
        buf.put_slice(&bytes[start..start + count]);
        self.set_position(position + count as u64);
        Poll::Ready(Ok(()))
    }
}
