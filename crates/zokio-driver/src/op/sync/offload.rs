//! `fsync(2)` or `fdatasync(2)` on a thread that may block.

use super::SyncFile;
use crate::op::OnOffload;

impl<const DATA_ONLY: bool> OnOffload for SyncFile<DATA_ONLY> {
    fn run(self) -> Self::Output {
        if DATA_ONLY {
            self.file.sync_data()
        } else {
            self.file.sync_all()
        }
    }
}
