//! Futures that read numbers: one type each, all made by one macro.

use crate::util::poll_retry;
use crate::{AsyncRead, ReadBuf};
use pin_project_lite::pin_project;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Reads until `bytes` is full.
fn poll_fill<R: AsyncRead>(
    mut reader: Pin<&mut R>,
    cx: &mut Context<'_>,
    bytes: &mut [u8],
    filled: &mut usize,
) -> Poll<io::Result<()>> {
    while *filled < bytes.len() {
        let mut buf = ReadBuf::new(&mut bytes[*filled..]);
        ready!(poll_retry(|| reader.as_mut().poll_read(cx, &mut buf)))?;
        match buf.filled().len() {
            0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            count => *filled += count,
        }
    }
    Poll::Ready(Ok(()))
}

macro_rules! number_futures {
    ($($future:ident $number:ty, $from_bytes:ident;)*) => {$(
        pin_project! {
            #[doc = concat!("Future that reads one `", stringify!($number), "`.")]
            #[derive(Debug)]
            #[must_use = "futures do nothing unless you `.await` or poll them"]
            pub struct $future<R> {
                #[pin]
                reader: R,
                bytes: [u8; size_of::<$number>()],
                filled: usize,
                #[pin]
                _pin: PhantomPinned,
            }
        }

        impl<R> $future<R> {
            pub(super) fn new(reader: R) -> Self {
                Self {
                    reader,
                    bytes: [0; size_of::<$number>()],
                    filled: 0,
                    _pin: PhantomPinned,
                }
            }
        }

        impl<R: AsyncRead> Future for $future<R> {
            type Output = io::Result<$number>;

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let me = self.project();
                ready!(poll_fill(me.reader, cx, me.bytes, me.filled))?;
                Poll::Ready(Ok(<$number>::$from_bytes(*me.bytes)))
            }
        }
    )*};
}

number_futures! {
    ReadU8 u8, from_be_bytes;
    ReadI8 i8, from_be_bytes;
    ReadU16 u16, from_be_bytes;
    ReadI16 i16, from_be_bytes;
    ReadU32 u32, from_be_bytes;
    ReadI32 i32, from_be_bytes;
    ReadU64 u64, from_be_bytes;
    ReadI64 i64, from_be_bytes;
    ReadU128 u128, from_be_bytes;
    ReadI128 i128, from_be_bytes;
    ReadF32 f32, from_be_bytes;
    ReadF64 f64, from_be_bytes;
    ReadU16Le u16, from_le_bytes;
    ReadI16Le i16, from_le_bytes;
    ReadU32Le u32, from_le_bytes;
    ReadI32Le i32, from_le_bytes;
    ReadU64Le u64, from_le_bytes;
    ReadI64Le i64, from_le_bytes;
    ReadU128Le u128, from_le_bytes;
    ReadI128Le i128, from_le_bytes;
    ReadF32Le f32, from_le_bytes;
    ReadF64Le f64, from_le_bytes;
}
