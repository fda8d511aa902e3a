//! `write(2)` or `pwrite(2)` on a thread that may block.

use super::Write;
use crate::buf::IoBuf;
use crate::op::{OnOffload, sys};

impl<B: IoBuf> OnOffload for Write<B> {
    fn run(mut self) -> Self::Output {
        loop {
            let count = match sys::write(&self.file, self.source(), self.at) {
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
