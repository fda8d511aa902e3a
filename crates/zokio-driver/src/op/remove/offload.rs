//! `unlink(2)` or `rmdir(2)` on a thread that may block.

use super::Remove;
use crate::op::OnOffload;

impl<const DIRECTORY: bool> OnOffload for Remove<DIRECTORY> {
    fn run(self) -> Self::Output {
        if DIRECTORY {
            std::fs::remove_dir(self.path.path())
        } else {
            std::fs::remove_file(self.path.path())
        }
    }
}
