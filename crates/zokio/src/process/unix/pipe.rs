//! The ends of a child's pipes that are ours.

use crate::io_driver::{IoSource, driver};
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use zokio_driver::{Direction, DriverHandle, Interest};
use zokio_io::{AsyncRead, AsyncWrite, ReadBuf};

/// Writes to the standard input of a child. Dropping it closes it.
#[derive(Debug)]
pub struct ChildStdin {
    pipe: IoSource<File>,
}

/// Reads from the standard output of a child.
#[derive(Debug)]
pub struct ChildStdout {
    pipe: IoSource<File>,
}

/// Reads from the standard error of a child.
#[derive(Debug)]
pub struct ChildStderr {
    pipe: IoSource<File>,
}

macro_rules! pipe {
    ($type:ident, $interest:expr) => {
        impl $type {
            pub(in crate::process) fn with_driver(
                std: std::process::$type,
                driver: DriverHandle,
            ) -> io::Result<Self> {
                let fd = OwnedFd::from(std);
                zokio_driver::fd::set_nonblocking(fd.as_fd(), true)?;
                let pipe: IoSource<File> = IoSource::with_driver(fd.into(), $interest, driver)?;
                let pipe = pipe.made_here();
                Ok(Self { pipe })
            }

            /// Takes over a pipe of the standard library, and sets it to non-blocking mode.
            ///
            /// # Errors
            /// The errors of `fcntl`, of which an open pipe gives none; or that the runtime has shut down.
            ///
            /// # Panics
            /// Outside of a runtime, or if the runtime has no I/O.
            #[track_caller]
            pub fn from_std(inner: std::process::$type) -> io::Result<Self> {
                Self::with_driver(inner, driver())
            }

            /// Gives the descriptor away, in blocking mode.
            ///
            /// # Errors
            /// If the system cannot deregister the pipe, or set it to blocking mode. It always can while
            /// the pipe is open.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                let fd = OwnedFd::from(self.pipe.into_inner()?);
                zokio_driver::fd::set_nonblocking(fd.as_fd(), false)?;
                Ok(fd)
            }
        }

        /// For another process, whose standard stream this becomes.
        impl TryInto<Stdio> for $type {
            type Error = io::Error;

            fn try_into(self) -> io::Result<Stdio> {
                self.into_owned_fd().map(Stdio::from)
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                self.pipe.as_raw_fd()
            }
        }

        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.pipe.as_fd()
            }
        }
    };
}

pipe!(ChildStdin, Interest::WRITABLE);
pipe!(ChildStdout, Interest::READABLE);
pipe!(ChildStderr, Interest::READABLE);

impl AsyncWrite for ChildStdin {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pipe
            .poll_io(cx, Direction::Write, || (&*self.pipe).write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pipe.poll_io(cx, Direction::Write, || {
            (&*self.pipe).write_vectored(crate::io_driver::gathered(bufs))
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

macro_rules! reader {
    ($type:ident) => {
        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.pipe.poll_recv(cx, buf, |buf| {
                    let read = zokio_driver::fd::read_uninit(self.pipe.as_fd(), buf)?;
                    Ok((read, ()))
                })
            }
        }
    };
}

reader!(ChildStdout);
reader!(ChildStderr);
