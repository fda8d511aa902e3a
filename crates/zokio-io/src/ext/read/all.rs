//! Futures that read to the end, and the way the vector grows.
//!
//! - A read has [`PROBE`] bytes of room at least, more if the vector has them.
//! - A vector that was big enough for what was there does not grow merely to find the end: with
//!   less room than that left in the caller's own allocation, the next read goes to the stack.
//! - The memory that a reader has initialised beyond the bytes that it filled is remembered as long as the
//!   allocation stays, so that a reader that initialises does so once.
#![allow(unsafe_code)]

use crate::text::TextBuffer;
use crate::util::poll_retry;
use crate::{AsyncRead, ReadBuf, pace};
use pin_project_lite::pin_project;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The least room for a read, and the size of the one that only looks for the end.
const PROBE: usize = 32;

/// How far a vector was read into.
#[derive(Debug)]
struct Progress {
    /// The vector's capacity at the start: while it has not changed, it is the caller's choice.
    capacity_at_start: usize,
    /// `vec[..initialized]` is initialised memory; at least `vec.len()` once a read was made.
    initialized: usize,
    /// Bytes appended.
    read: usize,
}

impl Progress {
    fn new(vec: &Vec<u8>) -> Self {
        Self {
            capacity_at_start: vec.capacity(),
            initialized: vec.len(),
            read: 0,
        }
    }

    /// Reads to the end of `reader`, appends to `vec`, and returns how many bytes that was.
    fn poll<R: AsyncRead + ?Sized>(
        &mut self,
        vec: &mut Vec<u8>,
        mut reader: Pin<&mut R>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let round = ready!(pace::poll_round(cx));
            let is_short = vec.capacity() - vec.len() < PROBE;
            let is_callers = vec.capacity() == self.capacity_at_start && vec.capacity() >= PROBE;
            let count = if is_short && is_callers {
                ready!(self.poll_probe(vec, reader.as_mut(), cx))?
            } else {
                ready!(self.poll_append(vec, reader.as_mut(), cx))?
            };
            round.made_progress(cx);
            if count == 0 {
                return Poll::Ready(Ok(std::mem::take(&mut self.read)));
            }
            self.read += count;
        }
    }

    /// One read by way of the stack.
    fn poll_probe<R: AsyncRead + ?Sized>(
        &mut self,
        vec: &mut Vec<u8>,
        mut reader: Pin<&mut R>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut memory = [MaybeUninit::uninit(); PROBE];
        let mut buf = ReadBuf::uninit(&mut memory);
        ready!(poll_retry(|| reader.as_mut().poll_read(cx, &mut buf)))?;
        // The vector may move; what is known of its spare memory holds no longer.
        vec.extend_from_slice(buf.filled());
        self.initialized = vec.len();
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// One read into the vector's spare memory.
    fn poll_append<R: AsyncRead + ?Sized>(
        &mut self,
        vec: &mut Vec<u8>,
        mut reader: Pin<&mut R>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if vec.capacity() - vec.len() < PROBE {
            vec.reserve(PROBE);
            self.initialized = vec.len();
        }
        let length = vec.len();
        let known = self.initialized.saturating_sub(length);
        let mut buf = ReadBuf::uninit(vec.spare_capacity_mut());
        // SAFETY: the field's promise: up to `initialized` this allocation is initialised.
        unsafe { buf.assume_init(known) };
        let start = buf.filled().as_ptr();
        let result = poll_retry(|| reader.as_mut().poll_read(cx, &mut buf));
        // A reader may have put another buffer in this one's place.
        assert_eq!(
            buf.filled().as_ptr(),
            start,
            "the reader swapped the buffer"
        );
        let count = buf.filled().len();
        self.initialized = length + buf.initialized().len();
        ready!(result)?;
        // SAFETY: the reader has filled that many bytes of the spare memory, and what is filled is
        // initialised.
        unsafe { vec.set_len(length + count) };
        Poll::Ready(Ok(count))
    }
}

pin_project! {
    /// Future of [`AsyncReadExt::read_to_end`](crate::AsyncReadExt::read_to_end).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ReadToEnd<'a, R: ?Sized> {
        reader: &'a mut R,
        buf: &'a mut Vec<u8>,
        progress: Progress,
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<'a, R: ?Sized> ReadToEnd<'a, R> {
    pub(super) fn new(reader: &'a mut R, buf: &'a mut Vec<u8>) -> Self {
        Self {
            reader,
            progress: Progress::new(buf),
            buf,
            _pin: PhantomPinned,
        }
    }
}

impl<R: AsyncRead + ?Sized + Unpin> Future for ReadToEnd<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        me.progress.poll(me.buf, Pin::new(&mut **me.reader), cx)
    }
}

pin_project! {
    /// Future of [`AsyncReadExt::read_to_string`](crate::AsyncReadExt::read_to_string).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct ReadToString<'a, R: ?Sized> {
        reader: &'a mut R,
        text: TextBuffer<'a>,
        progress: Progress,
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<'a, R: ?Sized> ReadToString<'a, R> {
    pub(super) fn new(reader: &'a mut R, mut text: TextBuffer<'a>) -> Self {
        Self {
            reader,
            progress: Progress::new(text.bytes()),
            text,
            _pin: PhantomPinned,
        }
    }
}

impl<R: AsyncRead + ?Sized + Unpin> Future for ReadToString<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        let reader = Pin::new(&mut **me.reader);
        let result = ready!(me.progress.poll(me.text.bytes(), reader, cx));
        // The text takes the allocation away.
        me.progress.initialized = 0;
        Poll::Ready(me.text.finish_all_or_nothing(result))
    }
}
