//! `symlink(2)` on a thread that may block.

use super::Symlink;
use crate::op::OnOffload;
use std::io;
use std::path::Path;

impl OnOffload for Symlink {
    fn run(self) -> Self::Output {
        symlink(self.original.path(), self.link.path())
    }
}

#[cfg(unix)]
fn symlink(original: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

#[cfg(windows)]
fn symlink(original: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(original, link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_original: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
