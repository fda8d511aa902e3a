//! [`sendfile`]: from a file to a stream socket.
//!
//! On Linux `sendfile(2)` moves the bytes from the page cache to the socket. It would wait for the disk if
//! they are not there, so a window of the file is brought into the cache first, by a read on the ring or
//! the blocking pool, unless all of it is there already. Files that `sendfile` does not take, those of a server
//! or of a FUSE file system, whom it may ask each time, and other systems have the window read and then
//! written.
//!
//! Invariants:
//!
//! 1. `sent` counts what the socket took. `ready` holds bytes of the file from there on that were
//!    read and that it did not take yet.
//! 2. Both change between awaits only, so a future that is dropped leaves them true.

use super::socket::StreamSocket;
use crate::fs::File;
use std::fmt;
use std::io;
use std::sync::Arc;
use zokio_driver::DriverHandle;
use zokio_driver::op::{At, Filled, OpenFile, Read};
use zokio_io::Interest;
use zokio_task::coop;

/// How much of a file is looked at, and read, at once.
const WINDOW: u64 = 256 * 1024;

/// A part of a file on its way to a socket.
///
/// # Examples
/// ```
/// use zokio::fs::File;
/// use zokio::io::{AsyncReadExt, AsyncWriteExt};
/// use zokio::net::{TcpListener, TcpStream, owned::SendFile};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("page");
/// # zokio::fs::write(&path, "hello world").await?;
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// # let mut server = listener.accept().await?.0;
/// let file = File::open(&path).await?;
/// let mut sending = SendFile::new(&mut server, &file, 6, u64::MAX);
/// assert_eq!(sending.run().await?, 5);
/// server.shutdown().await?;
/// let mut word = String::new();
/// client.read_to_string(&mut word).await?;
/// assert_eq!(word, "world");
/// # Ok(()) }
/// ```
pub struct SendFile<'a, S> {
    socket: &'a mut S,
    file: &'a File,
    /// Where in the file the first byte is.
    start: u64,
    len: u64,
    sent: u64,
    /// Invariant 1. Also what the window is read into before the kernel sends it.
    ready: Vec<u8>,
    /// How much of `ready` the socket took.
    taken: usize,
    /// The file ended before `len`.
    is_at_end: bool,
    /// The bytes have to pass through here.
    copies: bool,
}

impl<'a, S: StreamSocket> SendFile<'a, S> {
    /// `len` bytes of `file` from `offset` on, or less if the file ends before. The file's cursor
    /// plays no part and stays. Nothing moves yet.
    pub fn new(socket: &'a mut S, file: &'a File, offset: u64, len: u64) -> Self {
        Self {
            socket,
            file,
            start: offset,
            len,
            sent: 0,
            ready: Vec::new(),
            taken: 0,
            is_at_end: false,
            copies: cfg!(not(target_os = "linux")),
        }
    }

