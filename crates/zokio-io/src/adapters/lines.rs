//! [`Lines`]: the lines of a source, one after the other.

use crate::AsyncBufRead;
use crate::ext::poll_read_until;
use pin_project_lite::pin_project;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The lines of a source, without their ends (`\n` or `\r\n`). Made by
    /// [`AsyncBufReadExt::lines`](crate::AsyncBufReadExt::lines).
    #[must_use = "streams do nothing unless polled"]
    #[derive(Debug)]
    pub struct Lines<R> {
        #[pin]
        reader: R,
        // The beginning of the line that is being read. Kept here, so that dropping the future of
        // `next_line` loses nothing.
        line: Vec<u8>,
        read: usize,
    }
}

impl<R> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
            read: 0,
        }
    }
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Returns the next line, or `None` at the end of the source.
    ///
    /// # Errors
    /// Those of the source, and `InvalidData` if the line is not UTF-8: the error holds its
    /// bytes, as a `FromUtf8Error`, and the next call goes on behind it.
    ///
    /// # Cancel safety
    /// Cancel safe: the beginning of a line is kept for the next call.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// use zokio_io::AsyncBufReadExt;
    ///
    /// let mut lines = b"one\r\ntwo".lines();
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
    /// assert_eq!(lines.next_line().await?, None);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next_line(cx)).await
    }

    /// The source. What is read from it directly is missing in the lines.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The source.
    #[allow(clippy::needless_pass_by_ref_mut)]
    pub fn get_ref(&mut self) -> &R {
        &self.reader
    }

    /// Gives the source back. The beginning of a line that was read already is lost.
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: AsyncBufRead> Lines<R> {
    /// As [`next_line`](Self::next_line), to be polled.
    ///
    /// # Errors
    /// As `next_line`.
    pub fn poll_next_line(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<String>>> {
        let me = self.project();
        let count = ready!(poll_read_until(me.reader, cx, b'\n', me.line, me.read))?;
        if count == 0 && me.line.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let mut line = std::mem::take(me.line);
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        let text = String::from_utf8(line)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Poll::Ready(Ok(Some(text)))
    }
}
