//! Copying part by part, inside the kernel where it can.
//!
//! `copy_file_range` moves the bytes without bringing them here, or shares them where the file
//! system can. It cannot do everything: not from one kind of file system to another, not to a pipe,
//! not from files whose contents are made when they are read. There the bytes are read and written.
//! Both go on at the files' cursors, so that one can take over from the other in the middle.

use super::stopped;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zokio_driver::op::copy_range;

/// How much the kernel is asked to copy at once.
const RANGE: usize = 16 * 1024 * 1024;
/// How much is read and written at once.
const PART: usize = 256 * 1024;

/// Copies until the end, or until it is not wanted any more.
pub(super) fn copy(from: &Path, to: &Path, is_wanted: &mut dyn FnMut() -> bool) -> io::Result<u64> {
    if !is_wanted() {
        return Err(stopped());
    }
    let (source, target) = open(from, to)?;
    let mut copied = 0;
    loop {
        if !is_wanted() {
            return Err(stopped());
        }
        match copy_range(&source, &target, RANGE) {
            // A file that claims to be empty may not be.
            Ok(0) if copied == 0 => break,
            Ok(0) => return Ok(copied),
            Ok(count) => copied += count as u64,
            Err(error) if is_for_reading(&error) => break,
            Err(error) => return Err(error),
        }
    }
    let mut part = vec![0; PART];
    loop {
        if !is_wanted() {
            return Err(stopped());
        }
        let count = match (&source).read(&mut part) {
            Ok(0) => return Ok(copied),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        (&target).write_all(&part[..count])?;
        copied += count as u64;
    }
}

/// Opens both, the target with the permissions of the source.
fn open(from: &Path, to: &Path) -> io::Result<(File, File)> {
    let source = File::open(from)?;
    let metadata = source.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the source path is neither a regular file nor a symlink to a regular file",
        ));
    }
    let permissions = metadata.permissions();
    let target = OpenOptions::new()
        // From the first moment: nobody is to read what only the source's owner may.
        .mode(permissions.mode())
        .write(true)
        .create(true)
        .truncate(true)
        .open(to)?;
    // Again, for one that was there, and without the process's mask. Pipes and devices keep theirs.
    if target.metadata()?.is_file() {
        target.set_permissions(permissions)?;
    }
    Ok((source, target))
}

/// Whether the kernel cannot copy between these two, so that reading and writing has the last word.
fn is_for_reading(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ENOSYS
                | libc::EXDEV
                | libc::EINVAL
                | libc::EOPNOTSUPP
                | libc::EPERM
                | libc::EBADF
                | libc::EOVERFLOW
                | libc::ETXTBSY
        )
    )
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    /// After each part it is asked again, whichever way the bytes go.
    #[test]
    fn it_stops_between_parts() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let len = 4 * RANGE as u64;
        File::create(&from).unwrap().set_len(len).unwrap();
        let mut asked = 0;
        // Before it opens, before the first part, before the second: then no more.
        let result = copy(&from, &to, &mut || {
            asked += 1;
            asked < 4
        });
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::Interrupted);
        let copied = File::open(&to).unwrap().metadata().unwrap().len();
        assert!(copied > 0 && copied <= 2 * RANGE as u64, "{copied}");
        assert!(matches!(copy(&from, &to, &mut || true), Ok(all) if all == len));
        assert_eq!(File::open(&to).unwrap().metadata().unwrap().len(), len);
    }

    #[test]
    fn unwanted_from_the_start_it_does_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, b"x").unwrap();
        assert!(copy(&from, &to, &mut || false).is_err());
        assert!(!to.exists());
    }
}
