//! [`AsyncReadExt`]. Its futures are in `bytes` (into slices and buffers), `all` (to the end) and
//! `numbers`.

mod all;
mod bytes;
mod numbers;

use crate::AsyncRead;
use crate::adapters::{Chain, Take};
use crate::text::TextBuffer;
use ::bytes::BufMut;
use all::{ReadToEnd, ReadToString};
use bytes::{Read, ReadBuf, ReadExact};
use numbers::*;

/// One method for each kind of number.
macro_rules! number_methods {
    ($($method:ident $future:ident $number:ty, $what:literal;)*) => {$(
        #[doc = concat!("Reads ", $what, ".")]
        ///
        /// # Errors
        /// `UnexpectedEof` if the source ends before the last byte, and those of the source.
        ///
        /// # Cancel safety
        /// Not cancel safe: a dropped future may have read some of the bytes.
        ///
        /// # Examples
        /// ```
        /// # zokio_task::block_on::block_on(async {
        /// use zokio_io::AsyncReadExt;
        ///
        #[doc = concat!("let mut source: &[u8] = &[0; size_of::<", stringify!($number), ">()];")]
        #[doc = concat!("assert_eq!(source.", stringify!($method), "().await?, ", stringify!($number), "::default());")]
        /// # std::io::Result::Ok(()) }).unwrap();
        /// ```
        fn $method(&mut self) -> $future<&mut Self>
        where
            Self: Unpin,
        {
            $future::new(self)
        }
    )*};
}

/// Methods of every source of bytes.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use zokio_io::AsyncReadExt;
///
/// let mut source: &[u8] = b"\x00\x05hello, world";
/// let length = source.read_u16().await?;
/// let mut word = vec![0; length.into()];
/// source.read_exact(&mut word).await?;
/// assert_eq!(word, b"hello");
/// let mut rest = String::new();
/// source.read_to_string(&mut rest).await?;
/// assert_eq!(rest, ", world");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait AsyncReadExt: AsyncRead {
    /// A source of this one's bytes, followed by those of `next`.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// use zokio_io::AsyncReadExt;
    ///
    /// let mut text = String::new();
    /// b"one, ".chain(&b"two"[..]).read_to_string(&mut text).await?;
    /// assert_eq!(text, "one, two");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn chain<R>(self, next: R) -> Chain<Self, R>
    where
        Self: Sized,
        R: AsyncRead,
    {
        Chain::new(self, next)
    }

    /// Reads some bytes into `buf` and returns how many. Zero means that the source has ended, or
    /// that `buf` is empty.
    ///
    /// # Errors
    /// Those of the source; nothing was read then.
    ///
    /// # Cancel safety
    /// Cancel safe: if it is dropped before it is ready, nothing was read.
    fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> Read<'a, Self>
    where
        Self: Unpin,
    {
        Read::new(self, buf)
    }

    /// Reads some bytes, appends them to `buf`, and returns how many. Zero means that the source
    /// has ended, or that `buf` has no room. Only what is free in `buf` now is used: a `Vec` or
    /// `BytesMut` offers at least some.
    ///
    /// # Errors
    /// Those of the source; nothing was read then.
    ///
    /// # Cancel safety
    /// Cancel safe: if it is dropped before it is ready, nothing was read.
    fn read_buf<'a, B>(&'a mut self, buf: &'a mut B) -> ReadBuf<'a, Self, B>
    where
        Self: Unpin,
        B: BufMut + ?Sized,
    {
        ReadBuf::new(self, buf)
    }

    /// Fills all of `buf` and returns its length.
    ///
    /// # Errors
    /// `UnexpectedEof` if the source ends before, and those of the source. What is in `buf` is not
    /// defined then.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped future may have read some of the bytes into `buf`.
    fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExact<'a, Self>
    where
        Self: Unpin,
    {
        ReadExact::new(self, buf)
    }

    number_methods! {
        read_u8 ReadU8 u8, "a byte";
        read_i8 ReadI8 i8, "a signed byte";
        read_u16 ReadU16 u16, "a 16-bit number, most significant byte first";
        read_i16 ReadI16 i16, "a signed 16-bit number, most significant byte first";
        read_u32 ReadU32 u32, "a 32-bit number, most significant byte first";
        read_i32 ReadI32 i32, "a signed 32-bit number, most significant byte first";
        read_u64 ReadU64 u64, "a 64-bit number, most significant byte first";
        read_i64 ReadI64 i64, "a signed 64-bit number, most significant byte first";
        read_u128 ReadU128 u128, "a 128-bit number, most significant byte first";
        read_i128 ReadI128 i128, "a signed 128-bit number, most significant byte first";
        read_f32 ReadF32 f32, "a 32-bit floating point number, most significant byte first";
        read_f64 ReadF64 f64, "a 64-bit floating point number, most significant byte first";
        read_u16_le ReadU16Le u16, "a 16-bit number, least significant byte first";
        read_i16_le ReadI16Le i16, "a signed 16-bit number, least significant byte first";
        read_u32_le ReadU32Le u32, "a 32-bit number, least significant byte first";
        read_i32_le ReadI32Le i32, "a signed 32-bit number, least significant byte first";
        read_u64_le ReadU64Le u64, "a 64-bit number, least significant byte first";
        read_i64_le ReadI64Le i64, "a signed 64-bit number, least significant byte first";
        read_u128_le ReadU128Le u128, "a 128-bit number, least significant byte first";
        read_i128_le ReadI128Le i128, "a signed 128-bit number, least significant byte first";
        read_f32_le ReadF32Le f32, "a 32-bit floating point number, least significant byte first";
        read_f64_le ReadF64Le f64, "a 64-bit floating point number, least significant byte first";
    }

    /// Reads to the end, appends it to `buf`, and returns how many bytes that was.
    ///
    /// `buf` does not grow if the rest of the source just fits.
    ///
    /// # Errors
    /// Those of the source. What was read before is in `buf`.
    ///
    /// # Cancel safety
    /// The bytes that were read are in `buf`, none is lost; a second call goes on and appends the rest.
    fn read_to_end<'a>(&'a mut self, buf: &'a mut Vec<u8>) -> ReadToEnd<'a, Self>
    where
        Self: Unpin,
    {
        ReadToEnd::new(self, buf)
    }

    /// Reads to the end, appends it to `dst`, and returns how many bytes that was.
    ///
    /// # Errors
    /// Those of the source, and `InvalidData` if it is not UTF-8. `dst` is as it was then.
    ///
    /// # Cancel safety
    /// Not cancel safe. Complete characters that were read are in `dst`, the bytes of an incomplete
    /// one are lost.
    fn read_to_string<'a>(&'a mut self, dst: &'a mut String) -> ReadToString<'a, Self>
    where
        Self: Unpin,
    {
        ReadToString::new(self, TextBuffer::take(dst))
    }

    /// A source of the next `limit` bytes at most.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// use zokio_io::AsyncReadExt;
    ///
    /// let mut text = String::new();
    /// b"hello, world".take(5).read_to_string(&mut text).await?;
    /// assert_eq!(text, "hello");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn take(self, limit: u64) -> Take<Self>
    where
        Self: Sized,
    {
        Take::new(self, limit)
    }
}

impl<R: AsyncRead + ?Sized> AsyncReadExt for R {}
