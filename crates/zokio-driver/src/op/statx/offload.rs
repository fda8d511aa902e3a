//! `stat(2)` on a thread that may block, through the standard library.

use super::{FileKind, Stat, Statx};
use crate::op::OnOffload;
use std::fs::Metadata;

impl OnOffload for Statx {
    fn run(self) -> Self::Output {
        let metadata = if self.follow {
            std::fs::metadata(self.path.path())
        } else {
            std::fs::symlink_metadata(self.path.path())
        };
        metadata.map(|metadata| Stat::from(&metadata))
    }
}

impl From<&Metadata> for Stat {
    fn from(metadata: &Metadata) -> Self {
        let kind = if metadata.is_file() {
            FileKind::File
        } else if metadata.is_dir() {
            FileKind::Directory
        } else if metadata.is_symlink() {
            FileKind::Symlink
        } else {
            FileKind::Other
        };
        let stat = Self {
            kind,
            len: metadata.len(),
            permissions: 0,
            inode: 0,
            links: 0,
            uid: 0,
            gid: 0,
            modified: (0, 0),
        };
        add_unix(stat, metadata)
    }
}

#[cfg(unix)]
fn add_unix(stat: Stat, metadata: &Metadata) -> Stat {
    use std::os::unix::fs::MetadataExt;
    Stat {
        permissions: metadata.mode() & 0o7777,
        inode: metadata.ino(),
        links: metadata.nlink(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        modified: (metadata.mtime(), metadata.mtime_nsec() as u32),
        ..stat
    }
}

#[cfg(not(unix))]
fn add_unix(stat: Stat, _metadata: &Metadata) -> Stat {
    stat
}
