//! [`Split`]: the segments of a source between delimiters.

use crate::AsyncBufRead;
use crate::ext::poll_read_until;
use pin_project_lite::pin_project;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The segments of a source, without the byte that ends them. Made by
    /// [`AsyncBufReadExt::split`](crate::AsyncBufReadExt::split).
    #[must_use = "streams do nothing unless polled"]
    #[derive(Debug)]
    pub struct Split<R> {
        #[pin]
        reader: R,
        // The beginning of the segment that is being read. Kept here, so that dropping the future
        // of `next_segment` loses nothing.
        segment: Vec<u8>,
        delimiter: u8,
        read: usize,
    }
}

impl<R> Split<R> {
    pub(crate) fn new(reader: R, delimiter: u8) -> Self {
        Self {
            reader,
            segment: Vec::new(),
            delimiter,
            read: 0,
        }
    }
}

impl<R: AsyncBufRead + Unpin> Split<R> {
    /// Returns the next segment, or `None` at the end of the source.
    ///
    /// # Errors
    /// Those of the source.
    ///
    /// # Cancel safety
    /// Cancel safe: the beginning of a segment is kept for the next call.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// use zokio_io::AsyncBufReadExt;
    ///
    /// let mut segments = AsyncBufReadExt::split(&b"one,two"[..], b',');
    /// assert_eq!(segments.next_segment().await?, Some(b"one".to_vec()));
    /// assert_eq!(segments.next_segment().await?, Some(b"two".to_vec()));
    /// assert_eq!(segments.next_segment().await?, None);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn next_segment(&mut self) -> io::Result<Option<Vec<u8>>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next_segment(cx)).await
    }
}

impl<R: AsyncBufRead> Split<R> {
    /// As [`next_segment`](Self::next_segment), to be polled.
    ///
    /// # Errors
    /// As `next_segment`.
    pub fn poll_next_segment(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Vec<u8>>>> {
        let me = self.project();
        let delimiter = *me.delimiter;
        let count = ready!(poll_read_until(
            me.reader, cx, delimiter, me.segment, me.read
        ))?;
        if count == 0 && me.segment.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let mut segment = std::mem::take(me.segment);
        if segment.last() == Some(&delimiter) {
            segment.pop();
        }
        Poll::Ready(Ok(Some(segment)))
    }
}
