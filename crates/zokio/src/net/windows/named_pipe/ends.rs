//! [`NamedPipeServer`] and [`NamedPipeClient`]: the ends of a pipe.
//!
//! The system's calls on pipes complete later; `mio` reads ahead and writes behind with buffers of
//! its own, and makes readiness of that.

use super::options::PipeInfo;
use super::sys;
use crate::io_driver::{BOTH, IoSource};
use bytes::BufMut;
use mio::windows::NamedPipe;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::windows::io::{
    AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, IntoRawHandle, OwnedHandle, RawHandle,
};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_driver::Direction;
use zokio_io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

/// The most that [`NamedPipeServer::try_read_buf`] takes at once: more than `mio` reads ahead.
const READ_MAX: usize = 64 * 1024;

/// The server's end of a pipe: one instance. Made by
/// [`ServerOptions::create`](super::ServerOptions::create).
///
/// It has no client at first, see [`connect`](Self::connect); until then reads and writes fail or
/// wait.
pub struct NamedPipeServer {
    io: IoSource<NamedPipe>,
}

/// A client's end of a pipe. Made by [`ClientOptions::open`](super::ClientOptions::open).
pub struct NamedPipeClient {
    io: IoSource<NamedPipe>,
}

impl NamedPipeServer {
    /// Waits until a client has opened this instance. If one has done so before, it returns at once.
    ///
    /// # Errors
    /// The errors of `ConnectNamedPipe`; or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// If the future is dropped, no client is lost: the next call returns it.
    ///
    /// # Examples
    /// ```no_run
    /// use zokio::net::windows::named_pipe::ServerOptions;
    ///
    /// # async fn demo() -> std::io::Result<()> {
    /// let name = r"\\.\pipe\zokio-connect";
    /// let mut next = ServerOptions::new().first_pipe_instance(true).create(name)?;
    /// loop {
    ///     next.connect().await?;
    ///     let connected = next;
    ///     // The next client needs an instance before this one is served.
    ///     next = ServerOptions::new().create(name)?;
    ///     zokio::spawn(async move { drop(connected) });
    /// }
    /// # }
    /// ```
    pub async fn connect(&self) -> io::Result<()> {
        // The first call asks the system, whatever is known to be ready; what was asked for shows
        // as "writable" when it is there.
        match self.io.connect() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
        let connect = || self.io.connect();
        self.io.async_io(Interest::WRITABLE, connect).await
    }

    /// Ends the connection with the client, and drops what it has not read yet. Afterwards
    /// [`connect`](Self::connect) waits for another one.
    ///
    /// # Errors
    /// The errors of `DisconnectNamedPipe`.
    pub fn disconnect(&self) -> io::Result<()> {
        self.io.disconnect()
    }
}