    /// Has the bytes pass through this process even where they need not.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn copying(mut self) -> Self {
        self.copies = true;
        self
    }

    /// How many bytes the socket has taken so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends until all is sent or the file ends. Returns how many bytes were sent, by all runs.
    ///
    /// # Errors
    /// The errors of reading the file, and of writing to the socket: `BrokenPipe` or `ConnectionReset` if
    /// the peer receives no more; or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: another run goes on behind the last byte that was sent.
    ///
    /// # Platforms
    /// On Linux, sending to a connection that the peer has reset raises `SIGPIPE`. Rust programs ignore it
    /// unless they ask for it. A file that changes meanwhile may be sent in part as it was and in
    /// part as it is.
    pub async fn run(&mut self) -> io::Result<u64> {
        let file = self.file.shared().await;
        self.copies |= file.is_remote();
        while self.sent < self.len {
            if self.taken < self.ready.len() {
                self.write().await?;
            } else if self.is_at_end {
                break;
            } else if self.copies {
                self.read(&file).await?;
            } else {
                self.send(&file).await?;
            }
        }
        Ok(self.sent)
    }

    fn offset(&self) -> u64 {
        self.start.saturating_add(self.sent)
    }

    /// How much is to be moved next.
    fn window(&self) -> usize {
        (self.len - self.sent).min(WINDOW) as usize
    }

    /// Reads a window, to be written.
    async fn read(&mut self, file: &Arc<OpenFile>) -> io::Result<()> {
        let (at, len) = (At::Offset(self.offset()), self.window());
        let read = Read::new(file.clone(), Vec::with_capacity(len), 0, len, at);
        let filled = match read.try_now() {
            Ok(filled) => filled,
            Err(read) => begin(self.socket.driver(), read).await,
        };
        match filled {
            Filled {
                result: Err(error), ..
            } if error.kind() == io::ErrorKind::Interrupted => {}
            Filled { buf, result } => {
                self.is_at_end = result? == 0;
                self.ready = buf.unwrap_or_default();
                self.taken = 0;
            }
        }
        Ok(())
    }

    /// Writes what was read.
    async fn write(&mut self) -> io::Result<()> {
        coop::consume_budget().await;
        match self.socket.try_write(&self.ready[self.taken..]) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                self.taken += written;
                self.sent += written as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.ready(Interest::WRITABLE).await
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Has the kernel send a part of a window.
    #[cfg(target_os = "linux")]
    async fn send(&mut self, file: &Arc<OpenFile>) -> io::Result<()> {
        use zokio_driver::op::net::{is_unsupported, splice};

        let (offset, len) = (self.offset(), self.window());
        warm(self.socket.driver(), file, offset, len).await;
        let socket = &*self.socket;
        let send = || splice::sendfile(socket.as_fd(), file, offset, len);
        match socket.async_io(Interest::WRITABLE, send).await {
            Ok(0) => self.is_at_end = true,
            Ok(sent) => self.sent += sent as u64,
            Err(error) if is_unsupported(&error) => self.copies = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// There is no kernel that does: `copies` is set from the start.
    #[cfg(not(target_os = "linux"))]
    async fn send(&mut self, file: &Arc<OpenFile>) -> io::Result<()> {
        self.read(file).await
    }
}

impl<S> fmt::Debug for SendFile<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFile")
            .field("file", &self.file)
            .field("offset", &self.start)
            .field("len", &self.len)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

/// Begins `operation` where the socket's runtime has its operations.
fn begin(driver: &DriverHandle, operation: Read<Vec<u8>>) -> zokio_driver::op::Op<Read<Vec<u8>>> {
    let here = crate::io_driver::worker(driver);
    // A single worker may be a thread that is not at its loop now: nobody would submit.
    if here.is_none() && driver.workers() == 1 {
        return driver.plane().start_offloaded(operation);
    }
    driver.plane().start(here, operation)
}

/// Brings a part of a file into the cache, unless all of it is there. What fails here fails again,
/// and is told, when the part is sent.
#[cfg(target_os = "linux")]
async fn warm(driver: &DriverHandle, file: &Arc<OpenFile>, offset: u64, len: usize) {
    if !zokio_driver::op::now::is_cached(file, offset, len) {
        let room = Vec::with_capacity(len);
        let read = Read::new(file.clone(), room, 0, len, At::Offset(offset));
        drop(begin(driver, read).await);
    }
}

/// Sends `len` bytes of `file` from `offset` on to a stream socket, or less if the file ends before.
/// Returns how many. On Linux the bytes do not pass through this process. The file's cursor plays no
/// part and stays; writes to `file` that are under way are waited for.
///
/// # Errors
/// As [`SendFile::run`].
///
/// # Cancel safety
/// If the future is dropped, a part may have been sent. [`SendFile`] knows how much.
///
/// # Examples
/// ```
/// use zokio::fs::File;
/// use zokio::io::AsyncReadExt;
/// use zokio::net::{TcpListener, TcpStream, owned};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("page");
/// # zokio::fs::write(&path, "hello world").await?;
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// # let mut server = listener.accept().await?.0;
/// let file = File::open(&path).await?;
/// assert_eq!(owned::sendfile(&mut server, &file, 0, 5).await?, 5);
/// let mut word = [0; 5];
/// client.read_exact(&mut word).await?;
/// assert_eq!(&word, b"hello");
/// # Ok(()) }
/// ```
pub async fn sendfile<S: StreamSocket>(
    socket: &mut S,
    file: &File,
    offset: u64,
    len: u64,
) -> io::Result<u64> {
    SendFile::new(socket, file, offset, len).run().await
}
