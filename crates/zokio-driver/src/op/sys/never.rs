//! Where the system cannot promise not to wait, nothing is tried.
#![allow(unsafe_code)] // The read is unsafe where it is tried.

use super::Speculated;
use crate::op::{At, OpPath, OpenHow};
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
pub fn file_len(_file: &File) -> Speculated<Option<u64>> {
    Speculated::Never
}
