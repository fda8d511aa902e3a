//! The operation that is under way on an open file: one at a time.
//!
//! ```text
//!            read that has to wait            write that has to wait
//! Reading ◀──────────────────────── Idle ────────────────────────▶ Writing ──┐ failed: the rest
//!    └── bytes wait in `unread` ────▶ │ ◀───────────────────────────┘ ◀────────┘ is kept
//!                                     │ seek that may wait
//!                                     ├──────────▶ Seeking ──▶ Sought ──▶ Idle
//!                                     └──────────▶ GivingBack ──▶ Idle
//! ```
//!
//! Invariants:
//!
//! 1. `unread` holds bytes that the system's position is past and the user's is not. Before the
//!    position is used for anything but reading on, it is moved back by that many. What has no
//!    position (a pipe, a terminal) is written regardless, and `unread` stays.
//! 2. Bytes that were reported as written are written, or their error is told. A write that fails leaves
//!    its rest in `failed`. The next call that promises something (a write, a flush, a sync, a change of the
//!    length) tells the error; each one after it tries the rest again first, and succeeds only if that does.
//!    So nothing is written behind a gap, and no success is reported for bytes that are gone. Reading or
//!    seeking moves the position away from where the rest belongs, and drops it; the error stays to be told.
//!    A change of the length drops it as well, once the error was told.
//!    A file that takes no write at all has no rest: its error is told once.
//! 3. Two operations at the position are never under way together: not here, and, where others may share
//!    the position, not on the ring, which does not lock it.
//!    Nor is a change of the length under way beside anything else: one that was given up still comes before
//!    what is asked for after it.
//! 4. The calling thread takes the position's lock only if nobody else can hold it for long: a clone that
//!    waits for a server in the middle of a read holds it.
#![allow(unsafe_code)]

