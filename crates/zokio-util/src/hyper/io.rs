//! [`Io`]: the I/O traits of Zokio and hyper, each made of the other.
//!
//! Both have a read buffer that may be uninitialised. Neither lends its own, so each read makes one
//! of the other kind over the same memory, and reports what was filled.
#![allow(unsafe_code)]

use hyper::rt::{Read, ReadBufCursor, Write};
use pin_project_lite::pin_project;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pin_project! {
    /// A Zokio stream for hyper, or a hyper stream for Zokio.
    ///
    /// Around something with `AsyncRead` and `AsyncWrite` it has hyper's `Read` and `Write`; around
    /// something with hyper's, such as an upgraded connection, it has Zokio's.
    ///
    /// # Examples
    /// ```
    /// use hyper::{body::Bytes, client::conn::http1, Request};
    /// use http_body_util::Empty;
    /// use zokio_util::hyper::Io;
    ///
    /// # async fn demo(stream: zokio::net::TcpStream) -> hyper::Result<()> {
    /// let (mut sender, connection) = http1::handshake(Io::new(stream)).await?;
    /// zokio::spawn(connection);
    /// let response = sender.send_request(Request::new(Empty::<Bytes>::new())).await?;
    /// # Ok(()) }
    /// ```
    #[derive(Debug, Clone, Copy, Default)]
    pub struct Io<T> {
        #[pin]
        inner: T,
    }
}

impl<T> Io<T> {
    /// Wraps a stream.
    pub fn new(inner: T) -> Self {
        Self { inner }
    }

    /// The stream.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The stream.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead> Read for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // SAFETY: `ReadBuf` never makes initialised memory uninitialised.
        let memory = unsafe { cursor.as_mut() };
        let start = memory.as_ptr().cast::<u8>();
        let mut buf = ReadBuf::uninit(memory);
        ready!(self.project().inner.poll_read(cx, &mut buf))?;
        // A reader may have put another buffer in this one's place.
        assert_eq!(
            buf.filled().as_ptr(),
            start,
            "the reader swapped the buffer"
        );
        let count = buf.filled().len();
        // SAFETY: the reader has filled that many bytes of the cursor's own memory, and what is
        // filled is initialised.
        unsafe { cursor.advance(count) };
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite> Write for Io<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(cx, bufs)
    }
}

impl<T: Read> AsyncRead for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The initialised part is the larger one, as a rule: hyper tells what it filled only, so
        // the memory is initialised here, once for each buffer.
        let unfilled = buf.initialize_unfilled();
        let mut cursor = hyper::rt::ReadBuf::new(unfilled);
        ready!(self.project().inner.poll_read(cx, cursor.unfilled()))?;
        let count = cursor.filled().len();
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<T: Write> AsyncWrite for Io<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(cx, bufs)
    }
}
