//! Write once, or all of it, at an offset or at the cursor, from a buffer that comes back.
//!
//! Orphan: the buffer is dropped. The write is not taken back: whoever drops a write that is under
//! way may find it done. One of all bytes goes on until they are written, since its caller was told that
//! they are.

mod offload;
mod uring;

use super::sys::{self, Speculated, now};
use super::{At, Kind, OpenFile, Operation};
use crate::buf::{IoBuf, initialised};
use std::io;
use std::sync::Arc;

/// Writes.
#[derive(Debug)]
pub struct Write<B> {
    file: Arc<OpenFile>,
    buf: B,
    /// Bytes before this one are not written, or are written already.
    start: usize,
    at: At,
    /// How many bytes were written by earlier requests. None if one is all that there is to be.
    so_far: Option<usize>,
    /// Where the cursor was when a ring was given the write.
    #[cfg(zokio_ring)]
    cursor: Option<u64>,
}

/// The result of a write.
#[derive(Debug)]
pub struct Sent<B> {
    /// The buffer. None if the driver had to give up on the write: the system may read it still.
    pub buf: Option<B>,
    /// How many bytes were written.
    pub result: io::Result<usize>,
    /// The first byte of the buffer that was not written.
    pub end: usize,
}

impl<B: IoBuf> Write<B> {
    /// Writes the initialised bytes of `buf` from `start` on, as many as one request takes.
    ///
    /// # Panics
    /// If `start` is above the initialised length.
    pub fn new(file: Arc<OpenFile>, buf: B, start: usize, at: At) -> Self {
        assert!(start <= buf.bytes_len(), "a write starts within its buffer");
        Self {
            file,
            buf,
            start,
            at,
            so_far: None,
            #[cfg(zokio_ring)]
            cursor: None,
        }
    }

    /// Writes all of the initialised bytes of `buf` from `start` on, at the cursor, though nobody waits for
    /// it any more.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn whole(file: Arc<OpenFile>, buf: B, start: usize) -> Self {
        Self {
            so_far: Some(0),
            ..Self::new(file, buf, start, At::Cursor)
        }
    }

    fn source(&self) -> &[u8] {
        &initialised(&self.buf)[self.start..]
    }

    fn returned(self, result: io::Result<usize>) -> Sent<B> {
        Sent {
            buf: Some(self.buf),
            result,
            end: self.start,
        }
    }

    /// Takes note of what a request wrote. The operation comes back if there is more to do.
    fn went_on(mut self, count: usize) -> Result<Sent<B>, Self> {
        let is_all = count == self.source().len();
        self.start += count;
        let Some(so_far) = &mut self.so_far else {
            return Ok(self.returned(Ok(count)));
        };
        *so_far += count;
        let so_far = *so_far;
        match (is_all, count) {
            (true, _) => Ok(self.returned(Ok(so_far))),
            (false, 0) => Ok(self.returned(Err(io::ErrorKind::WriteZero.into()))),
            (false, _) => Err(self),
        }
    }

    /// Writes here and now what needs no waiting.
    pub fn try_now(self) -> Result<Sent<B>, Self> {
        if self.file.is_remote() {
            return Err(self);
        }
        match now::write(&self.file, self.source(), self.at) {
            Speculated::Done(Ok(count)) => self.went_on(count),
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
    pub fn now(file: &OpenFile, buf: B, start: usize, at: At) -> Result<Sent<B>, B> {
        // Its keeper may not keep the promise, and waits then.
        if file.is_remote() {
            return Err(buf);
        }
        match now::write(file, &initialised(&buf)[start..], at) {
            Speculated::Done(result) => Ok(Sent {
                buf: Some(buf),
                end: start + *result.as_ref().unwrap_or(&0),
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
            end: 0,
        }
    }

    fn give_back(self, error: io::Error) -> Self::Output {
        self.returned(Err(error))
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }

    /// Bytes that were reported as written are not given up.
    fn is_unbounded(&self) -> bool {
        self.so_far.is_none() && self.file.is_unbounded()
    }

    /// The ring takes an offset for a file that has none, and one that it cannot have for the cursor. And a
    /// short write to the end of a file has to ask where that is, which waits for a remote one.
    fn prefers_offload(&self) -> bool {
        match self.at {
            At::Cursor => self.file.is_remote() && now::appends(&self.file),
            At::Offset(_) => !(sys::is_offset(self.at) && self.file.has_offsets()),
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    #![allow(clippy::disallowed_methods)] // The reader is a thread.

    use super::*;
    use crate::op::OnOffload;

    fn file() -> Arc<OpenFile> {
        OpenFile::new(tempfile::tempfile().unwrap())
    }

    #[test]
    fn one_request_is_enough_unless_all_is_to_be_written() {
        let once = Write::new(file(), b"12345".to_vec(), 1, At::Cursor);
        let sent = once.went_on(2).unwrap();
        assert_eq!((sent.result.unwrap(), sent.end), (2, 3));
        let whole = Write::whole(file(), b"12345".to_vec(), 1);
        let whole = whole.went_on(2).unwrap_err();
        assert_eq!(whole.source(), b"45");
        let sent = whole.went_on(2).unwrap();
        assert_eq!((sent.result.unwrap(), sent.end), (4, 5));
        let none = Write::whole(file(), b"12345".to_vec(), 1).went_on(0);
        let error = none.unwrap().result.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    #[cfg(unix)]
    fn a_thread_writes_all_and_says_how_far_it_came() {
        use std::os::unix::net::UnixStream;

        let (near, far) = UnixStream::pair().unwrap();
        let near = std::fs::File::from(std::os::fd::OwnedFd::from(near));
        let reader = zokio_base::sync::thread::spawn(move || {
            use std::io::Read;
            let mut far = far;
            let mut first = vec![0; 3_000_000];
            far.read_exact(&mut first).unwrap();
        });
        let whole = Write::whole(OpenFile::new(near), vec![7; 3_000_000], 0);
        let sent = whole.run();
        assert_eq!((sent.result.unwrap(), sent.end), (3_000_000, 3_000_000));
        reader.join().unwrap();
    }
}
