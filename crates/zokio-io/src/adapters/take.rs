//! [`Take`]: the beginning of a source.
#![allow(unsafe_code)]

use crate::{AsyncBufRead, AsyncRead, ReadBuf};
use pin_project_lite::pin_project;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Reads a limited number of bytes. Made by [`AsyncReadExt::take`](crate::AsyncReadExt::take).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless you `.await` or poll them"]
    pub struct Take<R> {
        #[pin]
        inner: R,
        limit: u64,
    }
}

impl<R> Take<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self { inner, limit }
    }
}

impl<R: AsyncRead> Take<R> {
    /// How many bytes may still be read. The source may have fewer.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Sets how many bytes may be read from now on, whatever was read before.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The source.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The source. What is read from it directly does not count.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The source, pinned. What is read from it directly does not count.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().inner
    }

    /// Gives the source back.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

/// The part of `available` bytes that is within `limit`.
fn within(limit: u64, available: usize) -> usize {
    // A limit that does not fit in `usize` limits nothing.
    usize::try_from(limit).map_or(available, |limit| limit.min(available))
}

impl<R: AsyncRead> AsyncRead for Take<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.project();
        if *me.limit == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut part = buf.take(within(*me.limit, buf.remaining()));
        let start = part.filled().as_ptr();
        ready!(me.inner.poll_read(cx, &mut part))?;
        // A reader may have put another buffer in this one's place.
        assert_eq!(
            part.filled().as_ptr(),
            start,
            "the reader swapped the buffer"
        );
        let count = part.filled().len();
        let initialized = part.initialized().len();
        // SAFETY: the part is the beginning of the unfilled memory of `buf`, and that much of it
        // is initialised.
        unsafe { buf.assume_init(initialized) };
        buf.advance(count);
        *me.limit -= count as u64;
        Poll::Ready(Ok(()))
    }

    fn poll_read_failure(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        let me = self.project();
        // Nothing more is wanted of the source: its fate is of no interest.
        if *me.limit == 0 {
            return Poll::Pending;
        }
        me.inner.poll_read_failure(cx)
    }
}

impl<R: AsyncBufRead> AsyncBufRead for Take<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let me = self.project();
        // The end is known; the source is not asked, it might wait.
        if *me.limit == 0 {
            return Poll::Ready(Ok(&[]));
        }
        let bytes = ready!(me.inner.poll_fill_buf(cx))?;
        Poll::Ready(Ok(&bytes[..within(*me.limit, bytes.len())]))
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        let me = self.project();
        // More than that was never shown.
        let amt = within(*me.limit, amt);
        *me.limit -= amt as u64;
        me.inner.consume(amt);
    }
}
