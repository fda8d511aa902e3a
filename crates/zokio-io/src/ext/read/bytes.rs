//! Futures that read into slices and buffers.
#![allow(unsafe_code)]

use crate::util::poll_retry;
use crate::{AsyncRead, ReadBuf as Destination};
use bytes::BufMut;
use pin_project_lite::pin_project;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Future of [`AsyncReadExt::read`](crate::AsyncReadExt::read).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Read<'a, R: ?Sized> {
        reader: &'a mut R,
        buf: &'a mut [u8],
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<'a, R: ?Sized> Read<'a, R> {
    pub(super) fn new(reader: &'a mut R, buf: &'a mut [u8]) -> Self {
        Self {
            reader,
            buf,
            _pin: PhantomPinned,
        }
    }
}

impl<R: AsyncRead + ?Sized + Unpin> Future for Read<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        let mut buf = Destination::new(me.buf);
        ready!(Pin::new(&mut **me.reader).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

pin_project! {
    /// Future of [`AsyncReadExt::read_buf`](crate::AsyncReadExt::read_buf).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ReadBuf<'a, R: ?Sized, B: ?Sized> {
        reader: &'a mut R,
        buf: &'a mut B,
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<'a, R: ?Sized, B: ?Sized> ReadBuf<'a, R, B> {
    pub(super) fn new(reader: &'a mut R, buf: &'a mut B) -> Self {
        Self {
            reader,
            buf,
            _pin: PhantomPinned,
        }
    }
}

impl<R, B> Future for ReadBuf<'_, R, B>
where
    R: AsyncRead + ?Sized + Unpin,
    B: BufMut + ?Sized,
{
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        if !me.buf.has_remaining_mut() {
            return Poll::Ready(Ok(0));
        }
        let count = {
            let chunk = me.buf.chunk_mut();
            // SAFETY: `ReadBuf` never makes initialised memory uninitialised (its invariant 2).
            let chunk = unsafe { chunk.as_uninit_slice_mut() };
            let start = chunk.as_ptr().cast::<u8>();
            let mut buf = Destination::uninit(chunk);
            ready!(Pin::new(&mut **me.reader).poll_read(cx, &mut buf))?;
            // A reader may have put another buffer in this one's place.
            assert_eq!(
                buf.filled().as_ptr(),
                start,
                "the reader swapped the buffer"
            );
            buf.filled().len()
        };
        // SAFETY: the reader has filled that many bytes of this very chunk, and what is filled is
        // initialised.
        unsafe { me.buf.advance_mut(count) };
        Poll::Ready(Ok(count))
    }
}

pin_project! {
    /// Future of [`AsyncReadExt::read_exact`](crate::AsyncReadExt::read_exact).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ReadExact<'a, R: ?Sized> {
        reader: &'a mut R,
        buf: &'a mut [u8],
        filled: usize,
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<'a, R: ?Sized> ReadExact<'a, R> {
    pub(super) fn new(reader: &'a mut R, buf: &'a mut [u8]) -> Self {
        Self {
            reader,
            buf,
            filled: 0,
            _pin: PhantomPinned,
        }
    }
}

impl<R: AsyncRead + ?Sized + Unpin> Future for ReadExact<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        while *me.filled < me.buf.len() {
            let mut buf = Destination::new(&mut me.buf[*me.filled..]);
            ready!(poll_retry(
                || Pin::new(&mut **me.reader).poll_read(cx, &mut buf)
            ))?;
            match buf.filled().len() {
                0 => {
                    let kind = io::ErrorKind::UnexpectedEof;
                    return Poll::Ready(Err(io::Error::new(kind, "early eof")));
                }
                count => *me.filled += count,
            }
        }
        Poll::Ready(Ok(me.buf.len()))
    }
}
