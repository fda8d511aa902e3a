//! [`AsyncBufReadExt`] and its futures.
#![allow(unsafe_code)]

use crate::adapters::{Lines, Split};
use crate::text::TextBuffer;
use crate::util::find_byte;
use crate::{AsyncBufRead, pace};
use pin_project_lite::pin_project;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Methods of every source with a buffer.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use zokio_io::AsyncBufReadExt;
///
/// let mut source: &[u8] = b"one\ntwo\n";
/// let mut line = String::new();
/// source.read_line(&mut line).await?;
/// assert_eq!(line, "one\n");
/// let mut lines = source.lines();
/// assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
/// assert_eq!(lines.next_line().await?, None);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait AsyncBufReadExt: AsyncBufRead {
    /// Reads up to and including the first `byte`, or to the end, and appends it to `buf`. Returns
    /// how many bytes that was; zero means that the source had ended.
    ///
    /// # Errors
    /// Those of the source. What was read before is in `buf`.
    ///
    /// # Cancel safety
    /// The bytes that were read are in `buf`, none is lost; a second call goes on and appends the rest.
    fn read_until<'a>(&'a mut self, byte: u8, buf: &'a mut Vec<u8>) -> ReadUntil<'a, Self>
    where
        Self: Unpin,
    {
        ReadUntil {
            reader: self,
            delimiter: byte,
            buf,
            read: 0,
            _pin: PhantomPinned,
        }
    }

    /// Reads up to and including the next newline, or to the end, and appends it to `buf`. Returns
    /// how many bytes that was; zero means that the source had ended.
    ///
    /// # Errors
    /// Those of the source: the text that was read before is in `buf`. `InvalidData` if the line is
    /// not UTF-8: `buf` is as it was and the bytes are lost.
    ///
    /// # Cancel safety
    /// Not cancel safe. Complete characters that were read are in `buf`, the bytes of an incomplete
    /// one are lost. [`lines`](Self::lines) has a method that is cancel safe.
    fn read_line<'a>(&'a mut self, buf: &'a mut String) -> ReadLine<'a, Self>
    where
        Self: Unpin,
    {
        ReadLine {
            reader: self,
            text: TextBuffer::take(buf),
            read: 0,
            _pin: PhantomPinned,
        }
    }

    /// Cuts the source at each `byte`; the segments come without it.
    fn split(self, byte: u8) -> Split<Self>
    where
        Self: Sized + Unpin,
    {
        Split::new(self, byte)
    }

    /// Returns what is in the buffer, after filling it if it was empty. An empty slice says that
    /// the source has ended. [`consume`](Self::consume) takes bytes out of the buffer.
    ///
    /// # Errors
    /// Those of the source.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping it.
    fn fill_buf(&mut self) -> FillBuf<'_, Self>
    where
        Self: Unpin,
    {
        FillBuf {
            reader: Some(self),
            _pin: PhantomPinned,
        }
    }

    /// Takes `amt` bytes out of the buffer, at most as many as [`fill_buf`](Self::fill_buf)
    /// returned.
    ///
    /// # Panics
    /// Possibly, if `amt` is more than that.
    fn consume(&mut self, amt: usize)
    where
        Self: Unpin,
    {
        Pin::new(self).consume(amt);
    }

    /// The lines of the source, without their line ends.
    fn lines(self) -> Lines<Self>
    where
        Self: Sized,
    {
        Lines::new(self)
    }
}

impl<R: AsyncBufRead + ?Sized> AsyncBufReadExt for R {}

/// Appends to `buf` until the delimiter was appended or the source has ended, and returns how many
/// bytes `read` has come to. Sets `read` back to zero then.
pub(crate) fn poll_read_until<R: AsyncBufRead + ?Sized>(
    mut reader: Pin<&mut R>,
    cx: &mut Context<'_>,
    delimiter: u8,
    buf: &mut Vec<u8>,
    read: &mut usize,
) -> Poll<io::Result<usize>> {
    loop {
        let round = ready!(pace::poll_round(cx));
        let available = match ready!(reader.as_mut().poll_fill_buf(cx)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                round.made_progress(cx);
                continue;
            }
            result => result?,
        };
        let found = find_byte(delimiter, available);
        let count = found.map_or(available.len(), |index| index + 1);
        buf.extend_from_slice(&available[..count]);
        reader.as_mut().consume(count);
        *read += count;
        round.made_progress(cx);
        if found.is_some() || count == 0 {
            return Poll::Ready(Ok(std::mem::take(read)));
        }
    }
}

pin_project! {
    /// Future of [`AsyncBufReadExt::read_until`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ReadUntil<'a, R: ?Sized> {
        reader: &'a mut R,
        delimiter: u8,
        buf: &'a mut Vec<u8>,
        read: usize,
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<R: AsyncBufRead + ?Sized + Unpin> Future for ReadUntil<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        poll_read_until(Pin::new(*me.reader), cx, *me.delimiter, me.buf, me.read)
    }
}

pin_project! {
    /// Future of [`AsyncBufReadExt::read_line`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ReadLine<'a, R: ?Sized> {
        reader: &'a mut R,
        text: TextBuffer<'a>,
        read: usize,
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<R: AsyncBufRead + ?Sized + Unpin> Future for ReadLine<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        let bytes = me.text.bytes();
        let result = ready!(poll_read_until(
            Pin::new(*me.reader),
            cx,
            b'\n',
            bytes,
            me.read
        ));
        Poll::Ready(me.text.finish_keeping(result))
    }
}

pin_project! {
    /// Future of [`AsyncBufReadExt::fill_buf`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct FillBuf<'a, R: ?Sized> {
        // None once the buffer was returned.
        reader: Option<&'a mut R>,
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<'a, R: AsyncBufRead + ?Sized + Unpin> Future for FillBuf<'a, R> {
    type Output = io::Result<&'a [u8]>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        let Some(reader) = me.reader.take() else {
            panic!("`FillBuf` polled after completion");
        };
        match Pin::new(&mut *reader).poll_fill_buf(cx) {
            Poll::Ready(Ok(slice)) => {
                // SAFETY: the slice borrows from `*reader`, which is borrowed exclusively for `'a`
                // and was taken out of this future, so nothing can touch it during `'a`. Only the
                // limits of the borrow checker (a borrow returned from one branch) ask for this.
                let slice = unsafe { std::slice::from_raw_parts(slice.as_ptr(), slice.len()) };
                Poll::Ready(Ok(slice))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                *me.reader = Some(reader);
                Poll::Pending
            }
        }
    }
}
