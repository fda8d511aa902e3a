//! Bytes from one file to another without passing through the process.
//!
//! No ring has an operation for it, so that it is a call for a thread that may block.
#![cfg(any(target_os = "linux", target_os = "android"))]
#![allow(unsafe_code)]

use super::again_if_interrupted;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `copy_file_range(2)`: up to `len` bytes, from cursor to cursor. Returns how many; 0 at the end of
/// `from`, and where the system does not know how many there are.
///
/// # Errors
/// The errors of `copy_file_range`: `CrossesDevices` or `InvalidInput` if it cannot copy between these two,
/// `Unsupported` if there is no such call.
pub fn copy_range(from: &File, to: &File, len: usize) -> io::Result<usize> {
    let no_offset = std::ptr::null_mut::<libc::off_t>();
    let no_flags: libc::c_uint = 0;
    again_if_interrupted(|| {
        // SAFETY: both descriptors are open while they are borrowed; no memory is touched.
        unsafe {
            libc::syscall(
                libc::SYS_copy_file_range,
                from.as_raw_fd(),
                no_offset,
                to.as_raw_fd(),
                no_offset,
                len,
                no_flags,
            )
        }
    })
}
