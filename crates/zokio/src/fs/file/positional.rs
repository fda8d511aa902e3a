//! Reading and writing at an offset, with buffers that are given away and come back.
//!
//! Cached bytes are read at once, on the calling thread. An operation that has to wait goes to the ring or
//! the blocking pool with its buffer and a reference to the file. So any number of operations may be under
//! way on one file, in any order, and none of them waits for another.
//!
//! Invariants:
//!
//! 1. The cursor and what [`Engine`](super::engine::Engine) has read ahead are not touched.
//! 2. A buffer is in the operation, or on its way back in the result, and nowhere else.

use super::File;
use crate::fs::batch::{BeginsApart, InBatch};
use crate::fs::run;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_driver::buf::{self, IoBuf, IoBufMut};
use zokio_driver::op::{At, Backends, Filled, Op, OpenFile, Read, Sent, Write};
use zokio_task::coop;

/// The most that is copied on the calling thread: a copy of more would keep others waiting.
const AT_ONCE_MAX: usize = 256 * 1024;

/// The message of the panic where the system has kept a buffer.
const KEPT: &str = "the runtime was shut down, and the system did not give the buffer back";

/// An operation on its way, with the buffer `B`.
#[derive(Debug)]
enum Stage<B, O: Backends> {
    /// Not begun.
    Ready(B),
    /// Begun.
    UnderWay(Op<O>),
    /// Over, or elsewhere.
    Gone,
}

impl<B, O: Backends> Stage<B, O> {
    fn take_ready(&mut self) -> B {
        match std::mem::replace(self, Self::Gone) {
            Self::Ready(buf) => buf,
            _ => panic!("polled after it was ready"),
        }
    }

    fn poll_under_way(&mut self, cx: &mut Context<'_>) -> Poll<O::Output> {
        let Self::UnderWay(op) = self else {
            panic!("polled after it was ready");
        };
        let output = ready!(Pin::new(op).poll(cx));
        *self = Self::Gone;
        Poll::Ready(output)
    }
}

/// The parts in which reading and writing differ.
trait Transfer: Backends {
    type Buf;
    /// The error of a transfer of everything that moves nothing more.
    const ENDED: io::ErrorKind;

    /// The operation on the part of `buf` behind `done`, up to `len` bytes of it.
    fn prepare(file: Arc<OpenFile>, buf: Self::Buf, done: usize, len: usize, at: At) -> Self;

    /// The same at once. The buffer alone if it would have to wait.
    fn now(
        file: &OpenFile,
        buf: Self::Buf,
        done: usize,
        len: usize,
        at: At,
    ) -> Result<Self::Output, Self::Buf>;

    /// The result, and the buffer unless the system has kept it.
    fn take_apart(output: Self::Output) -> (io::Result<usize>, Option<Self::Buf>);

    /// Has the buffer say that `done` bytes of it count.
    fn note(buf: &mut Self::Buf, done: usize);
}

impl<B: IoBufMut> Transfer for Read<B> {
    type Buf = B;
    const ENDED: io::ErrorKind = io::ErrorKind::UnexpectedEof;

    fn prepare(file: Arc<OpenFile>, buf: B, done: usize, len: usize, at: At) -> Self {
        Read::new(file, buf, done, len, at)
    }

    fn now(file: &OpenFile, buf: B, done: usize, len: usize, at: At) -> Result<Filled<B>, B> {
        Read::now(file, buf, done, len, at)
    }

    fn take_apart(filled: Filled<B>) -> (io::Result<usize>, Option<B>) {
        (filled.result, filled.buf)
    }

    fn note(buf: &mut B, done: usize) {
        buf::truncate(buf, done);
    }
}

/// Writes go to the end of their buffer, which is what `len` says.
impl<B: IoBuf> Transfer for Write<B> {
    type Buf = B;
    const ENDED: io::ErrorKind = io::ErrorKind::WriteZero;

