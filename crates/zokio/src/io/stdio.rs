//! The process's standard streams.
//!
//! They cannot be watched: what is behind them may be a file, a terminal or a pipe shared with other
//! processes, whose mode is not ours to change. So they are read and written on the blocking pool,
//! through the standard library's own handles, whose buffers `print!` and `read_line` share.

use super::blocking::{Reader, Writer};
use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, RawHandle};
use std::pin::Pin;
use std::task::{Context, Poll};
use zokio_io::{AsyncRead, AsyncWrite, ReadBuf};

/// The process's standard input. Made by [`stdin`].
///
/// Meant for input that a program reads from beginning to end. A read goes on, on a thread of its own,
/// after the future that waits for it was dropped, and **a runtime waits for it when it is dropped**:
/// until somebody presses enter. For interactive programs a thread that reads the standard library's
/// stdin is better, or [`Runtime::shutdown_background`](crate::runtime::Runtime::shutdown_background).
///
/// # Cancel safety
/// What a read brings whose future was dropped is kept in here for the next read. It is lost if this
/// is dropped too.
pub struct Stdin {
    reader: Reader<io::Stdin>,
}

/// The process's standard input.
///
/// # Examples
/// ```no_run
/// use zokio::io::{AsyncBufReadExt, BufReader, stdin};
///
/// # async fn demo() -> std::io::Result<()> {
/// let mut lines = BufReader::new(stdin()).lines();
/// while let Some(line) = lines.next_line().await? {
///     println!("{} bytes", line.len());
/// }
/// # Ok(()) }
/// ```
pub fn stdin() -> Stdin {
    Stdin {
        reader: Reader::new(io::stdin()),
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reader.poll_read(cx, buf)
    }
}

/// The process's standard output. Made by [`stdout`].
///
/// A write is copied and reported as done while it is carried out on the blocking pool. **Flush before
/// the program ends**: what was not flushed may be lost then.
///
/// Writes of one handle keep their order. Those of several handles, or tasks, go in any order, and
/// large ones are mixed.
pub struct Stdout {
    writer: Writer<io::Stdout>,
}

/// The process's standard output.
///
/// # Examples
/// ```
/// use zokio::io::{AsyncWriteExt, stdout};
///
/// # #[zokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let mut stdout = stdout();
/// stdout.write_all(b"hello\n").await?;
/// stdout.flush().await?;
/// # Ok(()) }
/// ```
pub fn stdout() -> Stdout {
    Stdout {
        writer: Writer::new(io::stdout()),
    }
}

/// The process's standard error. Made by [`stderr`].
///
/// As [`Stdout`]: flush before the program ends.
pub struct Stderr {
    writer: Writer<io::Stderr>,
}

/// The process's standard error.
///
/// # Examples
/// ```
/// use zokio::io::{AsyncWriteExt, stderr};
///
/// # #[zokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let mut stderr = stderr();
/// stderr.write_all(b"no good\n").await?;
/// stderr.flush().await?;
/// # Ok(()) }
/// ```
pub fn stderr() -> Stderr {
    Stderr {
        writer: Writer::new(io::stderr()),
    }
}

macro_rules! output {
    ($type:ident) => {
        impl AsyncWrite for $type {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                // Consoles of Windows take text, and refuse what is not; everything else takes
                // bytes.
                if cfg!(windows) {
                    self.writer.poll_write_text(cx, buf)
                } else {
                    self.writer.poll_write(cx, buf)
                }
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.writer.poll_flush(cx)
            }

            /// Flushes: the stream belongs to the whole process and stays open.
            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                self.writer.poll_flush(cx)
            }
        }
    };
}

output!(Stdout);
output!(Stderr);

macro_rules! handle {
    ($type:ident, $field:ident) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type)).finish_non_exhaustive()
            }
        }

        #[cfg(unix)]
        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                self.$field.get_ref().as_raw_fd()
            }
        }

        #[cfg(unix)]
        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.$field.get_ref().as_fd()
            }
        }

        #[cfg(windows)]
        impl AsRawHandle for $type {
            fn as_raw_handle(&self) -> RawHandle {
                self.$field.get_ref().as_raw_handle()
            }
        }

        #[cfg(windows)]
        impl AsHandle for $type {
            fn as_handle(&self) -> BorrowedHandle<'_> {
                self.$field.get_ref().as_handle()
            }
        }
    };
}

handle!(Stdin, reader);
handle!(Stdout, writer);
handle!(Stderr, writer);
