//! `write(2)` or `pwrite(2)` on a thread that may block.

use super::{Sent, Write};
use crate::bell::Bell;
use crate::buf::IoBuf;
use crate::op::{At, OnOffload, not_run, sys};
use std::io;

impl<B: IoBuf> Write<B> {
    /// Writes until `write` has said that all is done, or fails.
    fn run_with(mut self, mut write: impl FnMut(&Self) -> io::Result<usize>) -> Sent<B> {
        loop {
            let count = match write(&self) {
                Ok(count) => count,
                Err(error) => return self.returned(Err(error)),
            };
            match self.went_on(count) {
                Ok(sent) => return sent,
                Err(rest) => self = rest,
            }
        }
    }
}

impl<B: IoBuf> OnOffload for Write<B> {
    fn run(self) -> Self::Output {
        let waits = self.at == At::Cursor && self.file.is_unbounded();
        self.run_with(|write| {
            if waits {
                sys::write_stream(&write.file, write.source())
            } else {
                sys::write(&write.file, write.source(), write.at)
            }
        })
    }

    fn can_be_ended(&self) -> bool {
        self.at == At::Cursor && self.so_far.is_none() && self.file.is_unbounded()
    }

    fn run_until(self, bell: &Bell) -> Sent<B> {
        self.run_with(|write| {
            sys::write_until(&write.file, write.source(), bell).unwrap_or_else(|| Err(not_run()))
        })
    }
}
