//! The times of a file.

use std::time::SystemTime;

/// Times to be set by [`File::set_times`](super::File::set_times). What is not set stays.
///
/// # Examples
/// ```no_run
/// use std::time::SystemTime;
/// use zokio::fs::{File, FileTimes};
///
/// # async fn example() -> std::io::Result<()> {
/// let file = File::create("file").await?;
/// file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct FileTimes(pub(super) std::fs::FileTimes);

impl FileTimes {
    /// Sets nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// When the file was last read.
    pub fn set_accessed(self, time: SystemTime) -> Self {
        Self(self.0.set_accessed(time))
    }

    /// When the file was last changed.
    pub fn set_modified(self, time: SystemTime) -> Self {
        Self(self.0.set_modified(time))
    }
}
