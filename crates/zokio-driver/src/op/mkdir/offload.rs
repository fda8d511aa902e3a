//! `mkdir(2)` on a thread that may block.

use super::Mkdir;
use crate::op::OnOffload;
use std::fs::DirBuilder;

impl OnOffload for Mkdir {
    fn run(self) -> Self::Output {
        let mut builder = DirBuilder::new();
        set_mode(&mut builder, self.mode);
        builder.create(self.path.path())
    }
}

#[cfg(unix)]
fn set_mode(builder: &mut DirBuilder, mode: u32) {
    use std::os::unix::fs::DirBuilderExt;
    builder.mode(mode);
}

#[cfg(not(unix))]
fn set_mode(_builder: &mut DirBuilder, _mode: u32) {}
