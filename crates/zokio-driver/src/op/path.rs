//! A path that belongs to an operation, in the form that the system takes.
//!
//! On Unix that is bytes with a terminator, on the heap, where the kernel may read them for as long
//! as the operation lives. A path with a zero byte inside is refused when it is taken, with the
//! error that the standard library gives.
#![cfg_attr(not(zokio_ring), allow(dead_code))] // Only rings ask for all of it.

use std::ffi::CString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A path for an operation.
#[derive(Clone)]
pub struct OpPath {
    bytes: CString,
    path: PathBuf,
}

impl OpPath {
    /// Takes a copy of `path`.
    ///
    /// # Errors
    /// `InvalidInput` if the path has a zero byte inside.
    pub fn new(path: &Path) -> io::Result<Self> {
        let bytes = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "file name contained an unexpected NUL byte",
            )
        })?;
        Ok(Self {
            bytes,
            path: path.to_owned(),
        })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the system would look this up at all. The ring refuses both paths of an operation
    /// before it looks either up, unlike the call, so that which of two errors is reported differs.
    pub(crate) fn is_lookable(&self) -> bool {
        const PATH_MAX: usize = 4096;
        let len = self.bytes.as_bytes_with_nul().len();
        len > 1 && len <= PATH_MAX
    }

    /// Where the terminated bytes are. They stay there while the value is moved.
    #[cfg(zokio_ring)]
    pub(crate) fn as_ptr(&self) -> *const libc::c_char {
        self.bytes.as_ptr()
    }
}

impl fmt::Debug for OpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}
