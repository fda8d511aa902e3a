//! [`AsyncWrite`]: bytes into a sink, without blocking.

use std::io::{self, Cursor, IoSlice, Write};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A sink of bytes that can be written to without blocking the thread.
///
/// The asynchronous twin of [`std::io::Write`], with one thing more: closing a sink may take time,
/// so there is [`poll_shutdown`](Self::poll_shutdown). Most users want the methods of
/// [`AsyncWriteExt`](crate::AsyncWriteExt).
pub trait AsyncWrite {
    /// Writes some of `buf` and returns how many bytes were taken.
    ///
    /// - `Ready(Ok(n))`: the first `n` bytes were taken, `n <= buf.len()`. Zero of a buffer that is
    ///   not empty says that the sink takes no more.
    /// - `Pending`: nothing was taken; the task of `cx` is woken when writing may succeed.
    /// - `Ready(Err(_))`: nothing was taken.
    ///
    /// # Errors
    /// Those of the sink. `WouldBlock` is never among them, and `Interrupted` is retried inside.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>>;

    /// Waits until everything that was taken has reached its destination.
    ///
    /// # Errors
    /// Those of the sink.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Flushes and closes the sink: a socket sends its end of stream, for instance.
    ///
    /// After `Ready(Ok(()))` nothing more should be written. A sink that has nothing to close
    /// flushes.
    ///
    /// # Errors
    /// Those of the sink.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// As [`poll_write`](Self::poll_write), from several buffers one after the other.
    ///
    /// Unless implemented, writes the first buffer that is not empty.
    ///
    /// # Errors
    /// As `poll_write`.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |buf| &**buf))
    }

    /// Whether [`poll_write_vectored`](Self::poll_write_vectored) is better than joining the buffers
    /// first. False unless implemented.
    fn is_write_vectored(&self) -> bool {
        false
    }
}

macro_rules! forward_to_deref {
    () => {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut **self).poll_write(cx, buf)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut **self).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut **self).poll_shutdown(cx)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut **self).poll_write_vectored(cx, bufs)
        }

        fn is_write_vectored(&self) -> bool {
            (**self).is_write_vectored()
        }
    };
}

impl<T: ?Sized + AsyncWrite + Unpin> AsyncWrite for &mut T {
    forward_to_deref!();
}

impl<T: ?Sized + AsyncWrite + Unpin> AsyncWrite for Box<T> {
    forward_to_deref!();
}

impl<P> AsyncWrite for Pin<P>
where
    P: DerefMut,
    P::Target: AsyncWrite,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.as_deref_mut().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_deref_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_deref_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.as_deref_mut().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        (**self).is_write_vectored()
    }
}

/// Bytes that are written to memory are there at once: flush and shutdown have nothing to do.
macro_rules! write_to_memory {
    () => {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Write::write(self.get_mut(), buf))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Write::write_vectored(self.get_mut(), bufs))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }
    };
}

/// Appends; the vector grows.
impl AsyncWrite for Vec<u8> {
    write_to_memory!();
}

/// Writes over what is there; takes no more at the end of the slice.
impl AsyncWrite for Cursor<&mut [u8]> {
    write_to_memory!();
}

/// Writes over what is there; the vector grows.
impl AsyncWrite for Cursor<&mut Vec<u8>> {
    write_to_memory!();
}

/// Writes over what is there; the vector grows.
impl AsyncWrite for Cursor<Vec<u8>> {
    write_to_memory!();
}

/// Writes over what is there; takes no more at the end of the slice.
impl AsyncWrite for Cursor<Box<[u8]>> {
    write_to_memory!();
}
