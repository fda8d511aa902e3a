//! Pipes: between processes through named ones, and within a process through [`pipe`].

use crate::io_driver::{IoSource, advance, gathered, scattered};
use bytes::BufMut;
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use zokio_driver::{Direction, Interest as DriverInterest};
use zokio_io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

/// Makes an anonymous pipe.
///
/// # Errors
/// The errors of `pipe`: an error without a kind (`EMFILE`, `ENFILE`) if no more descriptors may be opened;
/// or that the runtime has shut down.
///
/// # Panics
/// Outside of a runtime, or if the runtime has no I/O.
///
/// # Examples
/// ```
/// use zokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (mut sender, mut receiver) = zokio::net::unix::pipe::pipe()?;
/// sender.write_all(b"hello").await?;
/// let mut word = [0; 5];
/// receiver.read_exact(&mut word).await?;
/// assert_eq!(&word, b"hello");
/// # Ok(()) }
/// ```
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (sender, receiver) = mio::unix::pipe::new()?;
    Ok((Sender::new(sender)?, Receiver::new(receiver)?))
}

/// How a named pipe is opened.
///
/// # Examples
/// ```
/// use zokio::io::{AsyncReadExt, AsyncWriteExt};
/// use zokio::net::unix::pipe;
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("pipe");
/// assert!(std::process::Command::new("mkfifo").arg(&path).status()?.success());
/// // This one first: without a reader it cannot be opened for writing.
/// let mut receiver = pipe::OpenOptions::new().open_receiver(&path)?;
/// let mut sender = pipe::OpenOptions::new().open_sender(&path)?;
/// sender.write_all(b"hello").await?;
/// drop(sender);
/// let mut said = String::new();
/// receiver.read_to_string(&mut said).await?;
/// assert_eq!(said, "hello");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// The defaults: one direction, and a check that it is a pipe.
    pub fn new() -> OpenOptions {
        OpenOptions {
            read_write: false,
            unchecked: false,
        }
    }

    /// Opens the pipe in both directions, so that it never lacks an other end. Linux only: elsewhere
    /// what then happens is not defined.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn read_write(&mut self, value: bool) -> &mut Self {
        self.read_write = value;
        self
    }

    /// Leaves out the check that it is a pipe. What is not one may then block, or fail.
    pub fn unchecked(&mut self, value: bool) -> &mut Self {
        self.unchecked = value;
        self
    }

    /// Opens a named pipe for reading.
    ///
    /// # Errors
    /// The errors of `open`: `NotFound`, `PermissionDenied`; `InvalidInput` if it is no pipe; or that the
    /// runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn open_receiver<P: AsRef<Path>>(&self, path: P) -> io::Result<Receiver> {
        let file = self.open(path.as_ref(), true)?;
        Receiver::from_file_unchecked(file)
    }

    /// Opens a named pipe for writing.
    ///
    /// # Errors
    /// The errors of `open`: `NotFound`, `PermissionDenied`, an error without a kind (`ENXIO`) if nobody
    /// has it open for reading; `InvalidInput` if it is no pipe; or that the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    pub fn open_sender<P: AsRef<Path>>(&self, path: P) -> io::Result<Sender> {
        let file = self.open(path.as_ref(), false)?;
        Sender::from_file_unchecked(file)
    }

    fn open(&self, path: &Path, is_receiver: bool) -> io::Result<File> {
        let file = std::fs::OpenOptions::new()
            .read(is_receiver || self.read_write)
            .write(!is_receiver || self.read_write)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        if !self.unchecked {
            check_pipe(&file)?;
        }
        Ok(file)
    }
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

fn check_pipe(file: &File) -> io::Result<()> {
    if file.metadata()?.file_type().is_fifo() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a pipe"))
    }
}

/// Checks that a descriptor is a pipe open for `wanted` (`O_RDONLY` or `O_WRONLY`).
fn check_access(file: &File, wanted: libc::c_int) -> io::Result<()> {
    check_pipe(file)?;
    match zokio_driver::fd::status_flags(file.as_fd())? & libc::O_ACCMODE {
        libc::O_RDWR => Ok(()),
        access if access == wanted => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            if wanted == libc::O_RDONLY {
                "not in O_RDONLY or O_RDWR access mode"
            } else {
                "not in O_WRONLY or O_RDWR access mode"
            },
        )),
    }
}

