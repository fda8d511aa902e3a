//! `open(2)` on a thread that may block, through the standard library.

use super::Open;
use crate::op::OnOffload;

impl OnOffload for Open {
    fn run(self) -> Self::Output {
        self.how.to_std().open(self.path.path())
    }
}