    fn prepare(file: Arc<OpenFile>, buf: B, done: usize, _len: usize, at: At) -> Self {
        Write::new(file, buf, done, at)
    }

    fn now(file: &OpenFile, buf: B, done: usize, _len: usize, at: At) -> Result<Sent<B>, B> {
        Write::now(file, buf, done, at)
    }

    fn take_apart(sent: Sent<B>) -> (io::Result<usize>, Option<B>) {
        (sent.result, sent.buf)
    }

    fn note(_buf: &mut B, _done: usize) {}
}

/// The core of the futures here: one transfer, or as many as it takes if `is_exact`.
#[derive(Debug)]
struct Steps<T: Transfer> {
    file: Arc<OpenFile>,
    stage: Stage<T::Buf, T>,
    offset: u64,
    done: usize,
    end: usize,
    is_exact: bool,
    is_begun: bool,
}

/// A result with the buffer that was given away for it.
type Outcome<T> = (io::Result<usize>, <T as Transfer>::Buf);

impl<T: Transfer> Steps<T> {
    fn new(file: &File, buf: T::Buf, end: usize, offset: u64, is_exact: bool) -> Self {
        Self {
            file: file.std.clone(),
            stage: Stage::Ready(buf),
            offset,
            done: 0,
            end,
            is_exact,
            is_begun: false,
        }
    }

    /// Takes note of what a step brought. None if another step is needed.
    fn step(&mut self, output: T::Output) -> Option<Outcome<T>> {
        let (result, buf) = T::take_apart(output);
        let mut buf = buf.expect(KEPT);
        let count = match result {
            Ok(count) => count,
            Err(error) => return Some((Err(error), buf)),
        };
        self.done += count;
        T::note(&mut buf, self.done);
        if !self.is_exact || self.done == self.end {
            return Some((Ok(self.done), buf));
        }
        if count == 0 {
            return Some((Err(T::ENDED.into()), buf));
        }
        self.stage = Stage::Ready(buf);
        None
    }

    /// Where the next step goes on. Offsets that a file can have leave room for any count.
    fn at(&self) -> At {
        At::Offset(self.offset.saturating_add(self.done as u64))
    }

    /// Does what can be done without waiting, if there is a runtime. None if the rest has to wait.
    fn at_once(&mut self) -> Option<Outcome<T>> {
        self.is_begun = true;
        if let Err(why) = run::require_runtime() {
            return Some((Err(why), self.stage.take_ready()));
        }
        while self.end - self.done <= AT_ONCE_MAX {
            let (buf, len) = (self.stage.take_ready(), self.end - self.done);
            match T::now(&self.file, buf, self.done, len, self.at()) {
                Ok(output) => {
                    if let Some(outcome) = self.step(output) {
                        return Some(outcome);
                    }
                }
                Err(buf) => {
                    self.stage = Stage::Ready(buf);
                    return None;
                }
            }
        }
        None
    }

    /// The operation that has to wait, to be begun.
    fn take_operation(&mut self) -> T {
        let (buf, len) = (self.stage.take_ready(), self.end - self.done);
        T::prepare(self.file.clone(), buf, self.done, len, self.at())
    }

    /// That operation, begun.
    fn resume(&mut self, op: Op<T>) {
        self.stage = Stage::UnderWay(op);
    }

    /// Begins what has to wait.
    fn begin(&mut self) {
        let operation = self.take_operation();
        self.resume(run::begin(operation));
    }

    /// All of it: at once if that can be, otherwise as an operation of its own.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        let unit = ready!(coop::poll_proceed(cx));
        if !self.is_begun {
            if let Some(outcome) = self.at_once() {
                unit.made_progress();
                return Poll::Ready(outcome);
            }
            self.begin();
        }
        loop {
            let output = ready!(self.stage.poll_under_way(cx));
            if let Some(outcome) = self.step(output) {
                unit.made_progress();
                return Poll::Ready(outcome);
            }
            self.begin();
        }
    }
}

