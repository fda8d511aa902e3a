//! Pipes in memory: [`SimplexStream`], one way, and [`DuplexStream`], one end of two ways.
//!
//! Invariants:
//!
//! 1. `buffer.len() <= capacity`.
//! 2. A reader waits only while the buffer is empty and the pipe is open; a writer only while the
//!    buffer is full and the pipe is open. Whoever ends such a state wakes the one who waits for it.
//! 3. A closed pipe takes nothing more; what is in it can still be read.

use crate::split::{ReadHalf, WriteHalf, split};
use crate::{AsyncRead, AsyncWrite, ReadBuf, pace};
use bytes::{Buf, BytesMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use zokio_base::foreign::KeptWaker;
use zokio_base::sync::{Arc, Mutex};

/// One end of a two-way pipe in memory. Made by [`duplex`].
///
/// When it is dropped, the other end reads what is left and then the end of the stream; what it
/// writes is an error (`BrokenPipe`). A shutdown does the first of the two only.
#[derive(Debug)]
pub struct DuplexStream {
    incoming: Arc<Mutex<SimplexStream>>,
    outgoing: Arc<Mutex<SimplexStream>>,
}

/// Makes a two-way pipe in memory, of which each way holds `max_buf_size` bytes, and returns its
/// ends.
///
/// # Panics
/// If `max_buf_size` is zero: nothing could ever be written.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use zokio_io::{AsyncReadExt, AsyncWriteExt};
///
/// let (mut client, mut server) = zokio_io::duplex(64);
/// client.write_all(b"ping").await?;
/// let mut word = [0; 4];
/// server.read_exact(&mut word).await?;
/// assert_eq!(&word, b"ping");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn duplex(max_buf_size: usize) -> (DuplexStream, DuplexStream) {
    let there = Arc::new(Mutex::new(SimplexStream::new_unsplit(max_buf_size)));
    let back = Arc::new(Mutex::new(SimplexStream::new_unsplit(max_buf_size)));
    let first = DuplexStream {
        incoming: there.clone(),
        outgoing: back.clone(),
    };
    let second = DuplexStream {
        incoming: back,
        outgoing: there,
    };
    (first, second)
}

