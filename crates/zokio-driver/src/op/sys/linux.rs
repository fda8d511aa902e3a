//! Operations that Linux can do at once: on cached data, with cached names.
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
//! 3. Only a file system that the kernel keeps on a device of this machine is asked ([`Place`]). Another
//!    may be a program's, even this one's, or another machine's: asking it may wait. Those are left to the
//!    operation as well.
#![allow(unsafe_code)]

use super::statx::{ask, place_in};
use super::{Keeper, Place, Shape, Speculated};
use crate::op::{At, OpPath, OpenFile, OpenHow};
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
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

/// Whether `len` bytes of `file` from `offset` on are in memory, so that handing them on does not wait for the
/// disk. The end of the file counts as there.
///
/// Both ends are tried by reads that do not wait. For what lies between `cachestat` (Linux 6.5) counts
/// the pages; a caller that may not ask it, or whose kernel has none, gets a read of each page. A page that
/// is thrown out before the caller uses it is read again then.
pub fn is_cached(file: &OpenFile, offset: u64, len: usize) -> bool {
    let is_there = |at| {
        let mut byte = 0_u8;
        // SAFETY: the one byte is valid for writes.
        let read = unsafe { read(file, &mut byte, 1, At::Offset(at)) };
        matches!(read, Speculated::Done(Ok(_)))
    };
    let Some(last) = (len as u64).checked_sub(1) else {
        return true;
    };
    let last = offset.saturating_add(last);
    if file.is_remote() || !is_there(offset) || !is_there(last) {
        return false;
    }
    match pages_cached(file, offset, len) {
        Some(is_all) => is_all,
        None => (offset..last).step_by(PAGE_MIN).all(is_there),
    }
}

/// The smallest page that there is.
const PAGE_MIN: usize = 4096;

/// Whether all pages of a range are in memory. None if the kernel does not say.
fn pages_cached(file: &OpenFile, offset: u64, len: usize) -> Option<bool> {
    /// The same on every machine: it came after the numbers were made one.
    const SYS_CACHESTAT: libc::c_long = 451;

    #[repr(C)]
    struct Range {
        offset: u64,
        len: u64,
    }

    #[repr(C)]
    #[derive(Default)]
    struct Counts {
        cached: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }

    let len = len as u64;
    let (range, mut counts) = (Range { offset, len }, Counts::default());
    // SAFETY: both are what the kernel takes, and live until it returns.
    let result = unsafe { libc::syscall(SYS_CACHESTAT, file.as_raw_fd(), &range, &mut counts, 0) };
    if result != 0 {
        return None;
    }
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = u64::try_from(page).ok()?;
    let size = ask(file.as_raw_fd(), libc::STATX_SIZE)?.stx_size;
    let end = offset.saturating_add(len).min(size);
    let pages = end.div_ceil(page).saturating_sub(offset / page);
    Some(counts.cached >= pages)
}

/// Moves the cursor `count` bytes on, which a transfer by a ring has moved, if it still is where it was
/// before.
pub(crate) fn catch_up(file: &File, before: u64, count: usize) {
    catch_up_to(file, before, SeekFrom::Current(count as i64));
}

/// As [`catch_up`], of a write: if the file is open for appending, the end is where that leaves it.
pub(crate) fn catch_up_written(file: &File, before: u64, count: usize) {
    if count > 0 && appends(file) {
        catch_up_to(file, before, SeekFrom::End(0));
    } else {
        catch_up(file, before, count);
    }
}

/// Whether `file` is open for appending.
pub(crate) fn appends(file: &File) -> bool {
    // SAFETY: asks for the flags of an open descriptor.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    flags & libc::O_APPEND != 0
}

fn catch_up_to(mut file: &File, before: u64, to: SeekFrom) {
    if file.stream_position().is_ok_and(|now| now == before) {
        // A file that could tell its position can change it.
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
    let what = Place::of(&place);
    drop(place);
    if what.shape != Shape::Regular {
        *is_special = true;
        return Speculated::NotNow;
    }
    if what.keeper != Keeper::Local {
        return Speculated::NotNow;
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

/// The metadata of a path whose name is cached: through a descriptor that refers to the place only.
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

/// The metadata of an open file.
pub fn file_metadata(file: &File) -> Speculated<io::Result<Metadata>> {
    match Place::of(file).keeper {
        Keeper::Local => Speculated::Done(file.metadata()),
        Keeper::Layered | Keeper::Remote => Speculated::NotNow,
    }
}

/// How long a regular file is. None of anything else.
pub fn file_len(file: &OpenFile) -> Speculated<Option<u64>> {
    let Some(answer) = ask(file.as_raw_fd(), libc::STATX_TYPE | libc::STATX_SIZE) else {
        return Speculated::NotNow;
    };
    let place = place_in(&answer);
    file.note_place(place);
    if place.keeper != Keeper::Local {
        return Speculated::NotNow;
    }
    let is_regular = u32::from(answer.stx_mode) & libc::S_IFMT == libc::S_IFREG;
    Speculated::Done(is_regular.then_some(answer.stx_size))
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_cold_middle_is_seen() {
        const LEN: usize = 1 << 20;
        // Not in /tmp, which may be memory: beside the program, which is on a disk most likely.
        let dir = tempfile::tempdir_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![1; LEN]).unwrap();
        let file = OpenFile::new(File::open(&path).unwrap());
        if file.place().keeper != Keeper::Local {
            println!("skipped: no file system on a device at {}", path.display());
            return;
        }
        file.sync_all().unwrap();
        assert!(is_cached(&file, 0, LEN), "it was just written");
        assert!(is_cached(&file, 0, 2 * LEN), "its end counts");
        let (from, len) = (LEN as i64 / 4, LEN as i64 / 2);
        // SAFETY: advice about an open descriptor. The size of what it is about fits.
        let advised = unsafe {
            libc::posix_fadvise(
                file.as_raw_fd(),
                from as libc::off_t,
                len as libc::off_t,
                libc::POSIX_FADV_DONTNEED,
            )
        };
        assert_eq!(advised, 0);
        assert!(is_cached(&file, 0, 4096) && is_cached(&file, LEN as u64 - 4096, 4096));
        let mut middle = 0_u8;
        // SAFETY: the one byte is valid for writes.
        let look = unsafe { read(&file, &mut middle, 1, At::Offset(LEN as u64 / 2)) };
        if !matches!(look, Speculated::NotNow) {
            println!("skipped: the file system keeps what it is told to forget");
            return;
        }
        assert!(!is_cached(&file, 0, LEN), "the middle is cold");
    }
}
