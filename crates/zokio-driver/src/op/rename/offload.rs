//! `rename(2)` on a thread that may block.

use super::Rename;
use crate::op::OnOffload;

impl OnOffload for Rename {
    fn run(self) -> Self::Output {
        std::fs::rename(self.from.path(), self.to.path())
    }
}
