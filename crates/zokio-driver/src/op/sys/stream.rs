//! Reads and writes of what others fill and empty (pipes, sockets, terminals) by a thread that may block,
//! but only where its wait can be ended: in [`Bell::wait`].
//!
//! A read after the wait finds something, unless another process was faster. So it is made in a way that does
//! not wait: by `RWF_NOWAIT`, which anonymous pipes and sockets know; for a named pipe or a terminal through
//! a second opening of it, which alone is set not to block, since the mode of the first is shared with other
//! processes and is not ours to change. Where neither can be had, the read may wait after all.
//!
//! A descriptor that somebody else has set not to block is waited for like any other: `WouldBlock` is no
//! answer to somebody who waits.
#![allow(unsafe_code)]

use crate::bell::{Bell, Wait, Waited};
use crate::op::At;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

/// Reads once, when there is something. None if `bell` was rung before.
///
/// # Safety
/// `to` is valid for writes of `len` bytes.
pub(crate) unsafe fn read_until(
    file: &File,
    to: *mut u8,
    len: usize,
    bell: &Bell,
) -> Option<io::Result<usize>> {
    until(file, Wait::ToRead, bell, |twin| {
        // SAFETY: the caller's promise.
        unsafe { read_at_once(file, twin, to, len) }
    })
}

/// Writes once, when there is room. None if `bell` was rung before.
pub(crate) fn write_until(file: &File, from: &[u8], bell: &Bell) -> Option<io::Result<usize>> {
    until(file, Wait::ToWrite, bell, |twin| {
        write_at_once(file, twin, from)
    })
}

/// Writes once, however long that takes.
pub(crate) fn write_stream(file: &File, from: &[u8]) -> io::Result<usize> {
    loop {
        match super::write(file, from, At::Cursor) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                crate::bell::wait_writable(file.as_fd());
            }
            result => return result,
        }
    }
}

fn until(
    file: &File,
    wait: Wait,
    bell: &Bell,
    mut attempt: impl FnMut(&mut Twin) -> io::Result<usize>,
) -> Option<io::Result<usize>> {
    let mut twin = Twin::Unknown;
    loop {
        match bell.wait(file.as_fd(), wait, None) {
            Waited::Rung => return None,
            Waited::Late => continue,
            Waited::Ready => {}
        }
        match attempt(&mut twin) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Some(result),
        }
    }
}

/// A second opening of a pipe or a terminal.
enum Twin {
    Unknown,
    Open(File),
    None,
}

#[cfg(target_os = "linux")]
impl Twin {
    fn of(&mut self, file: &File, for_reading: bool) -> Option<&File> {
        use std::io::IsTerminal;
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

        if matches!(self, Self::Unknown) {
            let is_pipe = || file.metadata().is_ok_and(|it| it.file_type().is_fifo());
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let opened = (file.is_terminal() || is_pipe()).then(|| {
                File::options()
                    .read(for_reading)
                    .write(!for_reading)
                    .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
                    .open(path)
            });
            *self = match opened {
                Some(Ok(twin)) => Self::Open(twin),
                _ => Self::None,
            };
        }
        match self {
            Self::Open(twin) => Some(twin),
            _ => None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Twin {
    fn of(&mut self, _file: &File, _for_reading: bool) -> Option<&File> {
        *self = Self::None;
        None
    }
}

/// # Safety
/// `to` is valid for writes of `len` bytes.
unsafe fn read_at_once(file: &File, twin: &mut Twin, to: *mut u8, len: usize) -> io::Result<usize> {
    #[cfg(zokio_ring)]
    // SAFETY: the caller's promise.
    match unsafe { super::now::read(file, to, len, At::Cursor) } {
        super::Speculated::Done(result) => return result,
        super::Speculated::NotNow => return Err(io::ErrorKind::WouldBlock.into()),
        super::Speculated::Never => {}
    }
    let file = twin.of(file, true).unwrap_or(file);
    // SAFETY: the caller's promise.
    unsafe { super::read(file, to, len, At::Cursor) }
}

fn write_at_once(file: &File, twin: &mut Twin, from: &[u8]) -> io::Result<usize> {
    #[cfg(zokio_ring)]
    match super::now::write(file, from, At::Cursor) {
        super::Speculated::Done(result) => return result,
        super::Speculated::NotNow => return Err(io::ErrorKind::WouldBlock.into()),
        super::Speculated::Never => {}
    }
    let file = twin.of(file, false).unwrap_or(file);
    super::write(file, from, At::Cursor)
}
