//! Reads, writes and closes of open files on Unix.
#![allow(unsafe_code)]

use crate::op::At;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};

// Offsets of 64 bits, whatever the width of words: elsewhere all calls have them.
#[cfg(not(target_os = "linux"))]
use libc::{off_t, pread, pwrite};
#[cfg(target_os = "linux")]
use libc::{off64_t as off_t, pread64 as pread, pwrite64 as pwrite};

/// The largest count that one call is given: some systems refuse more, none does more.
const COUNT_MAX: usize = i32::MAX as usize - 4095;

/// Makes a call that returns a count, or a negative number for an error, until no signal interrupts
/// it.
pub(crate) fn again_if_interrupted<C>(mut call: impl FnMut() -> C) -> io::Result<usize>
where
    usize: TryFrom<C>,
{
    loop {
        match usize::try_from(call()) {
            Ok(count) => return Ok(count),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

fn offset_of(offset: u64) -> io::Result<off_t> {
    off_t::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Reads once.
///
/// # Safety
/// `to` is valid for writes of `len` bytes.
pub(crate) unsafe fn read(file: &File, to: *mut u8, len: usize, at: At) -> io::Result<usize> {
    let (fd, len) = (file.as_raw_fd(), len.min(COUNT_MAX));
    match at {
        // SAFETY: the caller's promise; the descriptor is open while `file` is borrowed.
        At::Cursor => again_if_interrupted(|| unsafe { libc::read(fd, to.cast(), len) }),
        At::Offset(offset) => {
            let offset = offset_of(offset)?;
            // SAFETY: as above.
            again_if_interrupted(|| unsafe { pread(fd, to.cast(), len, offset) })
        }
    }
}

/// Writes once.
pub(crate) fn write(file: &File, from: &[u8], at: At) -> io::Result<usize> {
    let (fd, len) = (file.as_raw_fd(), from.len().min(COUNT_MAX));
    let from = from.as_ptr();
    match at {
        // SAFETY: the slice is valid for reads of `len` bytes, and the descriptor is open.
        At::Cursor => again_if_interrupted(|| unsafe { libc::write(fd, from.cast(), len) }),
        At::Offset(offset) => {
            let offset = offset_of(offset)?;
            // SAFETY: as above.
            again_if_interrupted(|| unsafe { pwrite(fd, from.cast(), len, offset) })
        }
    }
}

/// Closes, and says what a drop would swallow.
pub(crate) fn close(file: File) -> io::Result<()> {
    // SAFETY: the descriptor was ours alone and nobody uses it after this. Whatever the answer,
    // an interrupted close included, it is gone, so the call is not made again.
    match unsafe { libc::close(file.into_raw_fd()) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        },
    }
}

/// Whether a file can have such an offset. The calls refuse what they are not given; a ring takes some of
/// it for the cursor.
pub(crate) fn is_offset(at: At) -> bool {
    match at {
        At::Cursor => true,
        At::Offset(offset) => offset_of(offset).is_ok(),
    }
}
