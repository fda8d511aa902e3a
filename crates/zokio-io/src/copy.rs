//! Copying from a reader to a writer: one way, both ways, and out of the reader's own buffer.
//!
//! Invariants of [`CopyBuffer`]:
//!
//! 1. `buf[position..end]` was read and not yet written.
//! 2. An operation that was interrupted is tried again.
//! 3. Reading goes on while the writer waits, as long as there is room: the other side may read on only
//!    once it has got rid of what it has to say.
//! 4. While nothing can be read and everything read was written, the writer is flushed: a writer
//!    that buffers must not keep the answer to which the other side waits before it sends more.
//! 5. While the writer waits and there is no room, the copy waits for the reader to fail, too: no read would
//!    tell it, and the writer may never go on.

use crate::util::DEFAULT_BUF_SIZE;
use crate::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf, pace};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Copies everything from `reader` to `writer`, flushes it, and returns how many bytes that was.
///
/// A buffer of 8 KiB is allocated. [`copy_buf`] uses the reader's.
///
/// # Errors
/// Those of both, at once: what was read and not yet written is then lost. `WriteZero` if the writer
/// takes no more. A TCP connection that was reset, or that the system has given up, ends the copy also while
/// the writer takes nothing. Bytes that were received before and not yet read are then lost; a peer that
/// closed its side in good order loses none.
///
/// # Cancel safety
/// Not cancel safe: what was read and not yet written is lost.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// let mut reader: &[u8] = b"hello";
/// let mut writer = Vec::new();
/// assert_eq!(zokio_io::copy(&mut reader, &mut writer).await?, 5);
/// assert_eq!(writer, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn copy<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> io::Result<u64>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    let mut buffer = CopyBuffer::new(DEFAULT_BUF_SIZE);
    poll_fn(|cx| buffer.poll_copy(cx, Pin::new(&mut *reader), Pin::new(&mut *writer))).await
}

/// Copies everything from `reader`, which has a buffer of its own, to `writer`, flushes it, and
/// returns how many bytes that was.
///
/// # Errors
/// Those of both. `WriteZero` if the writer takes no more. Nothing is lost: what was not written is
/// still in the reader. As [`copy`], it notices that a TCP connection was reset while the writer takes
/// nothing.
///
/// # Cancel safety
/// Nothing is lost: what was not written is still in the reader. How much was written is.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// let mut reader: &[u8] = b"hello";
/// let mut writer = Vec::new();
/// assert_eq!(zokio_io::copy_buf(&mut reader, &mut writer).await?, 5);
/// assert_eq!(writer, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn copy_buf<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> io::Result<u64>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    let mut copied = 0;
    let mut is_flushed = true;
    poll_fn(|cx| {
        loop {
            let round = ready!(pace::poll_round(cx));
            let Poll::Ready(available) = Pin::new(&mut *reader).poll_fill_buf(cx) else {
                if !is_flushed {
                    ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                    is_flushed = true;
                }
                return Poll::Pending;
            };
            let available = match available {
                Err(error) if is_interrupted(&error) => {
                    round.made_progress(cx);
                    continue;
                }
                result => result?,
            };
            if available.is_empty() {
                ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                round.made_progress(cx);
                return Poll::Ready(Ok(copied));
            }
            let Poll::Ready(written) = Pin::new(&mut *writer).poll_write(cx, available) else {
                // As for invariant 5 of `CopyBuffer`: nothing is read while the reader's buffer is not empty.
                return Pin::new(&mut *reader).poll_read_failure(cx).map(Err);
            };
            let count = match written {
                Err(error) if is_interrupted(&error) => {
                    round.made_progress(cx);
                    continue;
                }
                result => result?,
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            Pin::new(&mut *reader).consume(count);
            copied += count as u64;
            is_flushed = false;
            round.made_progress(cx);
        }
    })
    .await
}

/// Copies from `a` to `b` and from `b` to `a` until both have ended, and returns how many bytes each
/// way were.
///
/// When one side ends, the other is shut down for writing, and the way back goes on. A buffer of
/// 8 KiB is allocated for each way; see [`copy_bidirectional_with_sizes`].
///
/// # Errors
/// The first one of either side ends both ways. A TCP connection that was reset, or that the system has
/// given up, ends them also while the other side takes nothing, as for [`copy`].
///
/// # Cancel safety
/// Not cancel safe: what was read and not yet written is lost.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use zokio_io::AsyncWriteExt;
///
/// let (mut left, mut a) = zokio_io::duplex(64);
/// let (mut right, mut b) = zokio_io::duplex(64);
/// left.write_all(b"hello").await?;
/// left.shutdown().await?;
/// right.shutdown().await?;
/// assert_eq!(zokio_io::copy_bidirectional(&mut a, &mut b).await?, (5, 0));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn copy_bidirectional<A, B>(a: &mut A, b: &mut B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    copy_bidirectional_with_sizes(a, b, DEFAULT_BUF_SIZE, DEFAULT_BUF_SIZE).await
}

