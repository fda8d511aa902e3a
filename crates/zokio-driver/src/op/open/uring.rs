//! `IORING_OP_OPENAT`.
//!
//! It always runs on one of the kernel's threads (`IOSQE_ASYNC`): tried inline the kernel opens
//! without waiting, which for a pipe means without its other end, unlike the call it stands for.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Open;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};
use std::fs::File;
use std::os::fd::FromRawFd;

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl OnRing for Open {
    fn entry(&mut self) -> squeue::Entry {
        let flags = self.how.flags().unwrap_or(libc::O_RDONLY | libc::O_CLOEXEC);
        opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), self.path.as_ptr())
            .flags(flags)
            .mode(self.how.mode)
            .build()
            .flags(squeue::Flags::ASYNC)
    }

    fn finish(self, result: i32) -> Finish<Self> {
        match result {
            // SAFETY: the kernel opened this descriptor for this operation, and its one completion
            // is what brings it here.
            0.. => Finish::Done(Ok(unsafe { File::from_raw_fd(result) })),
            _ => Finish::of_error(self, result, |_, error| Err(error)),
        }
    }
}
