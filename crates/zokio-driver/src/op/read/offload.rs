//! `read(2)` or `pread(2)` on a thread that may block.
#![allow(unsafe_code)]

use super::Read;
use crate::buf::IoBufMut;
use crate::op::{OnOffload, sys};

impl<B: IoBufMut> OnOffload for Read<B> {
    fn run(mut self) -> Self::Output {
        let (to, len) = (self.target(), self.len);
        // SAFETY: `new` kept the range within the buffer, which is ours.
        match unsafe { sys::read(&self.file, to, len, self.at) } {
            Ok(count) => self.filled(count),
            Err(error) => self.failed(error),
        }
    }
}
