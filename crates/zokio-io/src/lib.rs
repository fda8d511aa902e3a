//! Layer 2 of Zokio: the traits of asynchronous I/O, the buffer they read into, and adapters.
//!
//! Nothing here needs a runtime, and nothing here knows sockets or files: those implement the traits
//! in the crates above. The module tree:
//!
//! - `traits`: [`AsyncRead`], [`AsyncWrite`], [`AsyncSeek`], [`AsyncBufRead`];
//! - `read_buf`: [`ReadBuf`].
//!
//! The shapes are those of Tokio's `tokio::io`, item by item.
#![deny(unsafe_code)]

mod read_buf;
mod traits;

pub use read_buf::ReadBuf;
pub use traits::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
