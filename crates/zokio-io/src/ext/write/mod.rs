//! [`AsyncWriteExt`]. Its futures are in `bytes` (from slices and buffers), `end` (flush and
//! shutdown) and `numbers`.

mod bytes;
mod end;
mod numbers;

use crate::AsyncWrite;
use ::bytes::Buf;
use bytes::{Write, WriteAll, WriteAllBuf, WriteBuf, WriteVectored};
use end::{Flush, Shutdown};
use numbers::*;
use std::io::IoSlice;

/// One method for each kind of number.
macro_rules! number_methods {
    ($($method:ident $future:ident $number:ty, $what:literal;)*) => {$(
        #[doc = concat!("Writes ", $what, ".")]
        ///
        /// # Errors
        /// `WriteZero` if the sink takes no more, and those of the sink.
        ///
        /// # Cancel safety
        /// Not cancel safe: a dropped future may have written some of the bytes.
        ///
        /// # Examples
        /// ```
        /// # zokio_task::block_on::block_on(async {
        /// use zokio_io::AsyncWriteExt;
        ///
        /// let mut sink = Vec::new();
        #[doc = concat!("sink.", stringify!($method), "(", stringify!($number), "::default()).await?;")]
        #[doc = concat!("assert_eq!(sink, [0; size_of::<", stringify!($number), ">()]);")]
        /// # std::io::Result::Ok(()) }).unwrap();
        /// ```
        fn $method(&mut self, n: $number) -> $future<&mut Self>
        where
            Self: Unpin,
        {
            $future::new(self, n)
        }
    )*};
}

/// Methods of every sink of bytes.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use zokio_io::AsyncWriteExt;
///
/// let mut sink = Vec::new();
/// sink.write_u16(5).await?;
/// sink.write_all(b"hello").await?;
/// sink.shutdown().await?;
/// assert_eq!(sink, b"\x00\x05hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait AsyncWriteExt: AsyncWrite {
    /// Writes some of `src` and returns how many bytes were taken. Zero means that the sink takes
    /// no more, or that `src` is empty.
    ///
    /// # Errors
    /// Those of the sink; nothing was taken then.
    ///
    /// # Cancel safety
    /// Cancel safe: if it is dropped before it is ready, nothing was taken.
    fn write<'a>(&'a mut self, src: &'a [u8]) -> Write<'a, Self>
    where
        Self: Unpin,
    {
        Write::new(self, src)
    }

    /// As [`write`](Self::write), from several buffers one after the other.
    ///
    /// # Errors
    /// Those of the sink; nothing was taken then.
    ///
    /// # Cancel safety
    /// Cancel safe: if it is dropped before it is ready, nothing was taken.
    fn write_vectored<'a, 'b>(&'a mut self, bufs: &'a [IoSlice<'b>]) -> WriteVectored<'a, 'b, Self>
    where
        Self: Unpin,
    {
        WriteVectored::new(self, bufs)
    }

    /// Writes some of `src`, advances it by what was taken, and returns how many bytes that was.
    ///
    /// # Errors
    /// Those of the sink; nothing was taken then.
    ///
    /// # Cancel safety
    /// Cancel safe: if it is dropped before it is ready, nothing was taken.
    fn write_buf<'a, B>(&'a mut self, src: &'a mut B) -> WriteBuf<'a, Self, B>
    where
        Self: Sized + Unpin,
        B: Buf,
    {
        WriteBuf::new(self, src)
    }

    /// Writes all of `src` and advances it to its end.
    ///
    /// # Errors
    /// `WriteZero` if the sink takes no more, and those of the sink. `src` has advanced by what was
    /// taken.
    ///
    /// # Cancel safety
    /// `src` tells what was taken: a second call with it goes on where the first was dropped.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// use bytes::Buf;
    /// use zokio_io::AsyncWriteExt;
    ///
    /// let mut sink = Vec::new();
    /// sink.write_all_buf(&mut b"one, ".chain(&b"two"[..])).await?;
    /// assert_eq!(sink, b"one, two");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn write_all_buf<'a, B>(&'a mut self, src: &'a mut B) -> WriteAllBuf<'a, Self, B>
    where
        Self: Sized + Unpin,
        B: Buf,
    {
        WriteAllBuf::new(self, src)
    }

    /// Writes all of `src`.
    ///
    /// # Errors
    /// `WriteZero` if the sink takes no more, and those of the sink. Some of `src` may have been
    /// taken.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped future may have written a part, and does not tell which.
    /// [`write_all_buf`](Self::write_all_buf) does.
    fn write_all<'a>(&'a mut self, src: &'a [u8]) -> WriteAll<'a, Self>
    where
        Self: Unpin,
    {
        WriteAll::new(self, src)
    }

    number_methods! {
        write_u8 WriteU8 u8, "a byte";
        write_i8 WriteI8 i8, "a signed byte";
        write_u16 WriteU16 u16, "a 16-bit number, most significant byte first";
        write_i16 WriteI16 i16, "a signed 16-bit number, most significant byte first";
        write_u32 WriteU32 u32, "a 32-bit number, most significant byte first";
        write_i32 WriteI32 i32, "a signed 32-bit number, most significant byte first";
        write_u64 WriteU64 u64, "a 64-bit number, most significant byte first";
        write_i64 WriteI64 i64, "a signed 64-bit number, most significant byte first";
        write_u128 WriteU128 u128, "a 128-bit number, most significant byte first";
        write_i128 WriteI128 i128, "a signed 128-bit number, most significant byte first";
        write_f32 WriteF32 f32, "a 32-bit floating point number, most significant byte first";
        write_f64 WriteF64 f64, "a 64-bit floating point number, most significant byte first";
        write_u16_le WriteU16Le u16, "a 16-bit number, least significant byte first";
        write_i16_le WriteI16Le i16, "a signed 16-bit number, least significant byte first";
        write_u32_le WriteU32Le u32, "a 32-bit number, least significant byte first";
        write_i32_le WriteI32Le i32, "a signed 32-bit number, least significant byte first";
        write_u64_le WriteU64Le u64, "a 64-bit number, least significant byte first";
        write_i64_le WriteI64Le i64, "a signed 64-bit number, least significant byte first";
        write_u128_le WriteU128Le u128, "a 128-bit number, least significant byte first";
        write_i128_le WriteI128Le i128, "a signed 128-bit number, least significant byte first";
        write_f32_le WriteF32Le f32, "a 32-bit floating point number, least significant byte first";
        write_f64_le WriteF64Le f64, "a 64-bit floating point number, least significant byte first";
    }

    /// Waits until everything that was taken has reached its destination.
    ///
    /// # Errors
    /// Those of the sink.
    ///
    /// # Cancel safety
    /// Cancel safe: what was not flushed yet is still in the sink.
    fn flush(&mut self) -> Flush<'_, Self>
    where
        Self: Unpin,
    {
        Flush::new(self)
    }

    /// Flushes and closes the sink: a socket sends its end of stream, for instance.
    ///
    /// # Errors
    /// Those of the sink.
    ///
    /// # Cancel safety
    /// Cancel safe: a second call goes on with it.
    fn shutdown(&mut self) -> Shutdown<'_, Self>
    where
        Self: Unpin,
    {
        Shutdown::new(self)
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWriteExt for W {}
