//! Close a file, with the error that dropping it would swallow.
//!
//! Orphan: nothing to give back. The close runs to its end, so no descriptor is left.

mod offload;
mod uring;

use super::{Kind, Operation};
use std::fs::File;
use std::io;

/// Closes a file.
#[derive(Debug)]
pub struct Close {
    file: File,
}

impl Close {
    /// Closes `file`.
    pub fn new(file: File) -> Self {
        Self { file }
    }
}

impl Operation for Close {
    type Output = io::Result<()>;
    const KIND: Kind = Kind::Close;

    fn fail(error: io::Error) -> Self::Output {
        Err(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }
}
