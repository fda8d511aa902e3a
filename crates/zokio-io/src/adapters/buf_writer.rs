//! [`BufWriter`]: few large writes in the place of many small ones.
//!
//! Invariant: `buf[..written]` was taken by the sink, `buf[written..]` was not. A flush that is
//! interrupted goes on behind `written`.

use crate::util::DEFAULT_BUF_SIZE;
use crate::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use pin_project_lite::pin_project;
use std::fmt;
use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How far a seek has come.
#[derive(Debug, Clone, Copy)]
enum Seek {
    /// None in progress, or the sink is at it already.
    Idle,
    /// Asked for; the buffer is to be written first.
    Requested(SeekFrom),
}

pin_project! {
    /// Adds a buffer to a writer.
    ///
    /// Worth it for many small writes to something slow. Writes as large as the buffer go around it.
    /// **The buffer is not written when it is dropped**: call
    /// [`flush`](crate::AsyncWriteExt::flush) or [`shutdown`](crate::AsyncWriteExt::shutdown)
    /// before. Reads go to the sink, seeks write the buffer first.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// use zokio_io::{AsyncWriteExt, BufWriter};
    ///
    /// let mut writer = BufWriter::new(Vec::new());
    /// writer.write_all(b"hello").await?;
    /// assert!(writer.get_ref().is_empty());
    /// writer.flush().await?;
    /// assert_eq!(writer.get_ref(), b"hello");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub struct BufWriter<W> {
        #[pin]
        inner: W,
        buf: Vec<u8>,
        written: usize,
        seek: Seek,
    }
}

impl<W: AsyncWrite> BufWriter<W> {
    /// A writer with a buffer of 8 KiB.
    pub fn new(inner: W) -> Self {
        Self::with_capacity(DEFAULT_BUF_SIZE, inner)
    }

    /// A writer with a buffer of `capacity` bytes.
    pub fn with_capacity(capacity: usize, inner: W) -> Self {
        Self::from_parts(inner, Vec::with_capacity(capacity), 0)
    }

    /// The sink.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The sink. What is in the buffer is missing there.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The sink, pinned. What is in the buffer is missing there.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut W> {
        self.project().inner
    }

    /// Gives the sink back. What is in the buffer is lost.
    pub fn into_inner(self) -> W {
        self.inner
    }

    /// The bytes in the buffer.
    pub fn buffer(&self) -> &[u8] {
        &self.buf
    }

    /// Writes the buffer to the sink.
    fn poll_drain(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut me = self.project();
        let outcome = loop {
            if *me.written == me.buf.len() {
                break Ok(());
            }
            match ready!(me.inner.as_mut().poll_write(cx, &me.buf[*me.written..])) {
                Ok(0) => {
                    let kind = io::ErrorKind::WriteZero;
                    break Err(io::Error::new(kind, "failed to write the buffered data"));
                }
                Ok(count) => *me.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        me.buf.drain(..*me.written);
        *me.written = 0;
        Poll::Ready(outcome)
    }

    /// Makes room for `count` bytes, if the buffer is not too small for them anyway.
    fn poll_make_room(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        count: usize,
    ) -> Poll<io::Result<()>> {
        if count <= self.buf.capacity() - self.buf.len() {
            return Poll::Ready(Ok(()));
        }
        self.poll_drain(cx)
    }

    /// The first buffers, joined, for a sink that takes one buffer at a time.
    fn poll_write_joined(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut bufs = bufs.iter().filter(|buf| !buf.is_empty());
        let Some(first) = bufs.next() else {
            return Poll::Ready(Ok(0));
        };
        ready!(self.as_mut().poll_make_room(cx, first.len()))?;
        let me = self.project();
        if first.len() >= me.buf.capacity() {
            return me.inner.poll_write(cx, first);
        }
        me.buf.extend_from_slice(first);
        let mut taken = first.len();
        for buf in bufs {
            if buf.len() > me.buf.capacity() - me.buf.len() {
                break;
            }
            me.buf.extend_from_slice(buf);
            taken += buf.len();
        }
        Poll::Ready(Ok(taken))
    }
}

impl<W> BufWriter<W> {
    /// Takes it apart, with what is in the buffer.
    pub(super) fn into_parts(self) -> (W, Vec<u8>, usize) {
        (self.inner, self.buf, self.written)
    }

    /// The inverse of [`into_parts`](Self::into_parts).
    pub(super) fn from_parts(inner: W, buf: Vec<u8>, written: usize) -> Self {
        Self {
            inner,
            buf,
            written,
            seek: Seek::Idle,
        }
    }
}

impl<W: AsyncWrite> AsyncWrite for BufWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_make_room(cx, buf.len()))?;
        let me = self.project();
        if buf.len() >= me.buf.capacity() {
            return me.inner.poll_write(cx, buf);
        }
        me.buf.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_drain(cx))?;
        self.get_pin_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_drain(cx))?;
        self.get_pin_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.inner.is_write_vectored() {
            return self.poll_write_joined(cx, bufs);
        }
        let total = bufs
            .iter()
            .fold(0usize, |sum, buf| sum.saturating_add(buf.len()));
        ready!(self.as_mut().poll_make_room(cx, total))?;
        let me = self.project();
        if total >= me.buf.capacity() {
            return me.inner.poll_write_vectored(cx, bufs);
        }
        for buf in bufs {
            me.buf.extend_from_slice(buf);
        }
        Poll::Ready(Ok(total))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// Seeking writes the buffer first.
impl<W: AsyncWrite + AsyncSeek> AsyncSeek for BufWriter<W> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        *self.project().seek = Seek::Requested(position);
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        if let Seek::Requested(position) = self.seek {
            // Bytes that cannot be written end the seek, and stay in the buffer.
            let drained = ready!(self.as_mut().poll_drain(cx));
            let mut me = self.as_mut().project();
            if drained.is_ok() {
                // Writing may have left something in progress.
                let settled = ready!(me.inner.as_mut().poll_complete(cx));
                *me.seek = Seek::Idle;
                settled?;
                me.inner.start_seek(position)?;
            }
            *me.seek = Seek::Idle;
            drained?;
        }
        let me = self.project();
        let position = ready!(me.inner.poll_complete(cx))?;
        // The bytes in the buffer belong in front of those that are written next.
        Poll::Ready(Ok(position + (me.buf.len() - *me.written) as u64))
    }
}

impl<W: AsyncWrite + AsyncRead> AsyncRead for BufWriter<W> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_pin_mut().poll_read(cx, buf)
    }

    fn poll_read_failure(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.get_pin_mut().poll_read_failure(cx)
    }
}

impl<W: AsyncWrite + AsyncBufRead> AsyncBufRead for BufWriter<W> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_pin_mut().poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        self.get_pin_mut().consume(amt);
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("writer", &self.inner)
            .field(
                "buffer",
                &format_args!("{}/{}", self.buf.len(), self.buf.capacity()),
            )
            .field("written", &self.written)
            .finish()
    }
}
