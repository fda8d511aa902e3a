//! The entries of a directory.
//!
//! The system is asked on the blocking pool, for a batch of entries at a time.

use super::run;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{FileType, Metadata};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_task::JoinHandle;

/// How many entries one journey to the pool brings.
const BATCH: usize = 32;

/// Begins to read the directory `path`.
///
/// # Errors
/// Those of [`std::fs::read_dir`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Examples
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let mut entries = zokio::fs::read_dir(".").await?;
/// while let Some(entry) = entries.next_entry().await? {
///     println!("{}", entry.path().display());
/// }
/// # Ok(())
/// # }
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    run::offload(|| {
        std::fs::read_dir(path).map(|directory| ReadDir(State::Idle(Batch::of(directory))))
    })
    .await
}

/// The entries of a directory, in no particular order.
#[derive(Debug)]
#[must_use = "entries are read when asked for"]
pub struct ReadDir(State);

#[derive(Debug)]
enum State {
    Idle(Batch),
    Filling(JoinHandle<Batch>),
    /// A batch was lost with its thread.
    Lost,
}

#[derive(Debug)]
struct Batch {
    entries: VecDeque<io::Result<DirEntry>>,
    /// None at the end.
    directory: Option<std::fs::ReadDir>,
}

impl Batch {
    fn of(directory: std::fs::ReadDir) -> Self {
        let mut batch = Self {
            entries: VecDeque::with_capacity(BATCH),
            directory: Some(directory),
        };
        batch.fill();
        batch
    }

    fn fill(&mut self) {
        let Some(directory) = &mut self.directory else {
            return;
        };
        while self.entries.len() < BATCH {
            match directory.next() {
                Some(entry) => self.entries.push_back(entry.map(DirEntry::new)),
                None => {
                    self.directory = None;
                    return;
                }
            }
        }
    }
}

impl ReadDir {
    /// The next entry, or None at the end.
    ///
    /// # Errors
    /// Those of the iterator of [`std::fs::read_dir`].
    ///
    /// # Panics
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    /// Dropping the future loses no entry.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        std::future::poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// As [`next_entry`](Self::next_entry), to be polled. The waker of the last call is woken.
    ///
    /// # Errors
    /// As [`next_entry`](Self::next_entry).
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        loop {
            match &mut self.0 {
                State::Lost => return Poll::Ready(Err(run::not_run())),
                State::Idle(batch) => {
                    if let Some(entry) = batch.entries.pop_front() {
                        return Poll::Ready(entry.map(Some));
                    }
                    if batch.directory.is_none() {
                        return Poll::Ready(Ok(None));
                    }
                    let State::Idle(mut batch) = std::mem::replace(&mut self.0, State::Lost) else {
                        unreachable!("matched above")
                    };
                    self.0 = State::Filling(zokio_runtime::spawn_own(move || {
                        batch.fill();
                        batch
                    }));
                }
                State::Filling(batch) => {
                    self.0 = match ready!(Pin::new(batch).poll(cx)) {
                        Ok(batch) => State::Idle(batch),
                        Err(_) => State::Lost,
                    };
                }
            }
        }
    }
}

/// An entry of a directory.
#[derive(Debug)]
pub struct DirEntry {
    /// Known without asking again, where the system tells.
    file_type: Option<FileType>,
    std: Arc<std::fs::DirEntry>,
}

impl DirEntry {
    fn new(std: std::fs::DirEntry) -> Self {
        // On Unix this asks the system only where the directory does not say.
        let file_type = std.file_type().ok();
        Self {
            file_type,
            std: Arc::new(std),
        }
    }

    /// The directory's path, as it was given to [`read_dir`], with the entry's name.
    pub fn path(&self) -> PathBuf {
        self.std.path()
    }

    /// The entry's name.
    pub fn file_name(&self) -> OsString {
        self.std.file_name()
    }

    /// The metadata of the entry. Symbolic links are not followed.
    ///
    /// # Errors
    /// Those of [`std::fs::DirEntry::metadata`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let std = self.std.clone();
        run::offload(move || std.metadata()).await
    }

    /// The kind of file that the entry is. Symbolic links are not followed.
    ///
    /// # Errors
    /// Those of [`std::fs::DirEntry::file_type`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let std = self.std.clone();
        run::offload(move || std.file_type()).await
    }

    /// The entry's number on its file system.
    #[cfg(unix)]
    pub fn ino(&self) -> u64 {
        use std::os::unix::fs::DirEntryExt;
        self.std.ino()
    }
}
