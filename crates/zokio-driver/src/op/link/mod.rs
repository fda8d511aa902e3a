//! Give a file a second name.
//!
//! Orphan: nothing to give back. The name is given.

mod offload;
mod uring;

use super::{Kind, OpPath, Operation};
use std::io;

/// Makes a hard link.
#[derive(Debug)]
pub struct Link {
    original: OpPath,
    link: OpPath,
}

impl Link {
    /// Makes `link` a second name of `original`.
    pub fn new(original: OpPath, link: OpPath) -> Self {
        Self { original, link }
    }
}

impl Operation for Link {
    type Output = io::Result<()>;
    const KIND: Kind = Kind::Link;

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
