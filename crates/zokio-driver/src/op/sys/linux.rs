//! What Linux can do at once: cached data, cached names.
//!
//! `preadv2` and `pwritev2` with `RWF_NOWAIT` answer `EAGAIN` instead of waiting for a disk or a
//! lock; `openat2` with `RESOLVE_CACHED` does so instead of looking a name up on a disk. A
//! successful try costs one to three short system calls on the calling thread and saves two thread
//! switches.
//!
//! Invariants:
//!
//! 1. A try either does the thing, with a result that the blocking call could have had, or changes
//!    nothing. A read is short where the rest is not cached: a caller that wants more asks again.
//! 2. A name is first looked up without opening what it names. Opening a pipe may wait for its
//!    other end and opening a device may do anything: those are left to the operation, on a thread
//!    of its own.
//! 3. A file system without a device of its own may be a program's, even this one's, or another
//!    machine's: asking it may wait. Those are left to the operation as well.
#![allow(unsafe_code)]

use super::Speculated;
use crate::op::{At, OpPath, OpenHow};
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd};

/// `struct open_how` of the kernel's interface.
#[repr(C)]
struct HowRaw {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Only names that are in memory.
const RESOLVE_CACHED: u64 = 0x20;

fn vectored(result: libc::ssize_t, at: At) -> Speculated<io::Result<usize>> {
    if let Ok(count) = usize::try_from(result) {
        return Speculated::Done(Ok(count));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Not now: would wait, or a signal came first.
        Some(libc::EAGAIN | libc::EINTR) => Speculated::NotNow,
        // A pipe has no offsets, whatever way it is asked.
        Some(libc::ESPIPE) if at != At::Cursor => Speculated::Done(Err(error)),
        // The file, the kernel or a filter does not know the call or the flag.
        Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::EPERM | libc::ESPIPE) => {
            Speculated::Never
        }
        _ => Speculated::Done(Err(error)),
    }
}

/// The offset as these calls take it, in which -1 is the cursor. None if it is none that a file can
/// have: the blocking call has the error.
fn offset_of(at: At) -> Option<libc::off_t> {
    match at {
        At::Cursor => Some(-1),
        At::Offset(offset) => libc::off_t::try_from(offset).ok(),
    }
}

/// Reads what is cached.
///
/// # Safety
/// `to` is valid for writes of `len` bytes.
pub unsafe fn read(file: &File, to: *mut u8, len: usize, at: At) -> Speculated<io::Result<usize>> {
    let vector = libc::iovec {
        iov_base: to.cast(),
        iov_len: len,
    };
    let Some(offset) = offset_of(at) else {
        return Speculated::NotNow;
    };
    // SAFETY: the vector names the caller's valid range, and the descriptor is open.
    let result = unsafe { libc::preadv2(file.as_raw_fd(), &vector, 1, offset, libc::RWF_NOWAIT) };
    vectored(result, at)
}

/// Writes what needs no waiting.
pub fn write(file: &File, from: &[u8], at: At) -> Speculated<io::Result<usize>> {
    let vector = libc::iovec {
        iov_base: from.as_ptr().cast_mut().cast(),
        iov_len: from.len(),
    };
    let Some(offset) = offset_of(at) else {
        return Speculated::NotNow;
    };
    // SAFETY: the vector names the slice, which a write only reads; the descriptor is open.
    let result = unsafe { libc::pwritev2(file.as_raw_fd(), &vector, 1, offset, libc::RWF_NOWAIT) };
    vectored(result, at)
}

/// Moves the cursor `count` bytes on, which a transfer by a ring has moved, if it still is where it was
/// before.
pub(crate) fn catch_up(file: &File, before: u64, count: usize) {
    catch_up_to(file, before, SeekFrom::Current(count as i64));
}

/// As [`catch_up`], of a write: if the file is open for appending, the end is where that leaves it.
pub(crate) fn catch_up_written(file: &File, before: u64, count: usize) {
    // SAFETY: asks for the flags of an open descriptor.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    if count > 0 && flags & libc::O_APPEND != 0 {
        catch_up_to(file, before, SeekFrom::End(0));
    } else {
        catch_up(file, before, count);
    }
}

fn catch_up_to(mut file: &File, before: u64, to: SeekFrom) {
    if file.stream_position().is_ok_and(|now| now == before) {
        // What could tell where it is can move it.
        let _ = file.seek(to);
    }
}

