//! Metadata of paths.

use super::run;
use std::fs::{Metadata, Permissions};
use std::io;
use std::path::Path;
use zokio_driver::op::{OpPath, Speculated, now};

/// The metadata of `path`, or of its target if it is a symbolic link.
///
/// # Errors
/// Those of [`std::fs::metadata`].
///
/// # Panics
/// Outside of a runtime.
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    of_path(path.as_ref(), true).await
}

/// The metadata of `path` itself, which may be a symbolic link.
///
/// # Errors
/// Those of [`std::fs::symlink_metadata`].
///
/// # Panics
/// Outside of a runtime.
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    of_path(path.as_ref(), false).await
}

async fn of_path(path: &Path, follow: bool) -> io::Result<Metadata> {
    let path = OpPath::new(path)?;
    run::enter().await?;
    if let Speculated::Done(result) = now::metadata(&path, follow) {
        return result;
    }
    run::offload(move || {
        if follow {
            std::fs::metadata(path.path())
        } else {
            std::fs::symlink_metadata(path.path())
        }
    })
    .await
}

/// Whether there is something at `path`. A symbolic link that points nowhere counts as nothing.
///
/// # Errors
/// If that cannot be told: a directory on the way may not be searched, say.
///
/// # Panics
/// Outside of a runtime.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    match metadata(path).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sets the permissions of `path`.
///
/// # Errors
/// Those of [`std::fs::set_permissions`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn set_permissions(path: impl AsRef<Path>, perm: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    run::offload(move || std::fs::set_permissions(path, perm)).await
}
