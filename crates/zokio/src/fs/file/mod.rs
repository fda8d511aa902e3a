//! An open file.

mod engine;
mod positional;
mod traits;

use super::open_options::open;
use super::{FileTimes, OpenOptions, run};
use engine::Engine;
pub use positional::{ReadAt, ReadExactAt, WriteAllAt, WriteAt};
use std::fmt;
use std::fs::{File as StdFile, Metadata, Permissions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use zokio_driver::op::{Fdatasync, Fsync, OpenFile, OpenHow, Speculated, now};
use zokio_sync::Mutex;

/// How many bytes one read or write moves at most, unless set otherwise.
const MAX_BUF_SIZE: usize = 2 * 1024 * 1024;

/// An open file.
///
/// Reads and writes go through [`AsyncReadExt`](zokio_io::AsyncReadExt) and
/// [`AsyncWriteExt`](zokio_io::AsyncWriteExt), positions through
/// [`AsyncSeekExt`](zokio_io::AsyncSeekExt).
///
/// A write that would have to wait is copied and reported as written; it is carried out behind the
/// caller's back, all of it, also if the file is dropped meanwhile. Its error, if it has one, is the result
/// of the next call that promises something: a write, a flush, a shutdown, [`sync_all`](Self::sync_all),
/// [`sync_data`](Self::sync_data) or [`set_len`](Self::set_len). What was not written is kept, and each
/// such call after that tries it again first: none of them succeeds before it is written, and nothing is
/// written behind it. A read, a seek or a `set_len` after the error leaves it, and a file that is not open
/// for writing has none. So [`flush`](zokio_io::AsyncWriteExt::flush) before the
/// file is dropped: dropping it waits for nothing and reports nothing.
///
/// Dropped, a file is closed at once, or as soon as what is under way is over. Closing a file of a server,
/// or of a FUSE file system, may wait, so that a thread of the blocking pool does it.
///
/// # Examples
/// ```no_run
/// use zokio::fs::File;
/// use zokio_io::AsyncWriteExt;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut file = File::create("greeting.txt").await?;
/// file.write_all(b"hello").await?;
/// file.flush().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// A read that is dropped loses no byte: what it brings later is the beginning of the next read.
pub struct File {
    std: Arc<OpenFile>,
    engine: Mutex<Engine>,
    max_buf_size: usize,
}

impl File {
    /// Opens `path` for reading.
    ///
    /// # Errors
    /// Those of [`std::fs::File::open`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        open(path.as_ref(), OpenHow::reading()).await.map(File::own)
    }

    /// Opens `path` for writing; makes it if there is none, empties it if there is one.
    ///
    /// # Errors
    /// Those of [`std::fs::File::create`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        open(path.as_ref(), OpenHow::creating())
            .await
            .map(File::own)
    }

    /// Makes `path` and opens it for reading and writing. Fails if there is one.
    ///
    /// # Errors
    /// Those of [`std::fs::File::create_new`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        Self::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .await
    }

    /// As [`OpenOptions::new`].
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over a file of the standard library.
    pub fn from_std(std: StdFile) -> File {
        let std = OpenFile::new(std);
        run::adopt(&std);
        File::of(std, true)
    }

    /// A file that was opened here, so that nobody else has its position.
    pub(super) fn own(std: Arc<OpenFile>) -> File {
        File::of(std, false)
    }

    fn of(std: Arc<OpenFile>, is_foreign: bool) -> File {
        File {
            std,
            engine: Mutex::new(Engine::new(is_foreign)),
            max_buf_size: MAX_BUF_SIZE,
        }
    }

    /// Waits until what was written is under way no more. Its error is kept for whoever promises
    /// something next.
    async fn settled(&self) -> zokio_sync::MutexGuard<'_, Engine> {
        let mut engine = self.engine.lock().await;
        std::future::poll_fn(|cx| engine.poll_settled(&self.std, cx)).await;
        engine
    }

    /// As [`settled`](Self::settled), where success promises that all is written: see
    /// [`Engine::poll_promise`].
    async fn promised(&self) -> io::Result<zokio_sync::MutexGuard<'_, Engine>> {
        let mut engine = self.engine.lock().await;
        std::future::poll_fn(|cx| engine.poll_promise(&self.std, cx)).await?;
        Ok(engine)
    }

    /// The open file, once what was written is under way no more.
    pub(crate) async fn shared(&self) -> Arc<OpenFile> {
        let _settled = self.settled().await;
        self.std.clone()
    }

    /// Brings data and metadata to the disk.
    ///
    /// # Errors
    /// Those of [`std::fs::File::sync_all`]; that of an earlier write, if nobody was told of it yet.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn sync_all(&self) -> io::Result<()> {
        let _settled = self.promised().await?;
        run::begin(Fsync::new(self.std.clone())).await
    }

    /// Brings data to the disk, with no more metadata than is needed to read it.
    ///
    /// # Errors
    /// Those of [`std::fs::File::sync_data`]; that of an earlier write, if nobody was told of it yet.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn sync_data(&self) -> io::Result<()> {
        let _settled = self.promised().await?;
        run::begin(Fdatasync::new(self.std.clone())).await
    }

    /// Cuts the file off at `size`, or fills it up to there with zeros.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_len`]; that of an earlier write, if nobody was told of it yet.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        let mut engine = self.engine.lock().await;
        std::future::poll_fn(|cx| engine.poll_resize(&self.std, size, cx)).await?;
        std::future::poll_fn(|cx| engine.poll_resized(cx)).await
    }

    /// Asks for the file's metadata: its kind, length, permissions and times.
    ///
    /// # Errors
    /// Those of [`std::fs::File::metadata`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        run::enter().await?;
        if let Speculated::Done(result) = now::file_metadata(&self.std) {
            return result;
        }
        let std = self.std.clone();
        run::offload(move || std.metadata()).await
    }

    /// Another handle of the same open file: both have one position.
    ///
    /// It is behind the last byte that a read of this handle has given to somebody. What a read whose
    /// future was dropped has taken out of a pipe stays in this handle.
    ///
    /// # Errors
    /// Those of [`std::fs::File::try_clone`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn try_clone(&self) -> io::Result<File> {
        let mut engine = self.settled().await;
        std::future::poll_fn(|cx| engine.poll_given_back(&self.std, cx)).await?;
        engine.share_position();
        let std = self.std.clone();
        let std = run::offload(move || std.try_clone()).await?;
        drop(engine);
        let mut file = File::from_std(std);
        file.engine.get_mut().share_position();
        file.max_buf_size = self.max_buf_size;
        Ok(file)
    }

    /// The file of the standard library, once what is under way is over.
    ///
    /// Its position is behind the last byte that a read has given to somebody. What a read whose future was
    /// dropped has taken out of a pipe is lost.
    ///
    /// # Panics
    /// If an operation whose future was dropped still holds the file, and the process has no
    /// descriptors left for another handle of it.
    pub async fn into_std(mut self) -> StdFile {
        let engine = self.engine.get_mut();
        std::future::poll_fn(|cx| engine.poll_settled(&self.std, cx)).await;
        // Where the position cannot be moved back, the bytes are gone: there is nobody to tell.
        let _ = std::future::poll_fn(|cx| engine.poll_given_back(&self.std, cx)).await;
        // An operation gives its reference back before it says that it is over. Only one whose
        // future was dropped may still be under way.
        match Arc::try_unwrap(self.std) {
            Ok(std) => std.into_std(),
            Err(shared) => shared
                .try_clone()
                .expect("a descriptor for a file that a dropped operation still holds"),
        }
    }

    /// The file of the standard library, unless something is under way.
    ///
    /// # Errors
    /// The file itself, if something is.
    #[allow(clippy::result_large_err)] // The signature is given.
    pub fn try_into_std(mut self) -> Result<StdFile, Self> {
        match Arc::try_unwrap(self.std) {
            Ok(std) => Ok(std.into_std()),
            Err(shared) => {
                self.std = shared;
                Err(self)
            }
        }
    }

    /// Sets the file's permissions.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_permissions`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        let std = self.std.clone();
        run::offload(move || std.set_permissions(perm)).await
    }

    /// Sets the file's times, once what was written is under way no more.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_times`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        let _settled = self.settled().await;
        let std = self.std.clone();
        run::offload(move || std.set_times(times.0)).await
    }

    /// Sets when the file was last changed.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_modified`].
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time)).await
    }

    /// Sets how many bytes one read or write moves at most. 2 MiB unless set.
    ///
    /// # Panics
    /// If that is 0.
    #[track_caller]
    pub fn set_max_buf_size(&mut self, max_buf_size: usize) {
        assert!(
            max_buf_size > 0,
            "`max_buf_size` must be greater than 0, or nothing could be read or written"
        );
        self.max_buf_size = max_buf_size;
    }

    /// How many bytes one read or write moves at most.
    pub fn max_buf_size(&self) -> usize {
        self.max_buf_size
    }
}

