//! `IORING_OP_FSYNC`.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::SyncFile;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};
use std::os::fd::AsRawFd;

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl<const DATA_ONLY: bool> OnRing for SyncFile<DATA_ONLY> {
    fn entry(&mut self) -> squeue::Entry {
        let flags = if DATA_ONLY {
            types::FsyncFlags::DATASYNC
        } else {
            types::FsyncFlags::empty()
        };
        opcode::Fsync::new(types::Fd(self.file.as_raw_fd()))
            .flags(flags)
            .build()
    }

    fn finish(self, result: i32) -> Finish<Self> {
        Finish::of_unit(self, result)
    }
}
