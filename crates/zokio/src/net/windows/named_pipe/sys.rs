//! The system's calls for named pipes.
#![allow(unsafe_code)]

use super::options::{PipeEnd, PipeInfo, PipeMode};
use std::ffi::{OsStr, c_void};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::Storage::FileSystem::{CreateFileW, FILE_FLAG_OVERLAPPED, OPEN_EXISTING};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeInfo, PIPE_READMODE_MESSAGE, PIPE_SERVER_END, PIPE_TYPE_MESSAGE,
    SetNamedPipeHandleState,
};

/// The properties that an instance of a pipe is made with.
pub(super) struct NewPipe {
    pub(super) open_mode: u32,
    pub(super) pipe_mode: u32,
    pub(super) max_instances: u32,
    pub(super) out_buffer_size: u32,
    pub(super) in_buffer_size: u32,
}

/// Makes an instance of the pipe `name`.
///
/// # Safety
/// `attributes` is null or points to security attributes.
pub(super) unsafe fn create(
    name: &OsStr,
    new: &NewPipe,
    attributes: *mut c_void,
) -> io::Result<OwnedHandle> {
    let name = wide(name)?;
    // SAFETY: the name ends in a zero, and the attributes are as the caller promises.
    let handle = unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            new.open_mode | FILE_FLAG_OVERLAPPED,
            new.pipe_mode,
            new.max_instances,
            new.out_buffer_size,
            new.in_buffer_size,
            0,
            attributes.cast_const().cast(),
        )
    };
    // SAFETY: the handle is what the call has just returned.
    unsafe { owned(handle) }
}

/// Opens the pipe `name` as a client.
///
/// # Safety
/// `attributes` is null or points to security attributes.
pub(super) unsafe fn open(
    name: &OsStr,
    access: u32,
    flags: u32,
    attributes: *mut c_void,
) -> io::Result<OwnedHandle> {
    let name = wide(name)?;
    // SAFETY: the name ends in a zero, and the attributes are as the caller promises.
    let handle = unsafe {
        CreateFileW(
            name.as_ptr(),
            access,
            0,
            attributes.cast_const().cast(),
            OPEN_EXISTING,
            flags | FILE_FLAG_OVERLAPPED,
            null_mut(),
        )
    };
    // SAFETY: the handle is what the call has just returned.
    unsafe { owned(handle) }
}

/// Has reads of a pipe of messages return one message each.
pub(super) fn read_messages(pipe: &OwnedHandle) -> io::Result<()> {
    let mode = PIPE_READMODE_MESSAGE;
    // SAFETY: an open handle; the mode lives until the call returns, and nothing else is passed.
    let is_set =
        unsafe { SetNamedPipeHandleState(pipe.as_raw_handle(), &raw const mode, null(), null()) };
    if is_set == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Asks the system for the properties of a pipe. A handle that is none of a pipe's is an error.
pub(super) fn info(pipe: RawHandle) -> io::Result<PipeInfo> {
    let (mut flags, mut out_buffer_size, mut in_buffer_size, mut max_instances) = (0, 0, 0, 0);
    // SAFETY: four places to write to, which live until the call returns.
    let is_known = unsafe {
        GetNamedPipeInfo(
            pipe,
            &raw mut flags,
            &raw mut out_buffer_size,
            &raw mut in_buffer_size,
            &raw mut max_instances,
        )
    };
    if is_known == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(PipeInfo {
        mode: if flags & PIPE_TYPE_MESSAGE != 0 {
            PipeMode::Message
        } else {
            PipeMode::Byte
        },
        end: if flags & PIPE_SERVER_END != 0 {
            PipeEnd::Server
        } else {
            PipeEnd::Client
        },
        max_instances,
        out_buffer_size,
        in_buffer_size,
    })
}

/// A name as the system takes it.
fn wide(name: &OsStr) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = name.encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name of a pipe has no zero in it",
        ));
    }
    wide.push(0);
    Ok(wide)
}

/// # Safety
/// `handle` was just returned by a call that makes one, and nobody else has it.
unsafe fn owned(handle: RawHandle) -> io::Result<OwnedHandle> {
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: open, and the caller's alone.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}
