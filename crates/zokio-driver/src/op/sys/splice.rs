//! `splice` and `sendfile`: bytes move within the kernel.
//!
//! Each call moves what it can without waiting for a socket, and answers `WouldBlock` if that is
//! nothing. A call that a signal interrupts is made again.
//!
//! Invariant: a [`Pipe`] counts what it holds. Bytes go in and out through its methods only, so a
//! `WouldBlock` of [`Pipe::fill`] with the pipe empty is the source's, and one of [`Pipe::drain`] with
//! the pipe not empty is the target's.
#![allow(unsafe_code)]

use crate::op::sys::again_if_interrupted;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The most that one call is asked for. The system caps it at what is there.
const CHUNK_MAX: usize = 1 << 20;

/// How much a new pipe is asked to hold. Bounded by a limit of the system's for each user, beyond
/// which it stays at its default.
const PIPE_SIZE: libc::c_int = 256 * 1024;

/// A pipe through which bytes pass on their way from a socket to another.
#[derive(Debug)]
pub struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    len: usize,
}

impl Pipe {
    /// Makes one.
    ///
    /// # Errors
    /// If there are too many descriptors.
    pub fn new() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: the array has room for the two descriptors.
        let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
        if made < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just made them for us.
        let (reader, writer) =
            unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
        // SAFETY: sets a number of an open descriptor. Refused, the pipe is as large as it is.
        unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_SIZE) };
        Ok(Self {
            reader,
            writer,
            len: 0,
        })
    }

    /// How many bytes are inside.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Moves bytes of `source` in. 0 is the end of the source.
    ///
    /// # Errors
    /// `WouldBlock` if there are none or the pipe is full; otherwise the errors of `splice`:
    /// `ConnectionReset` if the peer has broken the connection off.
    pub fn fill(&mut self, source: BorrowedFd<'_>) -> io::Result<usize> {
        let moved = splice(source, &self.writer)?;
        self.len += moved;
        Ok(moved)
    }

    /// Moves bytes out to `target`.
    ///
    /// # Errors
    /// `WouldBlock` if it takes none now; otherwise the errors of `splice`: `BrokenPipe` if the peer
    /// receives no more.
    pub fn drain(&mut self, target: BorrowedFd<'_>) -> io::Result<usize> {
        let moved = splice(&self.reader, target)?;
        self.len -= moved;
        Ok(moved)
    }
}

fn splice(from: impl AsFd, to: impl AsFd) -> io::Result<usize> {
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    again_if_interrupted(|| {
        // SAFETY: both descriptors are open, as their owners are borrowed; no memory is passed.
        unsafe {
            libc::splice(
                from,
                std::ptr::null_mut(),
                to,
                std::ptr::null_mut(),
                CHUNK_MAX,
                libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK,
            )
        }
    })
}

/// Sends up to `len` bytes of `file` from `offset` on to `socket`. 0 is the end of the file.
///
/// Waits for the disk if the bytes are not cached.
///
/// # Errors
/// `WouldBlock` if the socket takes none now; `InvalidInput` if the file cannot have such an offset;
/// otherwise the errors of `sendfile`: `BrokenPipe` if the peer receives no more.
pub fn sendfile(socket: BorrowedFd<'_>, file: &File, offset: u64, len: usize) -> io::Result<usize> {
    let Ok(mut offset) = libc::off64_t::try_from(offset) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let len = len.min(CHUNK_MAX);
    // SAFETY: both descriptors are open, and the offset is a local that the call updates.
    again_if_interrupted(|| unsafe {
        libc::sendfile64(socket.as_raw_fd(), file.as_raw_fd(), &mut offset, len)
    })
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_pipe_counts_what_passes() {
        let (mut near, source) = UnixStream::pair().unwrap();
        let (target, mut far) = UnixStream::pair().unwrap();
        source.set_nonblocking(true).unwrap();
        let mut pipe = Pipe::new().unwrap();
        let nothing = pipe.fill(source.as_fd()).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        near.write_all(b"hello").unwrap();
        assert_eq!(pipe.fill(source.as_fd()).unwrap(), 5);
        assert_eq!(pipe.len(), 5);
        assert_eq!(pipe.drain(target.as_fd()).unwrap(), 5);
        assert!(pipe.is_empty());
        let mut word = [0; 5];
        far.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"hello");
        drop(near);
        assert_eq!(pipe.fill(source.as_fd()).unwrap(), 0);
    }

    #[test]
    fn a_file_is_sent_from_an_offset() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"hello world").unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        assert_eq!(sendfile(near.as_fd(), &file, 6, 100).unwrap(), 5);
        assert_eq!(sendfile(near.as_fd(), &file, 11, 100).unwrap(), 0);
        let beyond = sendfile(near.as_fd(), &file, u64::MAX, 1).unwrap_err();
        assert_eq!(beyond.kind(), io::ErrorKind::InvalidInput);
        let mut word = [0; 5];
        far.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"world");
    }
}
