//! Read once, at an offset or at the cursor, into a buffer that comes back.
//!
//! Orphan: the buffer is dropped.

mod offload;
mod uring;

use super::sys::{self, Speculated, now};
use super::{At, Kind, OpenFile, Operation};
use crate::buf::IoBufMut;
use std::io;
use std::sync::Arc;

/// Reads once.
#[derive(Debug)]
pub struct Read<B> {
    file: Arc<OpenFile>,
    buf: B,
    /// Where in the buffer the bytes go. Never above the initialised length.
    start: usize,
    /// How many bytes at most.
    len: usize,
    at: At,
    /// Where the cursor was when a ring was given the read.
    #[cfg(zokio_ring)]
    cursor: Option<u64>,
}

/// The result of a read.
#[derive(Debug)]
pub struct Filled<B> {
    /// The buffer, with what was read appended at the place asked for. None if the driver had to
    /// give up on the read, because the system may write there still.
    pub buf: Option<B>,
    /// How many bytes were read; 0 is the end of the file.
    pub result: io::Result<usize>,
}

impl<B: IoBufMut> Read<B> {
    /// Reads up to `len` bytes behind the first `start` of `buf`.
    ///
    /// # Panics
    /// If `start` is above the initialised length.
    pub fn new(file: Arc<OpenFile>, buf: B, start: usize, len: usize, at: At) -> Self {
        assert!(start <= buf.bytes_len(), "reads leave no gap in a buffer");
        let len = len.min(buf.bytes_capacity() - start);
        Self {
            file,
            buf,
            start,
            len,
            at,
            #[cfg(zokio_ring)]
            cursor: None,
        }
    }

    /// Where the bytes go.
    fn target(&mut self) -> *mut u8 {
        self.buf.stable_mut_ptr().wrapping_add(self.start)
    }

    /// Marks what was read as there.
    fn filled(self, count: usize) -> Filled<B> {
        filled(self.buf, self.start, self.len, count)
    }

    fn failed(self, error: io::Error) -> Filled<B> {
        Filled {
            buf: Some(self.buf),
            result: Err(error),
        }
    }

    /// Reads here and now what is cached.
    pub fn try_now(self) -> Result<Filled<B>, Self> {
        let (start, len, at) = (self.start, self.len, self.at);
        match Self::now(&self.file, self.buf, start, len, at) {
            Ok(filled) => Ok(filled),
            Err(buf) => Err(Self::new(self.file, buf, start, len, at)),
        }
    }

    /// As [`try_now`](Self::try_now), without an operation: gives `buf` back if it cannot be.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[allow(unsafe_code)]
    pub fn now(
        file: &OpenFile,
        mut buf: B,
        start: usize,
        len: usize,
        at: At,
    ) -> Result<Filled<B>, B> {
        assert!(start <= buf.bytes_len(), "reads leave no gap in a buffer");
        let len = len.min(buf.bytes_capacity() - start);
        let to = buf.stable_mut_ptr().wrapping_add(start);
        // Its keeper may not keep the promise, and waits then.
        if file.is_remote() {
            return Err(buf);
        }
        // SAFETY: the range is within the buffer, which is ours.
        match unsafe { now::read(file, to, len, at) } {
            Speculated::Done(Ok(count)) => Ok(filled(buf, start, len, count)),
            Speculated::Done(Err(error)) => Ok(Filled {
                buf: Some(buf),
                result: Err(error),
            }),
            Speculated::NotNow | Speculated::Never => Err(buf),
        }
    }
}

/// Marks the `count` bytes as there that were read behind `start`, where `len` were asked for.
#[allow(unsafe_code)]
fn filled<B: IoBufMut>(mut buf: B, start: usize, len: usize, count: usize) -> Filled<B> {
    assert!(count <= len, "a read fills what it was given");
    let init = buf.bytes_len().max(start + count);
    // SAFETY: the bytes below `start` and the old length were initialised, `count` more behind
    // `start` have just been written, and whoever read kept that within the capacity.
    unsafe { buf.set_init(init) };
    Filled {
        buf: Some(buf),
        result: Ok(count),
    }
}

impl<B: IoBufMut> Operation for Read<B> {
    type Output = Filled<B>;
    const KIND: Kind = Kind::Read;

    fn fail(error: io::Error) -> Self::Output {
        Filled {
            buf: None,
            result: Err(error),
        }
    }

    fn give_back(self, error: io::Error) -> Self::Output {
        self.failed(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }

    fn may_be_left_out(&self) -> bool {
        true
    }

    fn is_unbounded(&self) -> bool {
        self.file.is_unbounded()
    }

    /// The ring takes an offset for a file that has none, and one that it cannot have for the cursor.
    fn prefers_offload(&self) -> bool {
        self.at != At::Cursor && !(sys::is_offset(self.at) && self.file.has_offsets())
    }
}
