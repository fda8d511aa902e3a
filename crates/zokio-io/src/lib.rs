//! Layer 2 of Zokio: the traits of asynchronous I/O, the buffer they read into, and adapters.
//!
//! Nothing here needs a runtime, and nothing here knows sockets or files: those implement the traits
//! in the crates above. The module tree:
//!
//! - `traits`: [`AsyncRead`], [`AsyncWrite`], [`AsyncSeek`], [`AsyncBufRead`];
//! - `read_buf`: [`ReadBuf`];
//! - `ext`: the methods users call, [`AsyncReadExt`] and its siblings;
//! - `adapters`: buffers, chains, limits, lines, and sources and sinks of nothing;
//! - `copy`, `split`, `duplex`: moving bytes, taking streams apart, pipes in memory;
//! - `interest`, `ready`: what is waited for, and what came.
//!
//! The shapes are those of Tokio's `tokio::io`, item by item.
//!
//! **Cooperation.** What is always ready takes units of the task's budget itself (`pace`), so that a
//! loop over memory yields like one over a socket.
#![deny(unsafe_code)]

mod adapters;
mod copy;
mod duplex;
mod ext;
mod interest;
mod pace;
mod read_buf;
mod ready;
mod split;
mod text;
mod traits;
mod util;

#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

pub use adapters::{
    BufReader, BufStream, BufWriter, Chain, Empty, Join, Lines, Repeat, Sink, Split, Take, empty,
    join, repeat, sink,
};
pub use copy::{copy, copy_bidirectional, copy_bidirectional_with_sizes, copy_buf};
pub use duplex::{DuplexStream, SimplexStream, duplex, simplex};
pub use ext::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
pub use interest::Interest;
pub use read_buf::ReadBuf;
pub use ready::Ready;
pub use split::{ReadHalf, WriteHalf, split};
pub use traits::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
