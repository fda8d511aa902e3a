//! Open or create a file.
//!
//! Orphan: the descriptor that arrives is closed.

mod how;
mod offload;
mod uring;

pub use how::OpenHow;

use super::sys::{Place, Speculated, now};
use super::{Kind, OpPath, OpenFile, Operation};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Opens or creates a file.
#[derive(Debug)]
pub struct Open {
    path: OpPath,
    how: OpenHow,
    /// Opening it may wait without bound: it is a pipe, or a device.
    is_special: bool,
}

impl Open {
    /// Opens `path` as `how` says.
    pub fn new(path: OpPath, how: OpenHow) -> Self {
        Self {
            path,
            how,
            is_special: false,
        }
    }

    /// Opens it here and now, if that needs no waiting.
    pub fn try_now(&mut self) -> Option<io::Result<Arc<OpenFile>>> {
        match now::open(&self.path, &self.how, &mut self.is_special) {
            Speculated::Done(result) => Some(result.map(|file| {
                let file = OpenFile::new(file);
                // Nothing else is opened at once.
                file.note_place(Place::PLAIN);
                file
            })),
            Speculated::NotNow | Speculated::Never => None,
        }
    }
}

impl Operation for Open {
    type Output = io::Result<File>;
    const KIND: Kind = Kind::Open;

    fn fail(error: io::Error) -> Self::Output {
        Err(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }

    fn may_be_left_out(&self) -> bool {
        !self.how.changes_the_disk()
    }

    fn is_unbounded(&self) -> bool {
        !self.how.changes_the_disk()
    }

    fn prefers_offload(&self) -> bool {
        // A pipe may wait for its other end for ever, which a thread of the kernel's few would do.
        self.is_special || !self.how.fits_the_ring()
    }
}
