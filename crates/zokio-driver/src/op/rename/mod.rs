//! Give a path another name, in place of whatever has that name.
//!
//! Orphan: nothing to give back. The renaming runs to its end.

mod offload;
mod uring;

use super::{Kind, OpPath, Operation};
use std::io;

/// Renames.
#[derive(Debug)]
pub struct Rename {
    from: OpPath,
    to: OpPath,
}

impl Rename {
    /// Renames `from` to `to`.
    pub fn new(from: OpPath, to: OpPath) -> Self {
        Self { from, to }
    }
}

impl Operation for Rename {
    type Output = io::Result<()>;
    const KIND: Kind = Kind::Rename;

    fn fail(error: io::Error) -> Self::Output {
        Err(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }

    fn prefers_offload(&self) -> bool {
        !(self.from.is_lookable() && self.to.is_lookable())
    }
}
