//! Copying a file.
//!
//! One job of the blocking pool does it, in parts, and looks before each part whether it is still
//! wanted: a future that is dropped stops the copy soon, however large the file is.

use super::run;
use std::io;
use std::path::Path;
use zokio_base::sync::Arc;
use zokio_base::sync::std_atomic::{AtomicBool, Ordering};

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod imp;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "portable.rs"]
mod imp;

/// Whether the copy is still wanted. Dropping it says no.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        // ORDERING: Relaxed: seen late it costs another part.
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Copies the file `from`, its permissions included, to `to`, in place of what is there. Returns how
/// many bytes there were.
///
/// # Errors
/// Those of [`std::fs::copy`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped, it stops: before it began, nothing has happened; later, `to` may be there with a part of
/// the bytes.
///
/// # Platforms
/// On Linux the bytes do not pass through the process where both files are on file systems that can
/// do without, and a copy that is no longer wanted ends after 16 MiB more. Elsewhere one call of the
/// system does all of it, which is not interrupted once it has begun.
///
/// # Examples
/// ```
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let dir = std::env::temp_dir().join(format!("copy-{}", std::process::id()));
/// # zokio::fs::create_dir_all(&dir).await?;
/// # let (from, to) = (dir.join("from"), dir.join("to"));
/// zokio::fs::write(&from, "some text").await?;
/// assert_eq!(zokio::fs::copy(&from, &to).await?, 9);
/// assert_eq!(zokio::fs::read(&to).await?, b"some text");
/// # zokio::fs::remove_dir_all(&dir).await
/// # }
/// ```
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<u64, io::Error> {
    let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    let wanted = Wanted(Arc::new(AtomicBool::new(true)));
    let is_wanted = wanted.0.clone();
    run::offload(move || {
        // ORDERING: Relaxed, as where it is set.
        imp::copy(&from, &to, &mut || is_wanted.load(Ordering::Relaxed))
    })
    .await
}

/// The error of a copy that nobody waits for any more.
fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "the copy is no longer wanted")
}
