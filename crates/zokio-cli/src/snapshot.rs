//! Files as they were, put back unless the change is kept.
//!
//! Cargo writes the lock file as a side effect of nearly every command, and there is no command that resolves a changed
//! manifest without writing. So a try is made on the real files, and this guard undoes it, also when the try fails.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The former contents of some files; dropping it writes them back.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// `None` for a file that did not exist.
    files: Vec<(PathBuf, Option<Vec<u8>>)>,
}

impl Snapshot {
    /// Reads `files`, which need not exist.
    ///
    /// # Errors
    ///
    /// If a file exists and cannot be read.
    pub(crate) fn take(files: impl IntoIterator<Item = PathBuf>) -> Result<Self> {
        let files = files.into_iter().map(|path| match fs::read(&path) {
            Ok(bytes) => Ok((path, Some(bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok((path, None)),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        });
        Ok(Self {
            files: files.collect::<Result<_>>()?,
        })
    }

    /// Lets the files be as they are now.
    pub(crate) fn keep(mut self) {
        self.files.clear();
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        for (path, before) in &self.files {
            let now = fs::read(path).ok();
            if now == *before {
                continue;
            }
            let undone = match before {
                Some(bytes) => fs::write(path, bytes),
                None => fs::remove_file(path),
            };
            if let Err(error) = undone {
                eprintln!(
                    "error: cannot put {} back as it was: {error}",
                    path.display()
                );
            }
        }
    }
}
