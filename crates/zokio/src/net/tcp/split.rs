//! Halves of a TCP stream, borrowed and owned, so that one task reads while another writes.

use super::TcpStream;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use zokio_io::ReadBuf;

stream_halves!(TcpStream, SocketAddr);

macro_rules! peek_methods {
    () => {
        /// As [`TcpStream::poll_peek`].
        ///
        /// # Errors
        /// As [`TcpStream::poll_peek`].
        pub fn poll_peek(
            &mut self,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<usize>> {
            self.stream().poll_peek(cx, buf)
        }

        /// As [`TcpStream::peek`].
        ///
        /// # Errors
        /// As [`TcpStream::peek`].
        pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.stream().peek(buf).await
        }
    };
}

impl ReadHalf<'_> {
    peek_methods!();
}

impl OwnedReadHalf {
    peek_methods!();
}
