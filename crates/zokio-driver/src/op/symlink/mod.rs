//! Make a symbolic link.
//!
//! Orphan: nothing to give back. The link is made.

mod offload;
mod uring;

use super::{Kind, OpPath, Operation};
use std::io;

/// Makes a symbolic link.
#[derive(Debug)]
pub struct Symlink {
    original: OpPath,
    link: OpPath,
}

impl Symlink {
    /// Makes `link` point at `original`.
    pub fn new(original: OpPath, link: OpPath) -> Self {
        Self { original, link }
    }
}

impl Operation for Symlink {
    type Output = io::Result<()>;
    const KIND: Kind = Kind::Symlink;

    fn fail(error: io::Error) -> Self::Output {
        Err(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }

    fn prefers_offload(&self) -> bool {
        !(self.original.is_lookable() && self.link.is_lookable())
    }
}