/// The methods that both ends have in common.
macro_rules! pipe_end {
    ($type:ident, $mio:ident, $interest:expr, $access:expr) => {
        impl $type {
            #[track_caller]
            fn new(pipe: mio::unix::pipe::$mio) -> io::Result<$type> {
                let io = IoSource::new(pipe, $interest)?;
                if $interest.is_readable() {
                    // A read cannot be tried to see whether it would block: while nobody has opened a
                    // named pipe for writing yet it says that the pipe has ended.
                    io.attach()?;
                }
                Ok($type { io })
            }

            /// Takes over a file that is this end of a pipe, and sets it to non-blocking mode.
            ///
            /// # Errors
            /// `InvalidInput` if it is no pipe, or the other end of one; the errors of `fcntl` and of
            /// registering the pipe; or that the runtime has shut down.
            ///
            /// # Panics
            /// Outside of a runtime, or if the runtime has no I/O.
            pub fn from_file(file: File) -> io::Result<$type> {
                $type::from_owned_fd(file.into())
            }

            /// As [`from_file`](Self::from_file), for a descriptor.
            ///
            /// # Errors
            /// As [`from_file`](Self::from_file).
            ///
            /// # Panics
            /// As [`from_file`](Self::from_file).
            pub fn from_owned_fd(owned_fd: OwnedFd) -> io::Result<$type> {
                let file = File::from(owned_fd);
                check_access(&file, $access)?;
                zokio_driver::fd::set_nonblocking(file.as_fd(), true)?;
                $type::from_file_unchecked(file)
            }

            /// Takes over a file that is this end of a pipe and in non-blocking mode, without a check.
            ///
            /// # Errors
            /// The errors of registering the pipe: `PermissionDenied` if the system cannot watch such a
            /// file; or that the runtime has shut down.
            ///
            /// # Panics
            /// Outside of a runtime, or if the runtime has no I/O.
            pub fn from_file_unchecked(file: File) -> io::Result<$type> {
                $type::from_owned_fd_unchecked(file.into())
            }

            /// As [`from_file_unchecked`](Self::from_file_unchecked), for a descriptor.
            ///
            /// # Errors
            /// As [`from_file_unchecked`](Self::from_file_unchecked).
            ///
            /// # Panics
            /// Outside of a runtime, or if the runtime has no I/O.
            pub fn from_owned_fd_unchecked(owned_fd: OwnedFd) -> io::Result<$type> {
                $type::new(mio::unix::pipe::$mio::from(owned_fd))
            }

            /// Gives the descriptor away, in blocking mode.
            ///
            /// # Errors
            /// If the system cannot deregister the pipe, or set it to blocking mode. It always can while
            /// the pipe is open.
            pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
                let owned = self.into_nonblocking_fd()?;
                zokio_driver::fd::set_nonblocking(owned.as_fd(), false)?;
                Ok(owned)
            }

            /// Gives the descriptor away, still in non-blocking mode.
            ///
            /// # Errors
            /// If the system cannot deregister the pipe. It always can while the pipe is open.
            pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
                Ok(self.io.into_inner()?.into())
            }

            /// Waits until the pipe is ready for a part of `interest`, and returns for which.
            ///
            /// # Errors
            /// If the runtime has shut down.
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.io.state(interest).await
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.io.fmt(f)
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                self.io.as_raw_fd()
            }
        }

        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.io.as_fd()
            }
        }
    };
}

/// The writing end of a pipe. Dropping it closes it.
pub struct Sender {
    io: IoSource<mio::unix::pipe::Sender>,
}

pipe_end!(Sender, Sender, DriverInterest::WRITABLE, libc::O_WRONLY);

impl Sender {
    /// Waits until a write would not block, or until nobody reads any more.
    ///
    /// # Errors
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.io.ready(Interest::WRITABLE).await?;
        Ok(())
    }

    /// Polls whether a write would not block. Of several tasks that poll, the last is woken.
    ///
    /// # Errors
    /// If the runtime has shut down.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_ready(cx, Direction::Write)
    }

    /// Tries to write, and returns how many bytes were.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; otherwise the errors of `write`: `BrokenPipe` if nobody reads any
    /// more.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .try_io(Interest::WRITABLE, || (&*self.io).write(buf))
    }

    /// As [`try_write`](Self::try_write), from several buffers, one after the other.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, buf: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.try_io(Interest::WRITABLE, || {
            (&*self.io).write_vectored(gathered(buf))
        })
    }

    /// Runs `f`, which writes to the pipe, once, if the pipe is ready.
    ///
    /// # Errors
    /// `WouldBlock` if it is not; otherwise what `f` returns.
    pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.io.try_io(Interest::WRITABLE, f)
    }
}

impl AsyncWrite for Sender {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io
            .poll_io(cx, Direction::Write, || (&*self.io).write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_io(cx, Direction::Write, || {
            (&*self.io).write_vectored(gathered(bufs))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: a pipe is closed by dropping its end.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The reading end of a pipe. Dropping it closes it.
pub struct Receiver {
    io: IoSource<mio::unix::pipe::Receiver>,
}

pipe_end!(Receiver, Receiver, DriverInterest::READABLE, libc::O_RDONLY);

impl Receiver {
    /// Waits until a read would not block, or until nobody writes any more.
    ///
    /// # Errors
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.ready(Interest::READABLE).await?;
        Ok(())
    }

    /// Polls whether a read would not block. Of several tasks that poll, the last is woken.
    ///
    /// # Errors
    /// If the runtime has shut down.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_ready(cx, Direction::Read)
    }

    /// Tries to read. `Ok(0)` says that nobody writes any more, or that `buf` is empty.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; otherwise the errors of `read`, of which an open pipe gives none.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, || (&*self.io).read(buf))
    }

    /// As [`try_read`](Self::try_read), into several buffers, one after the other.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, || {
            (&*self.io).read_vectored(scattered(bufs))
        })
    }

    /// As [`try_read`](Self::try_read), into the free part of a growable buffer.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let read = self.io.try_io(Interest::READABLE, || {
            zokio_driver::fd::read_uninit(self.io.as_fd(), crate::io_driver::spare(buf))
        })?;
        advance(buf, read);
        Ok(read)
    }

    /// Runs `f`, which reads from the pipe, once, if the pipe is ready.
    ///
    /// # Errors
    /// `WouldBlock` if it is not; otherwise what `f` returns.
    pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.io.try_io(Interest::READABLE, f)
    }
}

impl AsyncRead for Receiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.poll_recv(cx, buf, |buf| {
            let read = zokio_driver::fd::read_uninit(self.io.as_fd(), buf)?;
            Ok((read, ()))
        })
    }
}
