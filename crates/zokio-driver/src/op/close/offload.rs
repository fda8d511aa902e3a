//! `close(2)` on a thread that may block.

use super::Close;
use crate::op::{OnOffload, sys};

impl OnOffload for Close {
    fn run(self) -> Self::Output {
        sys::close(self.file)
    }
}
