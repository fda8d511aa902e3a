//! `IORING_OP_WRITE`.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Write;
use crate::buf::IoBuf;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};
use std::os::fd::AsRawFd;

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl<B: IoBuf> OnRing for Write<B> {
    fn entry(&mut self) -> squeue::Entry {
        let source = self.source();
        let len = u32::try_from(source.len()).unwrap_or(crate::uring::COUNT_MAX);
        let fd = types::Fd(self.file.as_raw_fd());
        opcode::Write::new(fd, source.as_ptr(), len.min(crate::uring::COUNT_MAX))
            .offset(self.at.to_raw())
            .build()
    }

    fn finish(self, result: i32) -> Finish<Self> {
        match usize::try_from(result) {
            Ok(count) => Finish::Done(self.returned(Ok(count))),
            Err(_) => Finish::of_error(self, result, |write, error| write.returned(Err(error))),
        }
    }
}
