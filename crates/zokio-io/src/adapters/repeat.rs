//! [`Repeat`]: one byte without end.

use crate::pace::poll_unit;
use crate::{AsyncRead, ReadBuf};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A source of one byte, again and again. Made by [`repeat`].
#[derive(Debug)]
pub struct Repeat {
    byte: u8,
}

/// A source of `byte` without end: each read fills the whole buffer.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use zokio_io::AsyncReadExt;
///
/// let mut buf = [0; 3];
/// zokio_io::repeat(b'z').read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"zzz");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn repeat(byte: u8) -> Repeat {
    Repeat { byte }
}

impl AsyncRead for Repeat {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(poll_unit(cx));
        buf.initialize_unfilled().fill(self.byte);
        buf.advance(buf.remaining());
        Poll::Ready(Ok(()))
    }
}
