//! [`BufReader`]: few large reads in the place of many small ones.
//!
//! Invariants:
//!
//! 1. `position <= end <= buf.len()`; `buf[position..end]` was read from the source and not yet
//!    taken.
//! 2. The source stands `end - position` bytes ahead of where the user believes it to be. Seeking
//!    accounts for that, and empties the buffer.

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
    /// None in progress.
    Idle,
    /// Asked for; the source knows nothing of it.
    Requested(SeekFrom),
    /// The source moves back over what is in the buffer; then by this much.
    Rewinding(i64),
    /// The source moves to its destination.
    Moving,
}

pin_project! {
    /// Adds a buffer to a reader.
    ///
    /// Worth it for many small reads of something slow. Reads larger than an empty buffer go around
    /// it. What is in the buffer when it is dropped is lost. Writes and seeks go to the source.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// use zokio_io::{AsyncBufReadExt, BufReader};
    ///
    /// let mut reader = BufReader::new(&b"one\ntwo"[..]);
    /// let mut line = String::new();
    /// reader.read_line(&mut line).await?;
    /// assert_eq!(line, "one\n");
    /// assert_eq!(reader.buffer(), b"two");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub struct BufReader<R> {
        #[pin]
        inner: R,
        buf: Box<[u8]>,
        position: usize,
        end: usize,
        seek: Seek,
    }
}

impl<R: AsyncRead> BufReader<R> {
    /// A reader with a buffer of 8 KiB.
    pub fn new(inner: R) -> Self {
        Self::with_capacity(DEFAULT_BUF_SIZE, inner)
    }

    /// A reader with a buffer of `capacity` bytes.
    ///
    /// # Panics
    /// If `capacity` is zero: such a buffer would always look like the end of the source.
    #[track_caller]
    pub fn with_capacity(capacity: usize, inner: R) -> Self {
        assert!(capacity > 0, "the capacity must be greater than zero");
        Self {
            inner,
            buf: vec![0; capacity].into_boxed_slice(),
            position: 0,
            end: 0,
            seek: Seek::Idle,
        }
    }

    /// The source.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The source. It is ahead of this reader by what is in the buffer.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The source, pinned. It is ahead of this reader by what is in the buffer.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().inner
    }

    /// Gives the source back. What is in the buffer is lost.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The bytes in the buffer. Never reads.
    pub fn buffer(&self) -> &[u8] {
        &self.buf[self.position..self.end]
    }

    fn discard(self: Pin<&mut Self>) {
        let me = self.project();
        *me.position = 0;
        *me.end = 0;
    }
}

impl<R> BufReader<R> {
    /// Takes it apart, with what is in the buffer.
    pub(super) fn into_parts(self) -> (R, Box<[u8]>, usize, usize) {
        (self.inner, self.buf, self.position, self.end)
    }

    /// The inverse of [`into_parts`](Self::into_parts).
    pub(super) fn from_parts(inner: R, buf: Box<[u8]>, position: usize, end: usize) -> Self {
        Self {
            inner,
            buf,
            position,
            end,
            seek: Seek::Idle,
        }
    }
}

impl<R: AsyncRead> AsyncRead for BufReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.position == self.end && buf.remaining() >= self.buf.len() {
            ready!(self.as_mut().get_pin_mut().poll_read(cx, buf))?;
            self.discard();
            return Poll::Ready(Ok(()));
        }
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = available.len().min(buf.remaining());
        buf.put_slice(&available[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }

    fn poll_read_failure(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.get_pin_mut().poll_read_failure(cx)
    }
}

impl<R: AsyncRead> AsyncBufRead for BufReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let me = self.project();
        if *me.position == *me.end {
            let mut buf = ReadBuf::new(me.buf);
            ready!(me.inner.poll_read(cx, &mut buf))?;
            *me.end = buf.filled().len();
            *me.position = 0;
        }
        Poll::Ready(Ok(&me.buf[*me.position..*me.end]))
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        let me = self.project();
        *me.position = me.position.saturating_add(amt).min(*me.end);
    }
}

/// Seeking empties the buffer, also if the new position lies in it.
impl<R: AsyncRead + AsyncSeek> AsyncSeek for BufReader<R> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        *self.project().seek = Seek::Requested(position);
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        loop {
            // A buffer is never longer than `isize::MAX`, so this loses nothing.
            let ahead = (self.end - self.position) as i64;
            let me = self.as_mut().project();
            let mut inner = me.inner;
            // A step that fails ends the seek; one that has to wait puts its state back.
            match std::mem::replace(me.seek, Seek::Idle) {
                Seek::Idle => {
                    let position = ready!(inner.poll_complete(cx))?;
                    return Poll::Ready(Ok(position.saturating_sub(ahead as u64)));
                }
                Seek::Requested(SeekFrom::Current(offset)) => match offset.checked_sub(ahead) {
                    Some(offset) => {
                        inner.as_mut().start_seek(SeekFrom::Current(offset))?;
                        *me.seek = Seek::Moving;
                    }
                    None => {
                        inner.as_mut().start_seek(SeekFrom::Current(-ahead))?;
                        *me.seek = Seek::Rewinding(offset);
                    }
                },
                Seek::Requested(position) => {
                    inner.as_mut().start_seek(position)?;
                    *me.seek = Seek::Moving;
                }
                state @ (Seek::Rewinding(_) | Seek::Moving) => {
                    let Poll::Ready(result) = inner.poll_complete(cx) else {
                        *me.seek = state;
                        return Poll::Pending;
                    };
                    let position = result?;
                    *me.position = 0;
                    *me.end = 0;
                    let Seek::Rewinding(offset) = state else {
                        return Poll::Ready(Ok(position));
                    };
                    *me.seek = Seek::Requested(SeekFrom::Current(offset));
                }
            }
        }
    }
}

impl<R: AsyncRead + AsyncWrite> AsyncWrite for BufReader<R> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_pin_mut().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_pin_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_pin_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_pin_mut().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.get_ref().is_write_vectored()
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("reader", &self.inner)
            .field(
                "buffer",
                &format_args!("{}/{}", self.end - self.position, self.buf.len()),
            )
            .finish()
    }
}
