//! `IORING_OP_MKDIRAT`.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Mkdir;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl OnRing for Mkdir {
    fn entry(&mut self) -> squeue::Entry {
        opcode::MkDirAt::new(types::Fd(libc::AT_FDCWD), self.path.as_ptr())
            .mode(self.mode)
            .build()
    }

    fn finish(self, result: i32) -> Finish<Self> {
        Finish::of_unit(self, result)
    }
}
