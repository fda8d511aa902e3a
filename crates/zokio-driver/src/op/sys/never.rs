//! Where the system cannot promise not to wait, nothing is tried.
#![allow(unsafe_code)] // The read is unsafe where it is tried.

use super::Speculated;
use crate::op::{At, OpPath, OpenFile, OpenHow};
use std::fs::{File, Metadata};
use std::io;

/// Never tries.
///
/// # Safety
/// None is needed here; elsewhere `to` must be valid for writes of `len` bytes.
pub unsafe fn read(
    _file: &File,
    _to: *mut u8,
    _len: usize,
    _at: At,
) -> Speculated<io::Result<usize>> {
    Speculated::Never
}

/// Never tries.
pub fn write(_file: &File, _from: &[u8], _at: At) -> Speculated<io::Result<usize>> {
    Speculated::Never
}

/// Never tries.
pub fn open(
    _path: &OpPath,
    _how: &OpenHow,
    _is_special: &mut bool,
) -> Speculated<io::Result<File>> {
    Speculated::Never
}

/// Never tries.
pub fn metadata(_path: &OpPath, _follow: bool) -> Speculated<io::Result<Metadata>> {
    Speculated::Never
}

/// Never tries.
pub fn file_metadata(_file: &File) -> Speculated<io::Result<Metadata>> {
    Speculated::Never
}

/// Never tries.
pub fn file_len(_file: &OpenFile) -> Speculated<Option<u64>> {
    Speculated::Never
}

/// There is no ring whose writes would have to be caught up with.
pub(crate) fn appends(_file: &File) -> bool {
    false
}

/// Nobody says.
pub fn is_cached(_file: &OpenFile, _offset: u64, _len: usize) -> bool {
    false
}