/// Makes the public future of some steps.
macro_rules! future {
    ($(#[$doc:meta])* $name:ident<B: $bound:ident> of $operation:ident, $count:ty, $finish:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "futures do nothing unless they are awaited or polled"]
        pub struct $name<B: $bound> {
            steps: Steps<$operation<B>>,
        }

        impl<B: $bound> $name<B> {
            /// Turns the outcome of the steps into the caller's result.
            fn finish(
                (result, buf): (io::Result<usize>, B),
            ) -> (io::Result<$count>, B) {
                (result.map($finish), buf)
            }
        }

        impl<B: $bound> Unpin for $name<B> {}

        impl<B: $bound> Future for $name<B> {
            type Output = (io::Result<$count>, B);

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                self.get_mut().steps.poll(cx).map(Self::finish)
            }
        }

        impl<B: $bound> BeginsApart for $name<B> {
            type Operation = $operation<B>;

            fn at_once(&mut self) -> Option<Self::Output> {
                self.steps.at_once().map(Self::finish)
            }

            fn take_operation(&mut self) -> Self::Operation {
                self.steps.take_operation()
            }

            fn resume(&mut self, op: Op<Self::Operation>) {
                self.steps.resume(op);
            }
        }

        impl<B: $bound> InBatch for $name<B> {}
    };
}

future! {
    /// The future of [`File::read_at`].
    ReadAt<B: IoBufMut> of Read, usize, |count| count
}

future! {
    /// The future of [`File::read_exact_at`].
    ReadExactAt<B: IoBufMut> of Read, (), |_| ()
}

future! {
    /// The future of [`File::write_at`].
    WriteAt<B: IoBuf> of Write, usize, |count| count
}

future! {
    /// The future of [`File::write_all_at`].
    WriteAllAt<B: IoBuf> of Write, (), |_| ()
}

/// # At an offset
///
/// These take a buffer and give it back with the result, whatever that is. They leave the position
/// alone, except on Windows, where it is afterwards where one of them ended. Any number of
/// them may be under way on one file; which of them the system does first is not said. What was
/// written through [`AsyncWrite`](zokio_io::AsyncWrite) they see once it was flushed.
///
/// The futures own a handle of the file, so that they can be moved to a task.
impl File {
    /// Reads once, at `offset`, from the beginning of `buf` up to its capacity. Returns how many bytes
    /// that were, 0 at the end of the file, and the buffer; a buffer whose length can change has that
    /// length then.
    ///
    /// Less than there is room for may be read before the end of the file, too.
    ///
    /// # Errors
    /// Those of `pread(2)`: among others for a pipe, which has no offsets.
    ///
    /// # Panics
    /// Outside of a runtime; and if the runtime was shut down while the system would not end the
    /// read, which then keeps the buffer.
    ///
    /// # Cancel safety
    /// Dropped, what was read is lost, and the buffer is freed once the system is done with it. The
    /// position has not moved, so that the bytes can be read again.
    ///
    /// # Examples
    /// ```
    /// use zokio::fs::File;
    ///
    /// # #[zokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("read_at-{}", std::process::id()));
    /// # zokio::fs::write(&path, "0123456789").await?;
    /// let file = File::open(&path).await?;
    /// let (head, tail) = zokio::join!(
    ///     file.read_at(Vec::with_capacity(4), 0),
    ///     file.read_at(Vec::with_capacity(4), 8),
    /// );
    /// assert_eq!((head.0?, head.1), (4, b"0123".to_vec()));
    /// assert_eq!((tail.0?, tail.1), (2, b"89".to_vec()));
    /// # zokio::fs::remove_file(&path).await
    /// # }
    /// ```
    pub fn read_at<B: IoBufMut>(&self, buf: B, offset: u64) -> ReadAt<B> {
        let room = buf.bytes_capacity();
        let steps = Steps::new(self, buf, room, offset, false);
        ReadAt { steps }
    }

