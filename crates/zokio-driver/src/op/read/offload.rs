//! `read(2)` or `pread(2)` on a thread that may block.
#![allow(unsafe_code)]

use super::Read;
use crate::bell::Bell;
use crate::buf::IoBufMut;
use crate::op::{At, Filled, OnOffload, not_run, sys};

impl<B: IoBufMut> OnOffload for Read<B> {
    fn run(mut self) -> Self::Output {
        let (to, len) = (self.target(), self.len);
        // SAFETY: `new` kept the range within the buffer, which is ours.
        match unsafe { sys::read(&self.file, to, len, self.at) } {
            Ok(count) => self.filled(count),
            Err(error) => self.failed(error),
        }
    }

    fn can_be_ended(&self) -> bool {
        self.at == At::Cursor && self.file.is_unbounded()
    }

    fn run_until(mut self, bell: &Bell) -> Filled<B> {
        let (to, len) = (self.target(), self.len);
        // SAFETY: as in `run`.
        match unsafe { sys::read_until(&self.file, to, len, bell) } {
            Some(Ok(count)) => self.filled(count),
            Some(Err(error)) => self.failed(error),
            None => self.failed(not_run()),
        }
    }
}
