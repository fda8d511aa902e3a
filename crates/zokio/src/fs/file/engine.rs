//! What is under way on an open file, one thing at a time.
//!
//! ```text
//!            read that has to wait            write that has to wait
//! Reading ◀──────────────────────── Idle ────────────────────────▶ Writing ─┐ short: the rest
//!    └── bytes wait in `unread` ────▶ │ ◀──────────── error kept ─────┘ ◀───┘
//!                                     │ seek from the end
//!                                     └──────────▶ Seeking ──▶ Idle
//! ```
//!
//! Invariants:
//!
//! 1. `unread` holds bytes that the system's position is past and the user's is not. Before the
//!    position is used for anything but reading on, it is moved back by that many. What has no
//!    position (a pipe, a terminal) is written regardless, and `unread` stays.
//! 2. A failed write is reported once: by the next write or flush.
//! 3. Two operations at the position are never under way together: not here, and, where clones share
//!    the position, not on the ring, which does not lock it.
#![allow(unsafe_code)]

use crate::fs::run;
use std::fs::File as StdFile;
use std::future::Future;
use std::io::{self, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_driver::op::{At, Op, Read, Speculated, Write, now};
use zokio_io::ReadBuf;
use zokio_task::JoinHandle;

type Bytes = Vec<u8>;

/// The most that is moved at once on the calling thread: a copy of more would keep others waiting.
const AT_ONCE_MAX: usize = 256 * 1024;

enum State {
    Idle,
    Reading(Op<Read<Bytes>>),
    Writing {
        write: Op<Write<Bytes>>,
        /// How many bytes of the buffer are written.
        done: usize,
    },
    Seeking(JoinHandle<io::Result<u64>>),
    /// A seek that is over, to be reported.
    Sought(io::Result<u64>),
}

/// What is under way on an open file.
pub(super) struct Engine {
    state: State,
    /// Bytes that were read and not asked for yet, from `unread_start` on. Kept for the allocation.
    unread: Bytes,
    unread_start: usize,
    /// Where the last seek led.
    position: u64,
    /// A write's error that nobody has heard of.
    write_error: Option<io::Error>,
    /// False once this file turned out not to be readable, or writable, at once.
    tries_read: bool,
    tries_write: bool,
    /// Whether clones share the position.
    shares_position: bool,
}

impl Engine {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            unread: Vec::new(),
            unread_start: 0,
            position: 0,
            write_error: None,
            tries_read: true,
            tries_write: true,
            shares_position: false,
        }
    }

    pub(super) fn share_position(&mut self) {
        self.shares_position = true;
    }

    fn unread(&self) -> &[u8] {
        &self.unread[self.unread_start..]
    }

    /// Moves the system's position back to the user's.
    pub(super) fn give_back_unread(&mut self, file: &StdFile) -> io::Result<()> {
        let count = self.unread().len();
        if count == 0 {
            return Ok(());
        }
        match seek(file, SeekFrom::Current(-(count as i64))) {
            // Reads and writes have nothing to do with each other there (invariant 1).
            Err(error) if error.kind() == io::ErrorKind::NotSeekable => return Ok(()),
            result => result?,
        };
        self.unread.clear();
        self.unread_start = 0;
        Ok(())
    }

    /// An empty buffer, to be given back.
    fn take_buf(&mut self) -> Bytes {
        if !self.unread().is_empty() {
            return Vec::new();
        }
        self.unread_start = 0;
        let mut buf = std::mem::take(&mut self.unread);
        buf.clear();
        buf
    }

    /// Keeps a buffer of which no byte counts any more, for the allocation.
    fn give_back_buf(&mut self, buf: Bytes) {
        if self.unread().is_empty() {
            self.unread = buf;
            self.unread.clear();
            self.unread_start = 0;
        }
    }

    /// Waits until nothing is under way, except that a seek's result may wait to be reported.
    pub(super) fn poll_settled(&mut self, file: &Arc<StdFile>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Idle | State::Sought(_) => return Poll::Ready(()),
            State::Reading(read) => {
                let filled = ready!(Pin::new(read).poll(cx));
                self.state = State::Idle;
                self.keep(filled.buf);
                // Nobody asked for this read any more, and the next one gives its error again.
            }
            State::Writing { .. } => ready!(self.poll_written(file, cx)),
            State::Seeking(seek) => {
                let result = match ready!(Pin::new(seek).poll(cx)) {
                    Ok(result) => result,
                    Err(_) => Err(run::not_run()),
                };
                self.sought(result);
            }
        }
        Poll::Ready(())
    }

    /// Takes note of where a seek led. One that failed has moved nothing: what was read ahead is still
    /// to be read.
    fn sought(&mut self, result: io::Result<u64>) {
        if let Ok(position) = result {
            self.position = position;
            self.unread.clear();
            self.unread_start = 0;
        }
        self.state = State::Sought(result);
    }

    fn keep(&mut self, buf: Option<Bytes>) {
        self.unread = buf.unwrap_or_default();
        self.unread_start = 0;
    }

    /// Waits for the write that is under way. Its error is kept.
    fn poll_written(&mut self, file: &Arc<StdFile>, cx: &mut Context<'_>) -> Poll<()> {
        while let State::Writing { write, done } = &mut self.state {
            let sent = ready!(Pin::new(write).poll(cx));
            let done = *done;
            self.state = State::Idle;
            let count = match sent.result {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                other => other,
            };
            match (count, sent.buf) {
                (Ok(count), Some(buf)) if done + count < buf.len() => {
                    self.begin_write(file, buf, done + count);
                }
                (Ok(_), buf) => self.give_back_buf(buf.unwrap_or_default()),
                (Err(error), _) => self.write_error = Some(error),
            }
        }
        Poll::Ready(())
    }

    fn begin_write(&mut self, file: &Arc<StdFile>, buf: Bytes, done: usize) {
        let write = Write::new(file.clone(), buf, done, At::Cursor);
        let write = if self.shares_position {
            run::begin_offloaded(write)
        } else {
            run::begin(write)
        };
        self.state = State::Writing { write, done };
    }

    pub(super) fn poll_read(
        &mut self,
        file: &Arc<StdFile>,
        max: usize,
        cx: &mut Context<'_>,
        dst: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let State::Reading(read) = &mut self.state {
                let filled = ready!(Pin::new(read).poll(cx));
                self.state = State::Idle;
                self.keep(filled.buf);
                let count = filled.result?;
                // The end of the file, which a buffer cannot hold.
                if count == 0 {
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(self.poll_settled(file, cx));
            self.state = State::Idle;
            if dst.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if !self.unread().is_empty() {
                let count = self.unread().len().min(dst.remaining());
                dst.put_slice(&self.unread()[..count]);
                self.unread_start += count;
                return Poll::Ready(Ok(()));
            }
            if let Some(result) = self.read_at_once(file, max, dst) {
                return Poll::Ready(result);
            }
            let mut buf = self.take_buf();
            let len = dst.remaining().min(max);
            buf.reserve(len);
            let read = Read::new(file.clone(), buf, 0, len, At::Cursor);
            self.state = State::Reading(if self.shares_position {
                run::begin_offloaded(read)
            } else {
                run::begin(read)
            });
        }
    }

    /// Reads what the system has in memory straight into `dst`.
    fn read_at_once(
        &mut self,
        file: &StdFile,
        max: usize,
        dst: &mut ReadBuf<'_>,
    ) -> Option<io::Result<()>> {
        if !self.tries_read {
            return None;
        }
        let len = dst.remaining().min(max).min(AT_ONCE_MAX);
        // SAFETY: the bytes are only ever written to.
        let to = unsafe { dst.unfilled_mut() };
        // SAFETY: `to` is valid for writes of `remaining` bytes, which `len` is within.
        match unsafe { now::read(file, to.as_mut_ptr().cast(), len, At::Cursor) } {
            Speculated::Done(Ok(count)) => {
                // SAFETY: the system wrote that many bytes there.
                unsafe { dst.assume_init(count) };
                dst.advance(count);
                Some(Ok(()))
            }
            Speculated::Done(Err(error)) => Some(Err(error)),
            Speculated::NotNow => None,
            Speculated::Never => {
                self.tries_read = false;
                None
            }
        }
    }

    /// Waits until a write may begin, and reports the error of the last one.
    fn poll_writable(&mut self, file: &Arc<StdFile>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_settled(file, cx));
        self.state = State::Idle;
        if let Some(error) = self.write_error.take() {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(self.give_back_unread(file))
    }

    pub(super) fn poll_write(
        &mut self,
        file: &Arc<StdFile>,
        max: usize,
        cx: &mut Context<'_>,
        src: &[&[u8]],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_writable(file, cx))?;
        // The system is not asked: that it takes nothing of nothing says nothing.
        if src.iter().all(|part| part.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        if let [only] = src {
            let len = only.len().min(max).min(AT_ONCE_MAX);
            if let Some(result) = self.write_at_once(file, &only[..len]) {
                return Poll::Ready(result);
            }
        }
        let mut buf = self.take_buf();
        for part in src {
            let room = max - buf.len();
            buf.extend_from_slice(&part[..part.len().min(room)]);
        }
        let count = buf.len();
        if src.len() > 1 {
            let at_once = count.min(AT_ONCE_MAX);
            if let Some(result) = self.write_at_once(file, &buf[..at_once]) {
                self.give_back_buf(buf);
                return Poll::Ready(result);
            }
        }
        self.begin_write(file, buf, 0);
        Poll::Ready(Ok(count))
    }

    fn write_at_once(&mut self, file: &StdFile, src: &[u8]) -> Option<io::Result<usize>> {
        if !self.tries_write {
            return None;
        }
        match now::write(file, src, At::Cursor) {
            Speculated::Done(result) => Some(result),
            Speculated::NotNow => None,
            Speculated::Never => {
                self.tries_write = false;
                None
            }
        }
    }

    pub(super) fn poll_flush(
        &mut self,
        file: &Arc<StdFile>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_settled(file, cx));
        Poll::Ready(match self.write_error.take() {
            Some(error) => Err(error),
            None => Ok(()),
        })
    }

    pub(super) fn start_seek(&mut self, file: &Arc<StdFile>, to: SeekFrom) -> io::Result<()> {
        if !matches!(self.state, State::Idle | State::Sought(_)) {
            return Err(io::Error::other(
                "other file operation is pending, call poll_complete before start_seek",
            ));
        }
        let unread = self.unread().len() as i64;
        let to = match to {
            SeekFrom::Current(by) => match by.checked_sub(unread) {
                Some(by) => SeekFrom::Current(by),
                // In two steps, of which the system judges the second.
                None => {
                    let sought = self.give_back_unread(file).and_then(|()| seek(file, to));
                    self.sought(sought);
                    return Ok(());
                }
            },
            other => other,
        };
        match to {
            // The end is known by whoever keeps the file system, who may have to be asked.
            SeekFrom::End(_) => {
                let file = file.clone();
                let seeking = zokio_runtime::spawn_blocking(move || seek(&file, to));
                self.state = State::Seeking(seeking);
            }
            _ => self.sought(seek(file, to)),
        }
        Ok(())
    }

    pub(super) fn poll_sought(
        &mut self,
        file: &Arc<StdFile>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<u64>> {
        ready!(self.poll_settled(file, cx));
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Sought(result) => Poll::Ready(result),
            _ => Poll::Ready(Ok(self.position)),
        }
    }
}

fn seek(mut file: &StdFile, to: SeekFrom) -> io::Result<u64> {
    file.seek(to)
}
