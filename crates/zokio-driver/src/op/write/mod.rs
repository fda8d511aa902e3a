//! Write once, at an offset or at the cursor, from a buffer that comes back.
//!
//! Orphan: the buffer is dropped. The write is not taken back: whoever drops a write that is under
//! way may find it done.

mod offload;
mod uring;

use super::sys::{self, Speculated, now};
use super::{At, Kind, Operation};
use crate::buf::{IoBuf, initialised};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Writes once.
#[derive(Debug)]
pub struct Write<B> {
    file: Arc<File>,
    buf: B,
    /// Bytes before this one are not written.
    start: usize,
    at: At,
    /// Where the cursor was when a ring was given the write.
    #[cfg(zokio_ring)]
    cursor: Option<u64>,
}

/// What a write brings.
#[derive(Debug)]
pub struct Sent<B> {
    /// The buffer. None if the driver had to give up on the write: the system may read it still.
    pub buf: Option<B>,
    /// How many bytes were written.
    pub result: io::Result<usize>,
}

impl<B: IoBuf> Write<B> {
    /// Writes the initialised bytes of `buf` from `start` on.
    ///
    /// # Panics
    /// If `start` is above the initialised length.
    pub fn new(file: Arc<File>, buf: B, start: usize, at: At) -> Self {
        assert!(start <= buf.bytes_len(), "a write starts within its buffer");
        Self {
            file,
            buf,
            start,
            at,
            #[cfg(zokio_ring)]
            cursor: None,
        }
    }

    fn source(&self) -> &[u8] {
        &initialised(&self.buf)[self.start..]
    }

    fn returned(self, result: io::Result<usize>) -> Sent<B> {
        Sent {
            buf: Some(self.buf),
            result,
        }
    }

    /// Writes here and now what needs no waiting.
    pub fn try_now(self) -> Result<Sent<B>, Self> {
        match now::write(&self.file, self.source(), self.at) {
            Speculated::Done(result) => Ok(self.returned(result)),
            Speculated::NotNow | Speculated::Never => Err(self),
        }
    }
}

impl<B: IoBuf> Write<B> {
    /// As [`try_now`](Self::try_now), without an operation: gives `buf` back if it cannot be.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn now(file: &File, buf: B, start: usize, at: At) -> Result<Sent<B>, B> {
        match now::write(file, &initialised(&buf)[start..], at) {
            Speculated::Done(result) => Ok(Sent {
                buf: Some(buf),
                result,
            }),
            Speculated::NotNow | Speculated::Never => Err(buf),
        }
    }
}

impl<B: IoBuf> Operation for Write<B> {
    type Output = Sent<B>;
    const KIND: Kind = Kind::Write;

    fn fail(error: io::Error) -> Self::Output {
        Sent {
            buf: None,
            result: Err(error),
        }
    }

    fn give_back(self, error: io::Error) -> Self::Output {
        self.returned(Err(error))
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }

    fn is_unbounded(&self) -> bool {
        sys::is_unbounded(&self.file)
    }

    /// The ring takes an offset for a file that has none, and one that it cannot have for the cursor.
    fn prefers_offload(&self) -> bool {
        !sys::takes_offset(&self.file, self.at)
    }
}