macro_rules! pipe_end {
    ($type:ident) => {
        impl $type {
            #[track_caller]
            #[allow(unsafe_code)] // A raw handle can be taken over by unsafe code only.
            pub(super) fn of(handle: OwnedHandle) -> io::Result<Self> {
                // SAFETY: the handle is open and handed over.
                let pipe = unsafe { NamedPipe::from_raw_handle(handle.into_raw_handle()) };
                let io = IoSource::new(pipe, BOTH)?;
                Ok(Self { io })
            }

            /// Takes over a handle of this end of a pipe.
            ///
            /// # Safety
            /// The handle is open, belongs to the caller, and is one of this end of a named pipe
            /// that was opened for overlapped I/O.
            ///
            /// # Errors
            /// The errors of `GetNamedPipeInfo`, for example that the handle is none of a pipe's; and the
            /// errors of registering the pipe.
            ///
            /// # Panics
            /// Outside of a runtime, or if the runtime has no I/O.
            #[track_caller]
            #[allow(unsafe_code)] // Unsafe to call.
            pub unsafe fn from_raw_handle(handle: RawHandle) -> io::Result<Self> {
                // SAFETY: as the caller promises.
                Self::of(unsafe { OwnedHandle::from_raw_handle(handle) })
            }

            /// Asks the system for the properties of the pipe.
            ///
            /// # Errors
            /// The errors of `GetNamedPipeInfo`.
            pub fn info(&self) -> io::Result<PipeInfo> {
                sys::info(self.as_raw_handle())
            }

            /// Waits until the pipe is ready for a part of `interest`, and returns for which.
            ///
            /// Any number of tasks may wait. It may return early for no reason.
            ///
            /// # Errors
            /// If the runtime has shut down.
            ///
            /// # Cancel safety
            /// Dropping the future loses nothing.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.io.state(interest).await
            }

            /// Waits until a read would not block. It may return early for no reason.
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

            /// Waits until a write would not block. It may return early for no reason.
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

            poll_readiness_methods!(poll_read_ready, poll_write_ready);

            /// Tries to read. `Ok(0)` says that the other end is closed, or that `buf` is empty.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; otherwise the errors of `ReadFile`: `BrokenPipe` if the
            /// other end is gone.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.io.try_io(Interest::READABLE, || (&*self.io).read(buf))
            }

            /// As [`try_read`](Self::try_read), into the first of the buffers that is not empty.
            ///
            /// # Errors
            /// As [`try_read`](Self::try_read).
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let read = || (&*self.io).read_vectored(crate::io_driver::scattered(bufs));
                self.io.try_io(Interest::READABLE, read)
            }

            /// As [`try_read`](Self::try_read), into the free part of a growable buffer.
            ///
            /// # Errors
            /// As [`try_read`](Self::try_read).
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                let mut bytes = vec![0; buf.chunk_mut().len().min(READ_MAX)];
                let read = self.try_read(&mut bytes)?;
                buf.put_slice(&bytes[..read]);
                Ok(read)
            }

            /// Tries to write, and returns how many bytes were.
            ///
            /// # Errors
            /// `WouldBlock` if there is no room; otherwise the errors of `WriteFile`: `BrokenPipe` if the
            /// other end is gone.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.io
                    .try_io(Interest::WRITABLE, || (&*self.io).write(buf))
            }

            /// As [`try_write`](Self::try_write), from the first of the buffers that is not empty.
            ///
            /// # Errors
            /// As [`try_write`](Self::try_write).
            pub fn try_write_vectored(&self, buf: &[IoSlice<'_>]) -> io::Result<usize> {
                let write = || (&*self.io).write_vectored(crate::io_driver::gathered(buf));
                self.io.try_io(Interest::WRITABLE, write)
            }

            /// Runs `f`, which does I/O on the pipe, once, if the pipe is ready for `interest`.
            ///
            /// If `f` returns `WouldBlock` the pipe counts as not ready until the system says
            /// otherwise. So `f` must return `WouldBlock` only if the pipe did, and must use the
            /// pipe only in ways that `interest` covers.
            ///
            /// # Errors
            /// `WouldBlock` if the pipe is not ready; otherwise what `f` returns.
            pub fn try_io<R>(
                &self,
                interest: Interest,
                f: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                self.io.try_io(interest, f)
            }

            /// Runs `f`, which does I/O on the pipe, whenever the pipe is ready for `interest`, until it
            /// returns something other than `WouldBlock`.
            ///
            /// The rules for `f` are those of [`try_io`](Self::try_io).
            ///
            /// # Errors
            /// The errors of `f`; or that the runtime has shut down.
            ///
            /// # Cancel safety
            /// The future is dropped between runs of `f` only.
            pub async fn async_io<R>(
                &self,
                interest: Interest,
                f: impl FnMut() -> io::Result<R>,
            ) -> io::Result<R> {
                self.io.async_io(interest, f).await
            }
        }

        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let read = || (&*self.io).read(buf.initialize_unfilled());
                let read = ready!(self.io.poll_io(cx, Direction::Read, read))?;
                buf.advance(read);
                Poll::Ready(Ok(()))
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                let write = || (&*self.io).write(buf);
                self.io.poll_io(cx, Direction::Write, write)
            }

            /// Nothing is held back here: what was written is with the system.
            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// A pipe cannot be closed in one direction: it closes when it is dropped.
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_flush(cx)
            }
        }

        impl AsRawHandle for $type {
            fn as_raw_handle(&self) -> RawHandle {
                self.io.as_raw_handle()
            }
        }

        impl AsHandle for $type {
            #[allow(unsafe_code)] // `mio` lends raw handles only.
            fn as_handle(&self) -> BorrowedHandle<'_> {
                // SAFETY: open as long as the pipe is, which is borrowed for that time.
                unsafe { BorrowedHandle::borrow_raw(self.as_raw_handle()) }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    .field("handle", &self.as_raw_handle())
                    .finish()
            }
        }
    };
}

pipe_end!(NamedPipeServer);
pipe_end!(NamedPipeClient);
