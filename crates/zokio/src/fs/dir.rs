//! Directories: made and removed.

use super::run;
use std::io;
use std::path::Path;
use zokio_driver::op::{Mkdir, OpPath, Rmdir};

/// Permissions of a directory that is made, before the process's mask takes its part.
const MODE: u32 = 0o777;

/// Makes the directory `path`. Its parent has to exist.
///
/// # Errors
/// Those of [`std::fs::create_dir`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    run::begin(Mkdir::new(OpPath::new(path.as_ref())?, MODE)).await
}

/// Makes the directory `path` and whatever is missing above it. One that exists is fine.
///
/// # Errors
/// Those of [`std::fs::create_dir_all`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    run::offload(move || std::fs::create_dir_all(path)).await
}

/// Removes the empty directory `path`.
///
/// # Errors
/// Those of [`std::fs::remove_dir`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    run::begin(Rmdir::new(OpPath::new(path.as_ref())?)).await
}

/// Removes the directory `path` with all that is in it. Symbolic links are removed, not followed.
///
/// # Errors
/// Those of [`std::fs::remove_dir_all`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    run::offload(move || std::fs::remove_dir_all(path)).await
}

/// Makes directories in various ways.
///
/// # Examples
/// ```no_run
/// use zokio::fs::DirBuilder;
///
/// # async fn example() -> std::io::Result<()> {
/// DirBuilder::new().recursive(true).create("a/b/c").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct DirBuilder {
    recursive: bool,
    #[cfg(unix)]
    mode: Option<u32>,
}

impl DirBuilder {
    /// As [`create_dir`] makes them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether what is missing above the directory is made too, and whether one that exists is fine.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// Permissions of what is made, less the process's mask. 0o777 unless set.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    fn to_std(&self) -> std::fs::DirBuilder {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(self.recursive);
        #[cfg(unix)]
        if let Some(mode) = self.mode {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(mode);
        }
        builder
    }

    /// Makes the directory `path`.
    ///
    /// # Errors
    /// Those of [`std::fs::DirBuilder::create`].
    ///
    /// # Panics
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    /// Dropped once begun, it is carried out all the same.
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref().to_owned();
        let builder = self.to_std();
        run::offload(move || builder.create(path)).await
    }
}
