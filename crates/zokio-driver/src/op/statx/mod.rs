//! Asking for the metadata of a path.
//!
//! Orphan: nothing to give back.

mod offload;
mod uring;

use super::{Kind, OpPath, Operation};
use std::io;

/// Asks for the metadata of a path.
#[derive(Debug)]
pub struct Statx {
    path: OpPath,
    follow: bool,
    /// Where the kernel writes its answer: on the heap, so that it stays while this is moved.
    #[cfg_attr(not(zokio_ring), allow(dead_code))] // Only a ring writes it.
    answer: uring::Answer,
}

/// The kind of file that a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Something else: a pipe, a socket, a device.
    Other,
}

/// The metadata of a path, the same wherever they were found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Its kind.
    pub kind: FileKind,
    /// How many bytes.
    pub len: u64,
    /// Permission bits, on Unix; 0 elsewhere.
    pub permissions: u32,
    /// Number of the file, on Unix; 0 elsewhere.
    pub inode: u64,
    /// Number of its names, on Unix; 0 elsewhere.
    pub links: u64,
    /// Its owner, on Unix; 0 elsewhere.
    pub uid: u32,
    /// Its group, on Unix; 0 elsewhere.
    pub gid: u32,
    /// When it was last changed: seconds since the epoch and nanoseconds, on Unix; 0 elsewhere.
    pub modified: (i64, u32),
}

impl Statx {
    /// Asks about `path`; about what it points at if `follow` and it is a symbolic link.
    pub fn new(path: OpPath, follow: bool) -> Self {
        Self {
            path,
            follow,
            answer: uring::Answer::default(),
        }
    }
}

impl Operation for Statx {
    type Output = io::Result<Stat>;
    const KIND: Kind = Kind::Statx;

    fn fail(error: io::Error) -> Self::Output {
        Err(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }

    fn may_be_left_out(&self) -> bool {
        true
    }
}
