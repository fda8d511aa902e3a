//! `write(2)` or `pwrite(2)` on a thread that may block.

use super::Write;
use crate::buf::IoBuf;
use crate::op::{OnOffload, sys};

impl<B: IoBuf> OnOffload for Write<B> {
    fn run(self) -> Self::Output {
        let result = sys::write(&self.file, self.source(), self.at);
        self.returned(result)
    }
}
