//! `IORING_OP_RENAMEAT`.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Rename;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl OnRing for Rename {
    fn entry(&mut self) -> squeue::Entry {
        let here = types::Fd(libc::AT_FDCWD);
        opcode::RenameAt::new(here, self.from.as_ptr(), here, self.to.as_ptr()).build()
    }

    fn finish(self, result: i32) -> Finish<Self> {
        Finish::of_unit(self, result)
    }
}
