//! Opening a named pipe in a wait that can be ended.
//!
//! For reading: opened without blocking, the pipe is open at once, and writers see a reader, as they do while
//! a blocking `open` waits. Then a writer is waited for. The data of one, or its end, wakes the wait. One that
//! has opened the pipe and is silent shows only in the answer of `tee(2)`, which is asked again and again.
//!
//! For writing: opened without blocking, a pipe that nobody reads is refused (`ENXIO`), again and again until
//! somebody does. Nothing says when.
//!
//! In both, the file is set to block before it is given away: nobody else has it yet.
#![allow(unsafe_code)]

use crate::bell::{Bell, Wait, Waited};
use crate::fd::set_nonblocking;
use crate::op::{OpenHow, not_run};
use crate::sys::{poll, poll_of};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How long the first wait between two looks is, and the last.
const FIRST: Duration = Duration::from_millis(1);
const LAST: Duration = Duration::from_millis(20);

/// Opens `path` if it is a pipe whose other end has to be waited for. None if it is not.
pub(crate) fn open(how: &OpenHow, path: &Path, bell: &Bell) -> Option<io::Result<File>> {
    let writes = how.write || how.append;
    let waits = how.read != writes
        && !how.create_new
        && how.opaque.is_none()
        && how.custom_flags & (libc::O_NONBLOCK | libc::O_PATH) == 0;
    if !waits || !std::fs::metadata(path).is_ok_and(|it| it.file_type().is_fifo()) {
        return None;
    }
    let mut options = how.to_std();
    options.custom_flags(how.custom_flags | libc::O_NONBLOCK);
    let opened = if writes {
        open_to_write(|| options.open(path), bell)
    } else {
        open_to_read(|| options.open(path), bell)
    };
    Some(opened.and_then(|file| {
        set_nonblocking(file.as_fd(), false)?;
        Ok(file)
    }))
}

/// The waits between looks, each longer than the last.
fn steps() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST), |step| Some((*step * 2).min(LAST)))
}

fn open_to_write(open: impl Fn() -> io::Result<File>, bell: &Bell) -> io::Result<File> {
    // Never ready, so that it is a wait for the bell alone.
    let silent = Scratch::new()?;
    for step in steps() {
        match open() {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {}
            result => return result,
        }
        if bell.wait(silent.reader.as_fd(), Wait::ToRead, Some(step)) == Waited::Rung {
            break;
        }
    }
    Err(not_run())
}

fn open_to_read(open: impl Fn() -> io::Result<File>, bell: &Bell) -> io::Result<File> {
    let file = open()?;
    let scratch = Scratch::new()?;
    for step in steps() {
        if scratch.sees_a_writer(&file)? {
            return Ok(file);
        }
        if bell.wait(file.as_fd(), Wait::ToRead, Some(step)) == Waited::Rung {
            break;
        }
    }
    Err(not_run())
}

/// An anonymous pipe.
struct Scratch {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Scratch {
    fn new() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: the array has room for the two descriptors.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just made them for us.
        let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        Ok(Self { reader, writer })
    }

    /// Whether somebody has `pipe` open for writing, or had.
    fn sees_a_writer(&self, pipe: &File) -> io::Result<bool> {
        // A failure is "no": the caller looks again.
        if poll(&mut [poll_of(pipe.as_raw_fd(), libc::POLLIN)], 0).is_ok_and(|ready| ready > 0) {
            return Ok(true);
        }
        let (from, to) = (pipe.as_raw_fd(), self.writer.as_raw_fd());
        // SAFETY: both are open; no memory is passed. Nothing is taken out of the pipe.
        let copied = unsafe { libc::tee(from, to, 1, libc::SPLICE_F_NONBLOCK) };
        if copied >= 0 {
            // Nothing is in a pipe that nobody writes.
            return Ok(copied > 0);
        }
        match io::Error::last_os_error() {
            // It would wait for a writer: there is one.
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            error => Err(error),
        }
    }
}
