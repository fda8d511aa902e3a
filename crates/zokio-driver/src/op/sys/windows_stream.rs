//! Where nothing can be waited for: the plain calls.
#![allow(unsafe_code)] // The read is unsafe where it is more than a call.

use crate::bell::Bell;
use crate::op::At;
use std::fs::File;
use std::io;

/// Reads once.
///
/// # Safety
/// `to` is valid for writes of `len` bytes.
pub(crate) unsafe fn read_until(
    file: &File,
    to: *mut u8,
    len: usize,
    _bell: &Bell,
) -> Option<io::Result<usize>> {
    // SAFETY: the caller's promise.
    Some(unsafe { super::read(file, to, len, At::Cursor) })
}

/// Writes once.
pub(crate) fn write_until(file: &File, from: &[u8], _bell: &Bell) -> Option<io::Result<usize>> {
    Some(super::write(file, from, At::Cursor))
}

/// Writes once.
pub(crate) fn write_stream(file: &File, from: &[u8]) -> io::Result<usize> {
    super::write(file, from, At::Cursor)
}
