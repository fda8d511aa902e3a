//! `IORING_OP_LINKAT`. A symbolic link as the original is not followed, as the standard library has it.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Link;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl OnRing for Link {
    fn entry(&mut self) -> squeue::Entry {
        let here = types::Fd(libc::AT_FDCWD);
        opcode::LinkAt::new(here, self.original.as_ptr(), here, self.link.as_ptr()).build()
    }

    fn finish(self, result: i32) -> Finish<Self> {
        Finish::of_unit(self, result)
    }
}