use crate::fs::run;
use std::fs::File as StdFile;
use std::future::Future;
use std::io::{self, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_driver::op::{At, Op, OpenFile, Read, Sent, Speculated, Write, now};
use zokio_io::ReadBuf;
use zokio_task::JoinHandle;

type Bytes = Vec<u8>;

/// The most that is moved at once on the calling thread: a copy of more would keep others waiting.
const AT_ONCE_MAX: usize = 256 * 1024;

enum State {
    Idle,
    Reading(Op<Read<Bytes>>),
    Writing(Op<Write<Bytes>>),
    Seeking(JoinHandle<io::Result<u64>>),
    /// The system's position is on its way back to the user's.
    GivingBack(JoinHandle<io::Result<u64>>),
    /// A seek that is over, to be reported.
    Sought(io::Result<u64>),
}

/// A write that failed.
struct Failed {
    /// None once somebody was told.
    untold: Option<io::Error>,
    /// The unwritten bytes, behind the first `done` of them. None if they do not belong where the position
    /// is now, or are lost.
    rest: Option<Bytes>,
    done: usize,
}

/// The state of an open file: the operation under way, and the bytes around it.
pub(super) struct Engine {
    state: State,
    /// A change of the length that is under way, beside a seek's result at most (invariant 3).
    resizing: Option<JoinHandle<io::Result<()>>>,
    /// Bytes that were read and not asked for yet, from `unread_start` on. Kept for the allocation.
    unread: Bytes,
    unread_start: usize,
    /// Where the last seek led.
    position: u64,
    /// Invariant 2.
    failed: Option<Failed>,
    /// False once this file turned out not to be readable, or writable, at once.
    tries_read: bool,
    tries_write: bool,
    /// Whether clones share the position.
    shares_position: bool,
    /// Whether the file was opened elsewhere, where it may have been cloned.
    is_foreign: bool,
    /// The file turned out to have no position.
    has_no_position: bool,
}

impl Engine {
    pub(super) fn new(is_foreign: bool) -> Self {
        Self {
            state: State::Idle,
            resizing: None,
            unread: Vec::new(),
            unread_start: 0,
            position: 0,
            failed: None,
            tries_read: true,
            tries_write: true,
            shares_position: false,
            is_foreign,
            has_no_position: false,
        }
    }

    pub(super) fn share_position(&mut self) {
        self.shares_position = true;
    }

    fn unread(&self) -> &[u8] {
        &self.unread[self.unread_start..]
    }

    /// Whether operations at the position go to the pool, which locks it (invariant 3).
    fn needs_pool(&self, file: &OpenFile) -> bool {
        self.shares_position || (self.is_foreign && file.is_remote())
    }

    /// Whether the position may be moved by the calling thread (invariant 4).
    fn seeks_at_once(&self, file: &OpenFile) -> bool {
        !self.shares_position && file.moves_at_once()
    }

    /// Moves the system's position back to the user's.
    pub(super) fn poll_given_back(
        &mut self,
        file: &Arc<OpenFile>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let result = if let State::GivingBack(seek) = &mut self.state {
            let result = ready!(Pin::new(seek).poll(cx)).unwrap_or_else(|_| Err(run::not_run()));
            self.state = State::Idle;
            result
        } else {
            let count = self.unread().len();
            // Reads and writes have nothing to do with each other where there is no position.
            if count == 0 || self.has_no_position {
                return Poll::Ready(Ok(()));
            }
            let back = SeekFrom::Current(-(count as i64));
            if !self.seeks_at_once(file) {
                self.state = State::GivingBack(begin_seek(file, back));
                return self.poll_given_back(file, cx);
            }
            seek(file, back)
        };
        Poll::Ready(self.given_back(result))
    }

    /// Takes note of what came of moving the position back.
    fn given_back(&mut self, result: io::Result<u64>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotSeekable => {
                self.has_no_position = true;
                return Ok(());
            }
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
    pub(super) fn poll_settled(&mut self, file: &Arc<OpenFile>, cx: &mut Context<'_>) -> Poll<()> {
        // Its caller is gone, and with it whoever would hear of an error.
        let _ = ready!(self.poll_resized(cx));
        match &mut self.state {
            State::Idle | State::Sought(_) => return Poll::Ready(()),
            State::Reading(read) => {
                let filled = ready!(Pin::new(read).poll(cx));
                self.state = State::Idle;
                self.keep(filled.buf);
                // Nobody asked for this read any more, and the next one gives its error again.
            }
            State::Writing(write) => {
                let sent = ready!(Pin::new(write).poll(cx));
                self.state = State::Idle;
                self.written(sent);
            }
            State::GivingBack(_) => {
                // Its caller is gone. Failed, it leaves the bytes to be read.
                let _ = ready!(self.poll_given_back(file, cx));
            }
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

    /// Takes note of what a write has brought (invariant 2).
    fn written(&mut self, sent: Sent<Bytes>) {
        match sent.result {
            Ok(_) => self.give_back_buf(sent.buf.unwrap_or_default()),
            Err(error) => {
                self.failed = Some(Failed {
                    rest: sent.buf.filter(|_| may_succeed_later(&error)),
                    untold: Some(error),
                    done: sent.end,
                });
            }
        }
    }

    fn begin_write(&mut self, file: &Arc<OpenFile>, buf: Bytes, done: usize) {
        let write = Write::whole(file.clone(), buf, done);
        let write = if self.needs_pool(file) {
            run::begin_offloaded(write)
        } else {
            run::begin(write)
        };
        self.state = State::Writing(write);
    }

    /// Waits until all that was reported as written is. An error of it that nobody was told is told;
    /// otherwise the rest of what failed is tried again.
    ///
    /// A result of a seek that waits to be reported stays.
    pub(super) fn poll_promise(
        &mut self,
        file: &Arc<OpenFile>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_settled(file, cx));
            let Some(failed) = &mut self.failed else {
                return Poll::Ready(Ok(()));
            };
            if let Some(error) = failed.untold.take() {
                return Poll::Ready(Err(error));
            }
            let (rest, done) = (failed.rest.take(), failed.done);
            self.failed = None;
            if let Some(rest) = rest {
                self.begin_write(file, rest, done);
            }
        }
    }

    /// Begins to change the length to `size`, once nothing else is under way. Its end is
    /// [`poll_resized`](Self::poll_resized)'s.
    pub(super) fn poll_resize(
        &mut self,
        file: &Arc<OpenFile>,
        size: u64,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_taken_over(file, cx))?;
        // Bytes that were read ahead may not be there any more.
        ready!(self.poll_given_back(file, cx))?;
        let file = file.clone();
        self.resizing = Some(zokio_runtime::spawn_own(move || file.set_len(size)));
        Poll::Ready(Ok(()))
    }

    /// Waits until no change of the length is under way.
    pub(super) fn poll_resized(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(resizing) = &mut self.resizing else {
            return Poll::Ready(Ok(()));
        };
        let resized = ready!(Pin::new(resizing).poll(cx));
        self.resizing = None;
        Poll::Ready(resized.unwrap_or_else(|_| Err(run::not_run())))
    }

    /// Waits until nothing is under way, and tells an error that nobody was told. What is left of a write
    /// whose error was told is given up: the caller changes what it belongs to, as a program does that makes
    /// room after a write that did not fit.
    fn poll_taken_over(
        &mut self,
        file: &Arc<OpenFile>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_settled(file, cx));
        match self.failed.as_mut().and_then(|failed| failed.untold.take()) {
            Some(error) => Poll::Ready(Err(error)),
            None => {
                self.failed = None;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// The position moves: what is left of a write that failed has no place any more.
    fn leave_rest(&mut self) {
        if let Some(failed) = &mut self.failed {
            failed.rest = None;
        }
    }

    pub(super) fn poll_read(
        &mut self,
        file: &Arc<OpenFile>,
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
            self.leave_rest();
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
            self.state = State::Reading(if self.needs_pool(file) {
                run::begin_offloaded(read)
            } else {
                run::begin(read)
            });
        }
    }

    /// Reads what the system has in memory straight into `dst`.
    fn read_at_once(
        &mut self,
        file: &OpenFile,
        max: usize,
        dst: &mut ReadBuf<'_>,
    ) -> Option<io::Result<()>> {
        if !self.tries_read || self.shares_position || file.is_remote() {
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
    fn poll_writable(
        &mut self,
        file: &Arc<OpenFile>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_promise(file, cx))?;
        self.state = State::Idle;
        self.poll_given_back(file, cx)
    }

    pub(super) fn poll_write(
        &mut self,
        file: &Arc<OpenFile>,
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

    fn write_at_once(&mut self, file: &OpenFile, src: &[u8]) -> Option<io::Result<usize>> {
        if !self.tries_write || self.shares_position || file.is_remote() {
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

    pub(super) fn start_seek(&mut self, file: &Arc<OpenFile>, to: SeekFrom) -> io::Result<()> {
        if self.resizing.is_some() || !matches!(self.state, State::Idle | State::Sought(_)) {
            return Err(io::Error::other(
                "other file operation is pending, call poll_complete before start_seek",
            ));
        }
        self.leave_rest();
        let unread = self.unread().len() as i64;
        let to = match to {
            // Nowhere: the system refuses what would be in front of the file, however far.
            SeekFrom::Current(by) => SeekFrom::Current(by.saturating_sub(unread)),
            other => other,
        };
        // The end is known by whoever keeps the file system, who may have to be asked.
        if matches!(to, SeekFrom::End(_)) || !self.seeks_at_once(file) {
            self.state = State::Seeking(begin_seek(file, to));
        } else {
            self.sought(seek(file, to));
        }
        Ok(())
    }

    pub(super) fn poll_sought(
        &mut self,
        file: &Arc<OpenFile>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<u64>> {
        ready!(self.poll_settled(file, cx));
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Sought(result) => Poll::Ready(result),
            _ => Poll::Ready(Ok(self.position)),
        }
    }
}

/// Whether a write that has failed so may succeed when it is tried again. One to a file that is not open for
/// writing, or that nobody reads any more, fails for ever, and no other can succeed behind it.
fn may_succeed_later(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_refused = matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINVAL));
    #[cfg(not(unix))]
    let is_refused = error.kind() == io::ErrorKind::PermissionDenied;
    !is_refused && error.kind() != io::ErrorKind::BrokenPipe
}

fn begin_seek(file: &Arc<OpenFile>, to: SeekFrom) -> JoinHandle<io::Result<u64>> {
    let file = file.clone();
    zokio_runtime::spawn_own(move || seek(&file, to))
}

fn seek(mut file: &StdFile, to: SeekFrom) -> io::Result<u64> {
    file.seek(to)
}
