//! `IORING_OP_READ`.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Read;
use crate::buf::IoBufMut;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};
use std::os::fd::AsRawFd;

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl<B: IoBufMut> OnRing for Read<B> {
    fn entry(&mut self) -> squeue::Entry {
        let len = u32::try_from(self.len).unwrap_or(crate::uring::COUNT_MAX);
        let (fd, to) = (types::Fd(self.file.as_raw_fd()), self.target());
        opcode::Read::new(fd, to, len.min(crate::uring::COUNT_MAX))
            .offset(self.at.to_raw())
            .build()
            .flags(self.at.flags(self.len))
    }

    fn finish(self, result: i32) -> Finish<Self> {
        match usize::try_from(result) {
            Ok(count) => Finish::Done(self.filled(count)),
            Err(_) => Finish::of_error(self, result, Self::failed),
        }
    }
}