impl AsyncRead for DuplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        take(cx, |caller| self.incoming.lock().read(caller, buf))
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bufs = [IoSlice::new(buf)];
        take(cx, |caller| self.outgoing.lock().write(caller, &bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let after = self.outgoing.lock().close();
        after.into_iter().for_each(After::run);
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        take(cx, |caller| self.outgoing.lock().write(caller, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        for way in [&self.outgoing, &self.incoming] {
            let after = way.lock().close();
            after.into_iter().for_each(After::run);
        }
    }
}

/// A one-way pipe in memory: what is written to it can be read from it.
///
/// Usually split in its two ends, by [`simplex`]. Dropping one of these ends does not close the
/// pipe: shut it down when everything is written.
#[derive(Debug)]
pub struct SimplexStream {
    buffer: BytesMut,
    capacity: usize,
    is_closed: bool,
    reader: Option<KeptWaker>,
    writer: Option<KeptWaker>,
}

/// Makes a one-way pipe in memory that holds `max_buf_size` bytes, and returns its ends.
///
/// # Panics
/// If `max_buf_size` is zero: nothing could ever be written.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use zokio_io::{AsyncReadExt, AsyncWriteExt};
///
/// let (mut receiver, mut sender) = zokio_io::simplex(64);
/// sender.write_all(b"hello").await?;
/// sender.shutdown().await?;
/// let mut text = String::new();
/// receiver.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn simplex(max_buf_size: usize) -> (ReadHalf<SimplexStream>, WriteHalf<SimplexStream>) {
    split(SimplexStream::new_unsplit(max_buf_size))
}

/// The outcome of a step: its result, and the duty that is left once the lock is released.
type Step<T> = (Poll<io::Result<T>>, After);

/// A duty that must wait until the lock is released: wakers are foreign code, which may use the pipe.
enum After {
    Nothing,
    Wake(KeptWaker),
    Drop(KeptWaker),
    /// Clone the waker and take the step again.
    Clone,
}

impl After {
    fn wake(waiting: Option<KeptWaker>) -> Self {
        waiting.map_or(Self::Nothing, Self::Wake)
    }

    fn run(self) {
        match self {
            Self::Nothing | Self::Clone => {}
            Self::Wake(waker) => waker.wake(),
            Self::Drop(waker) => drop(waker),
        }
    }
}

/// The task that takes a step, and a clone of its waker once a step has asked for one.
struct Caller<'a, 'b> {
    cx: &'a mut Context<'b>,
    clone: Option<KeptWaker>,
}

/// Takes `step`, which locks the pipe for itself, until it needs no clone of the waker.
fn take<T>(
    cx: &mut Context<'_>,
    mut step: impl FnMut(&mut Caller<'_, '_>) -> Step<T>,
) -> Poll<io::Result<T>> {
    let mut caller = Caller { cx, clone: None };
    loop {
        let (result, after) = step(&mut caller);
        if let After::Clone = after {
            caller.clone = Some(KeptWaker::of(caller.cx.waker()));
            continue;
        }
        after.run();
        return result;
    }
}

/// Remembers the task of `caller` as the one that waits.
fn remember(slot: &mut Option<KeptWaker>, caller: &mut Caller<'_, '_>) -> After {
    let waker = caller.cx.waker();
    if slot.as_ref().is_some_and(|held| held.will_wake(waker)) {
        return After::Nothing;
    }
    let Some(clone) = caller.clone.take() else {
        return After::Clone;
    };
    slot.replace(clone).map_or(After::Nothing, After::Drop)
}

impl SimplexStream {
    /// A pipe that holds `max_buf_size` bytes, both ends in one value.
    ///
    /// # Panics
    /// If `max_buf_size` is zero: nothing could ever be written.
    #[track_caller]
    pub fn new_unsplit(max_buf_size: usize) -> SimplexStream {
        assert!(max_buf_size > 0, "a pipe must hold at least one byte");
        SimplexStream {
            buffer: BytesMut::new(),
            capacity: max_buf_size,
            is_closed: false,
            reader: None,
            writer: None,
        }
    }

    /// Closes the pipe for writing; both sides may be waiting for a change.
    fn close(&mut self) -> [After; 2] {
        self.is_closed = true;
        [self.reader.take(), self.writer.take()].map(After::wake)
    }

    fn read(&mut self, caller: &mut Caller<'_, '_>, buf: &mut ReadBuf<'_>) -> Step<()> {
        let is_done = self.is_closed || buf.remaining() == 0;
        if pace::poll_unit_for(caller.cx, is_done || !self.buffer.is_empty()).is_pending() {
            return (Poll::Pending, After::Nothing);
        }
        if !self.buffer.is_empty() {
            let count = self.buffer.len().min(buf.remaining());
            buf.put_slice(&self.buffer[..count]);
            self.buffer.advance(count);
            let waiting = if count > 0 { self.writer.take() } else { None };
            return (Poll::Ready(Ok(())), After::wake(waiting));
        }
        if is_done {
            return (Poll::Ready(Ok(())), After::Nothing);
        }
        (Poll::Pending, remember(&mut self.reader, caller))
    }

    fn write(&mut self, caller: &mut Caller<'_, '_>, bufs: &[IoSlice<'_>]) -> Step<usize> {
        let mut room = self.capacity - self.buffer.len();
        let is_empty = bufs.iter().all(|buf| buf.is_empty());
        if pace::poll_unit_for(caller.cx, room > 0 || is_empty || self.is_closed).is_pending() {
            return (Poll::Pending, After::Nothing);
        }
        if self.is_closed {
            return (
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                After::Nothing,
            );
        }
        if room == 0 && !is_empty {
            return (Poll::Pending, remember(&mut self.writer, caller));
        }
        let mut taken = 0;
        for buf in bufs {
            let count = buf.len().min(room);
            self.buffer.extend_from_slice(&buf[..count]);
            taken += count;
            room -= count;
        }
        let waiting = if taken > 0 { self.reader.take() } else { None };
        (Poll::Ready(Ok(taken)), After::wake(waiting))
    }
}

impl AsyncRead for SimplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        take(cx, |caller| this.read(caller, buf))
    }
}

impl AsyncWrite for SimplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let bufs = [IoSlice::new(buf)];
        take(cx, |caller| this.write(caller, &bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().close().into_iter().for_each(After::run);
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        take(cx, |caller| this.write(caller, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
