//! Readers and writers: the traits, tools for them, and in-memory pipes.
//!
//! [`AsyncRead`], [`AsyncWrite`], [`AsyncSeek`] and [`AsyncBufRead`] are what sockets and files
//! implement; the traits whose names end in `Ext` have the methods that you call.
//!
//! # Examples
//! ```
//! use zokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # async fn demo() -> std::io::Result<()> {
//! let (mut near, mut far) = zokio::io::duplex(64);
//! near.write_all(b"hello").await?;
//! let mut word = [0; 5];
//! far.read_exact(&mut word).await?;
//! assert_eq!(&word, b"hello");
//! # Ok(())
//! # }
//! ```

pub use std::io::{Error, ErrorKind, Result, SeekFrom};
pub use zokio_io::*;

#[cfg(unix)]
mod async_fd;
pub(crate) mod blocking;
mod stdio;

pub use stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};

/// Readiness of any descriptor, which only unix has.
#[cfg(unix)]
pub mod unix {
    pub use super::async_fd::{
        AsyncFd, AsyncFdReadyGuard, AsyncFdReadyMutGuard, AsyncFdRegisterError, TryIoError,
    };
}
