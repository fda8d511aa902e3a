//! Reads, writes and closes of open files through the standard library.
//!
//! A positioned read or write is one call, which others do not come between. It leaves the cursor
//! where it ended: this system has no such call that does not.
#![allow(unsafe_code)]

use crate::op::At;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::fs::FileExt;

/// Reads once.
///
/// # Safety
/// `to` is valid for writes of `len` bytes.
pub(crate) unsafe fn read(file: &File, to: *mut u8, len: usize, at: At) -> io::Result<usize> {
    // SAFETY: the caller's promise; zeroing first means that no reader sees what was there.
    let to = unsafe {
        to.write_bytes(0, len);
        std::slice::from_raw_parts_mut(to, len)
    };
    match at {
        At::Cursor => {
            let mut file = file;
            file.read(to)
        }
        At::Offset(offset) => file.seek_read(to, offset),
    }
}

/// Writes once.
pub(crate) fn write(file: &File, from: &[u8], at: At) -> io::Result<usize> {
    match at {
        At::Cursor => {
            let mut file = file;
            file.write(from)
        }
        At::Offset(offset) => file.seek_write(from, offset),
    }
}

/// Closes. The standard library has no door for the error.
pub(crate) fn close(file: File) -> io::Result<()> {
    drop(file);
    Ok(())
}

/// There is no ring that would have to agree.
pub(crate) fn is_offset(_at: At) -> bool {
    true
}
