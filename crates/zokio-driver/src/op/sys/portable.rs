//! Reads, writes and closes of open files through the standard library.
//!
//! A positioned read or write here moves the cursor and puts it back; the operations of one file
//! do not overlap.
#![allow(unsafe_code)]

use crate::op::At;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

fn at_offset<T>(
    file: &File,
    at: At,
    call: impl FnOnce(&mut &File) -> io::Result<T>,
) -> io::Result<T> {
    let mut file = file;
    let At::Offset(offset) = at else {
        return call(&mut file);
    };
    let cursor = file.stream_position()?;
    file.seek(SeekFrom::Start(offset))?;
    let result = call(&mut file);
    file.seek(SeekFrom::Start(cursor))?;
    result
}

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
    at_offset(file, at, |file| file.read(to))
}

/// Writes once.
pub(crate) fn write(file: &File, from: &[u8], at: At) -> io::Result<usize> {
    at_offset(file, at, |file| file.write(from))
}

/// Closes. The standard library has no door for the error.
pub(crate) fn close(file: File) -> io::Result<()> {
    drop(file);
    Ok(())
}

/// Whether reading or writing `file` may wait without bound.
pub(crate) fn is_unbounded(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| !metadata.is_file())
}
