//! The four traits of asynchronous I/O, and what implements them without waiting.
//!
//! Each trait stands in its own file together with its implementations for references, boxes,
//! pinned pointers and memory (`&[u8]`, `Vec<u8>`, `Cursor`).

mod async_buf_read;
mod async_read;
mod async_seek;
mod async_write;

pub use async_buf_read::AsyncBufRead;
pub use async_read::AsyncRead;
pub use async_seek::AsyncSeek;
pub use async_write::AsyncWrite;