/// As [`copy_bidirectional`], with buffers of the given sizes.
///
/// # Errors
/// The first one of either side ends both ways.
///
/// # Panics
/// If a size is zero: nothing could ever be copied.
///
/// # Cancel safety
/// Not cancel safe: what was read and not yet written is lost.
pub async fn copy_bidirectional_with_sizes<A, B>(
    a: &mut A,
    b: &mut B,
    a_to_b_buf_size: usize,
    b_to_a_buf_size: usize,
) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    assert!(
        a_to_b_buf_size > 0,
        "`a_to_b_buf_size` must be greater than 0"
    );
    assert!(
        b_to_a_buf_size > 0,
        "`b_to_a_buf_size` must be greater than 0"
    );
    let mut there = Way::Copying(CopyBuffer::new(a_to_b_buf_size));
    let mut back = Way::Copying(CopyBuffer::new(b_to_a_buf_size));
    poll_fn(|cx| {
        // Both are polled in any case: one that waits must not hold up the other.
        let a_to_b = there.poll(cx, &mut *a, &mut *b)?;
        let b_to_a = back.poll(cx, &mut *b, &mut *a)?;
        let counts = (ready!(a_to_b), ready!(b_to_a));
        Poll::Ready(Ok(counts))
    })
    .await
}

/// One of two ways.
enum Way {
    Copying(CopyBuffer),
    ShuttingDown(u64),
    Done(u64),
}

impl Way {
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            *self = match self {
                Way::Copying(buffer) => {
                    let reader = Pin::new(&mut *reader);
                    let copied = ready!(buffer.poll_copy(cx, reader, Pin::new(&mut *writer)))?;
                    Way::ShuttingDown(copied)
                }
                Way::ShuttingDown(copied) => {
                    ready!(Pin::new(&mut *writer).poll_shutdown(cx))?;
                    Way::Done(*copied)
                }
                Way::Done(copied) => return Poll::Ready(Ok(*copied)),
            }
        }
    }
}

/// The bytes on their way.
#[derive(Debug)]
struct CopyBuffer {
    buf: Box<[u8]>,
    position: usize,
    end: usize,
    copied: u64,
    has_ended: bool,
    is_flushed: bool,
}

impl CopyBuffer {
    fn new(size: usize) -> Self {
        Self {
            buf: vec![0; size].into_boxed_slice(),
            position: 0,
            end: 0,
            copied: 0,
            has_ended: false,
            is_flushed: true,
        }
    }

    fn poll_copy<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        mut reader: Pin<&mut R>,
        mut writer: Pin<&mut W>,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + ?Sized,
        W: AsyncWrite + ?Sized,
    {
        loop {
            let round = ready!(pace::poll_round(cx));
            let mut filled = self.poll_fill(cx, reader.as_mut())?;
            if filled.is_pending() && self.position == self.end {
                if !self.is_flushed {
                    ready!(writer.as_mut().poll_flush(cx))?;
                    self.is_flushed = true;
                }
                return Poll::Pending;
            }
            if self.poll_drain(cx, writer.as_mut())?.is_pending() {
                while filled.is_ready() && self.has_room() {
                    filled = self.poll_fill(cx, reader.as_mut())?;
                }
                round.made_progress(cx);
                if self.has_ended || self.has_room() {
                    return Poll::Pending;
                }
                return reader.poll_read_failure(cx).map(Err);
            }
            if self.has_ended {
                ready!(writer.as_mut().poll_flush(cx))?;
                round.made_progress(cx);
                return Poll::Ready(Ok(self.copied));
            }
            round.made_progress(cx);
        }
    }

    /// Whether there may be more to read, and is room for it.
    fn has_room(&self) -> bool {
        !self.has_ended && self.end < self.buf.len()
    }

    /// Reads once, if there is room and the reader has not ended.
    fn poll_fill<R>(&mut self, cx: &mut Context<'_>, reader: Pin<&mut R>) -> Poll<io::Result<()>>
    where
        R: AsyncRead + ?Sized,
    {
        if !self.has_room() {
            return Poll::Ready(Ok(()));
        }
        let mut buf = ReadBuf::new(&mut self.buf);
        buf.set_filled(self.end);
        match ready!(reader.poll_read(cx, &mut buf)) {
            // Tried again in the next round.
            Err(error) if is_interrupted(&error) => return Poll::Ready(Ok(())),
            result => result?,
        }
        let end = buf.filled().len();
        self.has_ended = end == self.end;
        self.end = end;
        Poll::Ready(Ok(()))
    }

    /// Writes everything that was read.
    fn poll_drain<W>(
        &mut self,
        cx: &mut Context<'_>,
        mut writer: Pin<&mut W>,
    ) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + ?Sized,
    {
        while self.position < self.end {
            let rest = &self.buf[self.position..self.end];
            let count = match ready!(writer.as_mut().poll_write(cx, rest)) {
                Err(error) if is_interrupted(&error) => continue,
                result => result?,
            };
            if count == 0 {
                let kind = io::ErrorKind::WriteZero;
                return Poll::Ready(Err(io::Error::new(kind, "the writer takes no more bytes")));
            }
            self.position += count;
            self.copied += count as u64;
            self.is_flushed = false;
        }
        self.position = 0;
        self.end = 0;
        Poll::Ready(Ok(()))
    }
}

/// Interrupted by a signal: nothing has happened, and nothing speaks against trying again.
fn is_interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}
