//! The ends of a child's pipes that are ours.

use crate::io::blocking::{Reader, Writer};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle, RawHandle};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use zokio_driver::DriverHandle;
use zokio_io::{AsyncRead, AsyncWrite, ReadBuf};

/// Writes to the standard input of a child. Dropping it closes it, once what was written before is
/// under way no more.
pub struct ChildStdin {
    pipe: Writer<File>,
}

/// Reads from the standard output of a child.
pub struct ChildStdout {
    pipe: Reader<File>,
}

/// Reads from the standard error of a child.
pub struct ChildStderr {
    pipe: Reader<File>,
}

macro_rules! pipe {
    ($type:ident, $pipe:ident) => {
        impl $type {
            pub(in crate::process) fn with_driver(
                std: std::process::$type,
                _driver: DriverHandle,
            ) -> io::Result<Self> {
                Self::from_std(std)
            }

            /// Takes over a pipe of the standard library.
            ///
            /// # Errors
            /// None at present.
            pub fn from_std(inner: std::process::$type) -> io::Result<Self> {
                let pipe = $pipe::new(File::from(OwnedHandle::from(inner)));
                Ok(Self { pipe })
            }

            /// Gives a handle of the pipe away. What is under way goes on.
            ///
            /// # Errors
            /// The errors of `DuplicateHandle`.
            pub fn into_owned_handle(self) -> io::Result<OwnedHandle> {
                self.pipe.get_ref().try_clone().map(OwnedHandle::from)
            }
        }

        /// For another process, whose standard stream this becomes.
        impl TryInto<Stdio> for $type {
            type Error = io::Error;

            fn try_into(self) -> io::Result<Stdio> {
                self.into_owned_handle().map(Stdio::from)
            }
        }

        impl AsRawHandle for $type {
            fn as_raw_handle(&self) -> RawHandle {
                self.pipe.get_ref().as_raw_handle()
            }
        }

        impl AsHandle for $type {
            fn as_handle(&self) -> BorrowedHandle<'_> {
                self.pipe.get_ref().as_handle()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    .field("pipe", self.pipe.get_ref())
                    .finish()
            }
        }
    };
}

pipe!(ChildStdin, Writer);
pipe!(ChildStdout, Reader);
pipe!(ChildStderr, Reader);

impl AsyncWrite for ChildStdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pipe.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_flush(cx)
    }

    /// Flushes: a pipe is closed by dropping its end.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_flush(cx)
    }
}

macro_rules! reader {
    ($type:ident) => {
        impl AsyncRead for $type {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.pipe.poll_read(cx, buf)
            }
        }
    };
}

reader!(ChildStdout);
reader!(ChildStderr);