impl From<StdFile> for File {
    fn from(std: StdFile) -> File {
        File::from_std(std)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name that published programs and tests compare with.
        f.debug_struct("tokio::fs::File")
            .field("std", &self.std)
            .finish()
    }
}

#[cfg(unix)]
mod unix {
    #![allow(unsafe_code)]

    use super::{File, StdFile};
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

    impl AsRawFd for File {
        fn as_raw_fd(&self) -> RawFd {
            self.std.as_raw_fd()
        }
    }

    impl AsFd for File {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.std.as_fd()
        }
    }

    impl From<OwnedFd> for File {
        fn from(fd: OwnedFd) -> File {
            File::from_std(StdFile::from(fd))
        }
    }

    impl FromRawFd for File {
        unsafe fn from_raw_fd(fd: RawFd) -> File {
            // SAFETY: the caller owns the descriptor, which is what this asks for.
            File::from_std(unsafe { StdFile::from_raw_fd(fd) })
        }
    }
}

#[cfg(windows)]
mod windows {
    #![allow(unsafe_code)]

    use super::{File, StdFile};
    use std::os::windows::io::{
        AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle, RawHandle,
    };

    impl AsRawHandle for File {
        fn as_raw_handle(&self) -> RawHandle {
            self.std.as_raw_handle()
        }
    }

    impl AsHandle for File {
        fn as_handle(&self) -> BorrowedHandle<'_> {
            self.std.as_handle()
        }
    }

    impl From<OwnedHandle> for File {
        fn from(handle: OwnedHandle) -> File {
            File::from_std(StdFile::from(handle))
        }
    }

    impl FromRawHandle for File {
        unsafe fn from_raw_handle(handle: RawHandle) -> File {
            // SAFETY: the caller owns the handle, which is what this asks for.
            File::from_std(unsafe { StdFile::from_raw_handle(handle) })
        }
    }
}
