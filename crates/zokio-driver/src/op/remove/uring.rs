//! `IORING_OP_UNLINKAT`.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Remove;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl<const DIRECTORY: bool> OnRing for Remove<DIRECTORY> {
    fn entry(&mut self) -> squeue::Entry {
        let flags = if DIRECTORY { libc::AT_REMOVEDIR } else { 0 };
        opcode::UnlinkAt::new(types::Fd(libc::AT_FDCWD), self.path.as_ptr())
            .flags(flags)
            .build()
    }

    fn finish(self, result: i32) -> Finish<Self> {
        Finish::of_unit(self, result)
    }
}