    /// Reads `len` bytes at `offset` to the beginning of `buf`. Returns the buffer, too; if its length
    /// can change it is as many bytes as were read.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; otherwise as [`read_at`](Self::read_at).
    ///
    /// # Panics
    /// If `buf` has no room for `len` bytes. Otherwise as [`read_at`](Self::read_at).
    ///
    /// # Cancel safety
    /// As [`read_at`](Self::read_at).
    ///
    /// # Examples
    /// ```
    /// use zokio::fs::File;
    ///
    /// # #[zokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("read_exact_at-{}", std::process::id()));
    /// # zokio::fs::write(&path, "0123456789").await?;
    /// let file = File::open(&path).await?;
    /// let block = vec![0; 8].into_boxed_slice();
    /// let (result, block) = file.read_exact_at(block, 4, 3).await;
    /// result?;
    /// assert_eq!(&block[..4], b"3456");
    /// let (result, _) = file.read_exact_at(block, 8, 3).await;
    /// assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    /// # zokio::fs::remove_file(&path).await
    /// # }
    /// ```
    #[track_caller]
    pub fn read_exact_at<B: IoBufMut>(&self, buf: B, len: usize, offset: u64) -> ReadExactAt<B> {
        let room = buf.bytes_capacity();
        assert!(
            len <= room,
            "the buffer has room for {room} bytes, {len} are to be read: give it a greater capacity"
        );
        let steps = Steps::new(self, buf, len, offset, true);
        ReadExactAt { steps }
    }

    /// Writes the bytes of `buf` at `offset`, once. Returns how many were written, and the buffer.
    ///
    /// Behind the end, the file is filled up with zeros. On Linux, a file that was opened for
    /// appending is written at its end, whatever the offset.
    ///
    /// # Errors
    /// Those of `pwrite(2)`: among others for a pipe, which has no offsets.
    ///
    /// # Panics
    /// As [`read_at`](Self::read_at).
    ///
    /// # Cancel safety
    /// Dropped once begun, it is carried out all the same.
    ///
    /// # Examples
    /// ```
    /// use zokio::fs::File;
    ///
    /// # #[zokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("write_at-{}", std::process::id()));
    /// let file = File::create(&path).await?;
    /// let (result, buf) = file.write_at(b"456".to_vec(), 4).await;
    /// assert_eq!((result?, buf), (3, b"456".to_vec()));
    /// assert_eq!(zokio::fs::read(&path).await?, b"\0\0\0\x00456");
    /// # zokio::fs::remove_file(&path).await
    /// # }
    /// ```
    pub fn write_at<B: IoBuf>(&self, buf: B, offset: u64) -> WriteAt<B> {
        let end = buf.bytes_len();
        let steps = Steps::new(self, buf, end, offset, false);
        WriteAt { steps }
    }

    /// Writes all bytes of `buf` at `offset`. Returns the buffer, too.
    ///
    /// # Errors
    /// `WriteZero` if the system takes nothing more; otherwise as [`write_at`](Self::write_at). A
    /// part may have been written.
    ///
    /// # Panics
    /// As [`read_at`](Self::read_at).
    ///
    /// # Cancel safety
    /// Dropped once begun, the step that is under way is carried out all the same; what the system
    /// left for another step is not.
    ///
    /// # Examples
    /// ```
    /// use zokio::fs::File;
    ///
    /// # #[zokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("write_all_at-{}", std::process::id()));
    /// let file = File::create(&path).await?;
    /// let (first, second) = zokio::join!(
    ///     file.write_all_at("world", 7),
    ///     file.write_all_at("hello, ", 0),
    /// );
    /// first.0.and(second.0)?;
    /// assert_eq!(zokio::fs::read_to_string(&path).await?, "hello, world");
    /// # zokio::fs::remove_file(&path).await
    /// # }
    /// ```
    pub fn write_all_at<B: IoBuf>(&self, buf: B, offset: u64) -> WriteAllAt<B> {
        let end = buf.bytes_len();
        let steps = Steps::new(self, buf, end, offset, true);
        WriteAllAt { steps }
    }
}
