//! Bring a file's data, and its metadata if asked for, to the disk.
//!
//! Orphan: nothing is brought, nothing is given back. The sync runs to its end.

mod offload;
mod uring;

use super::{Kind, OpenFile, Operation};
use std::io;
use std::sync::Arc;

/// Brings data to the disk; also the metadata unless `DATA_ONLY`.
#[derive(Debug)]
pub struct SyncFile<const DATA_ONLY: bool> {
    file: Arc<OpenFile>,
}

/// Data and metadata.
pub type Fsync = SyncFile<false>;

/// Data, and what metadata is needed to read it.
pub type Fdatasync = SyncFile<true>;

impl<const DATA_ONLY: bool> SyncFile<DATA_ONLY> {
    /// Syncs `file`.
    pub fn new(file: Arc<OpenFile>) -> Self {
        Self { file }
    }
}

impl<const DATA_ONLY: bool> Operation for SyncFile<DATA_ONLY> {
    type Output = io::Result<()>;
    const KIND: Kind = if DATA_ONLY {
        Kind::Fdatasync
    } else {
        Kind::Fsync
    };

    fn fail(error: io::Error) -> Self::Output {
        Err(error)
    }

    fn orphan(output: Self::Output) {
        drop(output);
    }
}
