//! The process's standard streams.
//!
//! They cannot be watched by every runtime: what is behind them may be a file, a terminal or a pipe shared
//! with other processes, whose mode is not ours to change. So they are read and written on the blocking pool,
//! through the standard library's own handles, whose buffers `print!` and `read_line` share.
//!
//! A thread that reads waits first, where a wait can be ended, until there is something. So a read that was
//! given up takes nothing from whoever reads next, a child process say, and keeps no runtime from ending. The
//! standard library's handle may have read ahead, and does not tell: [`AHEAD`] counts what is there after
//! reads of ours.

use super::blocking::{Input, Output, Reader, Writer};
use std::fmt;
use std::io::{self, BufRead, Read};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, RawHandle};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use zokio_base::sync::std_atomic::{AtomicUsize, Ordering};
use zokio_driver::bell::Bell;
use zokio_io::{AsyncRead, AsyncWrite, ReadBuf};

/// The process's standard input. Made by [`stdin`].
///
/// A read goes on, on a thread of the pool, after the future that waits for it was dropped. It waits there
/// until there is something to read, and is ended when this handle is dropped or the runtime shuts down: it
/// takes nothing then, and keeps nobody waiting.
///
/// The handle shares the buffer of [`std::io::stdin`]. What that has read ahead for others in this process is
/// read as soon as there is more, or the end.
///
/// # Cancel safety
/// The bytes of a read whose future was dropped are kept in here for the next read. They are lost only if
/// this is dropped in the moment in which they come.
///
/// # Platforms
/// On Windows a read cannot be ended. A runtime waits for it when it is dropped, unless by
/// [`shutdown_background`](crate::runtime::Runtime::shutdown_background).
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

/// How many bytes our last read through the standard library's handle has left in its buffer. Others may
/// have taken them since.
static AHEAD: AtomicUsize = AtomicUsize::new(0);

/// A read of at least that many bytes goes past the standard library's buffer if that is empty, and empties
/// it otherwise.
const PAST_THE_BUFFER: usize = 8 * 1024;

impl Input for io::Stdin {
    fn read(&self, buf: &mut [u8], bell: &Bell) -> io::Result<usize> {
        loop {
            // ORDERING: Relaxed: stored under the lock that is taken below, where it is looked at again.
            if AHEAD.load(Ordering::Relaxed) == 0 && !wait_for_input(self, bell, None)? {
                continue;
            }
            let mut handle = self.lock();
            // Another thread may have been faster. What it has left in the buffer is ours.
            // ORDERING: Relaxed: the lock orders it.
            if AHEAD.load(Ordering::Relaxed) == 0
                && !wait_for_input(self, bell, Some(Duration::ZERO))?
            {
                continue;
            }
            let read = if buf.len() < PAST_THE_BUFFER {
                handle.fill_buf().map(|there| {
                    let count = there.len().min(buf.len());
                    buf[..count].copy_from_slice(&there[..count]);
                    (count, there.len() - count)
                })
            } else {
                handle.read(buf).map(|count| (count, 0))
            };
            match read {
                Ok((count, ahead)) => {
                    if buf.len() < PAST_THE_BUFFER {
                        handle.consume(count);
                    }
                    // ORDERING: Relaxed: the lock orders it.
                    AHEAD.store(ahead, Ordering::Relaxed);
                    return Ok(count);
                }
                // ORDERING: Relaxed: the lock orders it. The buffer is empty, or there would be no read.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    AHEAD.store(0, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits until there is something to read, for `limit` at most. Returns whether there is.
///
/// # Errors
/// If `bell` was rung.
#[cfg(unix)]
fn wait_for_input(input: &io::Stdin, bell: &Bell, limit: Option<Duration>) -> io::Result<bool> {
    use zokio_driver::bell::{Wait, Waited};

    match bell.wait(input.as_fd(), Wait::ToRead, limit) {
        Waited::Ready => Ok(true),
        Waited::Late => Ok(false),
        Waited::Rung => Err(zokio_driver::poll::shutdown_error()),
    }
}

/// The read waits.
#[cfg(not(unix))]
fn wait_for_input(_input: &io::Stdin, _bell: &Bell, _limit: Option<Duration>) -> io::Result<bool> {
    Ok(true)
}

macro_rules! output {
    ($type:ident) => {
        impl Output for io::$type {
            fn write(&self, buf: &[u8]) -> io::Result<usize> {
                let mut handle = self;
                io::Write::write(&mut handle, buf)
            }

            fn flush(&self) -> io::Result<()> {
                let mut handle = self;
                io::Write::flush(&mut handle)
            }

            #[cfg(unix)]
            fn wait(&self) {
                zokio_driver::bell::wait_writable(self.as_fd());
            }

            /// No stream says that it would block here.
            #[cfg(not(unix))]
            fn wait(&self) {
                zokio_base::sync::thread::yield_now();
            }
        }

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
