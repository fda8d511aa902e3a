//! Make a directory.
//!
//! Orphan: nothing to give back. The directory is made.

mod offload;
mod uring;

use super::{Kind, OpPath, Operation};
use std::io;

/// Makes a directory.
#[derive(Debug)]
pub struct Mkdir {
    path: OpPath,
    mode: u32,
}

impl Mkdir {
    /// Makes `path`, with these permissions on Unix, less the process's mask.
    pub fn new(path: OpPath, mode: u32) -> Self {
        Self { path, mode }
    }
}

impl Operation for Mkdir {
    type Output = io::Result<()>;
    const KIND: Kind = Kind::Mkdir;

    fn fail(error: io::Error) -> Self::Output {
        Err(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }
}
