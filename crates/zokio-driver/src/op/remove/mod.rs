//! Remove a name, or an empty directory.
//!
//! Orphan: nothing to give back. The removal runs to its end.

mod offload;
mod uring;

use super::{Kind, OpPath, Operation};
use std::io;

/// Removes a name, or an empty directory if `DIRECTORY`.
#[derive(Debug)]
pub struct Remove<const DIRECTORY: bool> {
    path: OpPath,
}

/// Removes a name that is not a directory's.
pub type Unlink = Remove<false>;

/// Removes an empty directory.
pub type Rmdir = Remove<true>;

impl<const DIRECTORY: bool> Remove<DIRECTORY> {
    /// Removes `path`.
    pub fn new(path: OpPath) -> Self {
        Self { path }
    }
}

impl<const DIRECTORY: bool> Operation for Remove<DIRECTORY> {
    type Output = io::Result<()>;
    const KIND: Kind = if DIRECTORY { Kind::Rmdir } else { Kind::Unlink };

    fn fail(error: io::Error) -> Self::Output {
        Err(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }
}