fn openat2_cached(path: &OpPath, flags: i32) -> Speculated<io::Result<File>> {
    let how = HowRaw {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: 0,
        resolve: RESOLVE_CACHED,
    };
    // SAFETY: the path is terminated and alive, and `how` is what the kernel takes, with its size.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            &how,
            size_of::<HowRaw>(),
        )
    };
    if fd >= 0 {
        // SAFETY: the kernel just gave us this descriptor.
        return Speculated::Done(Ok(unsafe { File::from_raw_fd(fd as i32) }));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EINVAL | libc::EPERM | libc::E2BIG) => Speculated::Never,
        // Errors that the blocking call would have had as well, whatever it is that is opened.
        Some(
            libc::ENOENT
            | libc::ENOTDIR
            | libc::EACCES
            | libc::ELOOP
            | libc::ENAMETOOLONG
            | libc::EISDIR
            | libc::EMFILE
            | libc::ENFILE
            | libc::EROFS,
        ) => Speculated::Done(Err(error)),
        // Not cached, or something that only the blocking call may answer for.
        _ => Speculated::NotNow,
    }
}

/// What a place is, as far as that is known without asking whoever keeps the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// A regular file or a directory on a device.
    Plain,
    /// Something else on a device: a pipe, a socket, a device, a symbolic link.
    Special,
    /// On a file system without a device (invariant 3).
    Remote,
}

fn nature_of(file: &File) -> Option<Nature> {
    ask(file, libc::STATX_TYPE).map(|answer| nature(&answer))
}

/// What is known of an open file without asking whoever keeps its file system.
fn ask(file: &File, what: libc::c_uint) -> Option<libc::statx> {
    let mut answer = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the empty path means the descriptor, which is open; the answer has room.
    let result = unsafe {
        libc::syscall(
            libc::SYS_statx,
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            what,
            answer.as_mut_ptr(),
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: zero bits are a valid `statx`, and the kernel wrote valid fields over them.
    Some(unsafe { answer.assume_init() })
}

fn kind_of(answer: &libc::statx) -> u32 {
    u32::from(answer.stx_mode) & libc::S_IFMT
}

fn nature(answer: &libc::statx) -> Nature {
    let kind = kind_of(answer);
    if answer.stx_dev_major == 0 {
        Nature::Remote
    } else if kind == libc::S_IFREG || kind == libc::S_IFDIR {
        Nature::Plain
    } else {
        Nature::Special
    }
}

/// Opens a file whose name is cached. `is_special` is set if opening it may wait without bound.
pub fn open(path: &OpPath, how: &OpenHow, is_special: &mut bool) -> Speculated<io::Result<File>> {
    let Some(flags) = how.flags() else {
        return Speculated::NotNow;
    };
    // The kernel would refuse to try these, and a caller's own flags may mean anything.
    if flags & (libc::O_CREAT | libc::O_TRUNC) != 0 || how.has_custom_flags() {
        return Speculated::NotNow;
    }
    let place = match openat2_cached(path, libc::O_PATH) {
        Speculated::Done(Ok(place)) => place,
        other => return other,
    };
    let nature = nature_of(&place);
    drop(place);
    match nature {
        Some(Nature::Plain) => {}
        Some(Nature::Special) => {
            *is_special = true;
            return Speculated::NotNow;
        }
        Some(Nature::Remote) | None => return Speculated::NotNow,
    }
    // O_NONBLOCK makes a lease that somebody holds an error, which the operation then waits for.
    let file = match openat2_cached(path, flags | libc::O_NONBLOCK) {
        Speculated::Done(Ok(file)) => file,
        other => return other,
    };
    // SAFETY: sets the status flags of our own descriptor to what was asked for.
    let set = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags & libc::O_APPEND) };
    if set == 0 {
        Speculated::Done(Ok(file))
    } else {
        Speculated::NotNow
    }
}

/// What a path is, if its name is cached: through a descriptor that refers to the place only.
pub fn metadata(path: &OpPath, follow: bool) -> Speculated<io::Result<Metadata>> {
    let flags = if follow {
        libc::O_PATH
    } else {
        libc::O_PATH | libc::O_NOFOLLOW
    };
    match openat2_cached(path, flags) {
        Speculated::Done(Ok(place)) => file_metadata(&place),
        // Room for a descriptor is needed by this detour only.
        Speculated::Done(Err(error))
            if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) =>
        {
            Speculated::NotNow
        }
        Speculated::Done(Err(error)) => Speculated::Done(Err(error)),
        Speculated::NotNow => Speculated::NotNow,
        Speculated::Never => Speculated::Never,
    }
}

/// What an open file is.
pub fn file_metadata(file: &File) -> Speculated<io::Result<Metadata>> {
    match nature_of(file) {
        Some(Nature::Plain | Nature::Special) => Speculated::Done(file.metadata()),
        Some(Nature::Remote) | None => Speculated::NotNow,
    }
}

/// How long a regular file is. None of anything else.
pub fn file_len(file: &File) -> Speculated<Option<u64>> {
    match ask(file, libc::STATX_TYPE | libc::STATX_SIZE) {
        Some(answer) if nature(&answer) != Nature::Remote => {
            let is_regular = kind_of(&answer) == libc::S_IFREG;
            Speculated::Done(is_regular.then_some(answer.stx_size))
        }
        _ => Speculated::NotNow,
    }
}
