//! `link(2)` on a thread that may block.

use super::Link;
use crate::op::OnOffload;

impl OnOffload for Link {
    fn run(self) -> Self::Output {
        std::fs::hard_link(self.original.path(), self.link.path())
    }
}
