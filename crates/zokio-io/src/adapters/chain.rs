//! [`Chain`]: one source after the other.

use crate::{AsyncBufRead, AsyncRead, ReadBuf};
use pin_project_lite::pin_project;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Reads the first source to its end, then the second. Made by
    /// [`AsyncReadExt::chain`](crate::AsyncReadExt::chain).
    #[must_use = "streams do nothing unless polled"]
    pub struct Chain<T, U> {
        #[pin]
        first: T,
        #[pin]
        second: U,
        first_has_ended: bool,
    }
}

impl<T, U> Chain<T, U> {
    pub(crate) fn new(first: T, second: U) -> Self {
        Self {
            first,
            second,
            first_has_ended: false,
        }
    }
}

impl<T: AsyncRead, U: AsyncRead> Chain<T, U> {
    /// Both sources.
    pub fn get_ref(&self) -> (&T, &U) {
        (&self.first, &self.second)
    }

    /// Both sources. Reading from them changes what the chain returns.
    pub fn get_mut(&mut self) -> (&mut T, &mut U) {
        (&mut self.first, &mut self.second)
    }

    /// Both sources, pinned. Reading from them changes what the chain returns.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> (Pin<&mut T>, Pin<&mut U>) {
        let me = self.project();
        (me.first, me.second)
    }

    /// Takes the chain apart.
    pub fn into_inner(self) -> (T, U) {
        (self.first, self.second)
    }
}

impl<T: AsyncRead, U: AsyncRead> AsyncRead for Chain<T, U> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.project();
        if !*me.first_has_ended {
            let before = buf.remaining();
            ready!(me.first.poll_read(cx, buf))?;
            // A read without room tells nothing about the end.
            if buf.remaining() != before || before == 0 {
                return Poll::Ready(Ok(()));
            }
            *me.first_has_ended = true;
        }
        me.second.poll_read(cx, buf)
    }

    fn poll_read_failure(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        let me = self.project();
        if *me.first_has_ended {
            me.second.poll_read_failure(cx)
        } else {
            me.first.poll_read_failure(cx)
        }
    }
}

impl<T: AsyncBufRead, U: AsyncBufRead> AsyncBufRead for Chain<T, U> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let me = self.project();
        if !*me.first_has_ended {
            match ready!(me.first.poll_fill_buf(cx))? {
                [] => *me.first_has_ended = true,
                bytes => return Poll::Ready(Ok(bytes)),
            }
        }
        me.second.poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        let me = self.project();
        if *me.first_has_ended {
            me.second.consume(amt);
        } else {
            me.first.consume(amt);
        }
    }
}

impl<T: fmt::Debug, U: fmt::Debug> fmt::Debug for Chain<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("t", &self.first)
            .field("u", &self.second)
            .finish()
    }
}
