//! Names: given, changed, followed, removed.

use super::run;
use std::io;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use zokio_driver::op::Symlink;
use zokio_driver::op::{Link, OpPath, Rename, Unlink};

/// Gives `from` the name `to`, in place of whatever has that name.
///
/// # Errors
/// Those of [`std::fs::rename`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let rename = Rename::new(OpPath::new(from.as_ref())?, OpPath::new(to.as_ref())?);
    run::begin(rename).await
}

/// Removes a file's name. The file itself goes with its last name, once nobody has it open.
///
/// # Errors
/// Those of [`std::fs::remove_file`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    run::begin(Unlink::new(OpPath::new(path.as_ref())?)).await
}

/// Makes `link` another name of the file `original`.
///
/// # Errors
/// Those of [`std::fs::hard_link`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let link = Link::new(OpPath::new(original.as_ref())?, OpPath::new(link.as_ref())?);
    run::begin(link).await
}

/// Makes `link` a symbolic link that points at `original`, which need not exist.
///
/// # Errors
/// Those of [`std::os::unix::fs::symlink`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
#[cfg(unix)]
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let link = Symlink::new(OpPath::new(original.as_ref())?, OpPath::new(link.as_ref())?);
    run::begin(link).await
}

/// Makes `link` a symbolic link that points at the directory `original`.
///
/// # Errors
/// Those of [`std::os::windows::fs::symlink_dir`].
///
/// # Panics
/// Outside of a runtime.
#[cfg(windows)]
pub async fn symlink_dir(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    run::offload(move || std::os::windows::fs::symlink_dir(original, link)).await
}

/// Makes `link` a symbolic link that points at the file `original`.
///
/// # Errors
/// Those of [`std::os::windows::fs::symlink_file`].
///
/// # Panics
/// Outside of a runtime.
#[cfg(windows)]
pub async fn symlink_file(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    run::offload(move || std::os::windows::fs::symlink_file(original, link)).await
}

/// Where the symbolic link `path` points.
///
/// # Errors
/// Those of [`std::fs::read_link`].
///
/// # Panics
/// Outside of a runtime.
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref().to_owned();
    run::offload(move || std::fs::read_link(path)).await
}

/// The absolute form of `path` without symbolic links.
///
/// # Errors
/// Those of [`std::fs::canonicalize`].
///
/// # Panics
/// Outside of a runtime.
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref().to_owned();
    run::offload(move || std::fs::canonicalize(path)).await
}
