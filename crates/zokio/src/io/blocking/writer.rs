//! Writes on the blocking pool.

use super::{MAX_BUF_SIZE, lost};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_base::sync::Arc;
use zokio_task::{JoinHandle, coop};

/// The result of a job: the buffer, for its allocation.
type Written = (Vec<u8>, io::Result<()>);

/// The target of a [`Writer`].
pub(crate) trait Output: Send + Sync + 'static {
    /// Writes a part of `buf`, or says that nothing of it was taken.
    fn write(&self, buf: &[u8]) -> io::Result<usize>;

    /// Writes what the stream has in a buffer of its own.
    fn flush(&self) -> io::Result<()>;

    /// Waits until there may be room, after a call has said `WouldBlock`: somebody has set the stream not to
    /// block, which its other users may want, and is no answer to somebody who waits.
    fn wait(&self);

    /// Repeats `call` until it neither would block nor was interrupted.
    fn patiently<R>(&self, mut call: impl FnMut(&Self) -> io::Result<R>) -> io::Result<R>
    where
        Self: Sized,
    {
        loop {
            match call(self) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// Writes all of `buf`. The stream's own `write_all` would not say how far it came.
fn write_all(io: &impl Output, mut buf: &[u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match io.patiently(|io| io.write(buf))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => buf = &buf[written..],
        }
    }
    Ok(())
}

/// Writes to a stream that blocks.
///
/// A write is copied and reported as done; its error, if it has one, is the result of the next write
/// or flush.
pub(crate) struct Writer<T> {
    io: Arc<T>,
    writing: Option<JoinHandle<Written>>,
    /// Kept for the allocation.
    buf: Vec<u8>,
    needs_flush: bool,
}

impl<T> Writer<T> {
    pub(crate) fn new(io: T) -> Self {
        Self {
            io: Arc::new(io),
            writing: None,
            buf: Vec::new(),
            needs_flush: false,
        }
    }

    /// The stream.
    pub(crate) fn get_ref(&self) -> &T {
        &self.io
    }

    /// Waits until nothing is under way, and reports what became of it.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writing) = &mut self.writing else {
            return Poll::Ready(Ok(()));
        };
        let written = ready!(Pin::new(writing).poll(cx));
        self.writing = None;
        let (buf, result) = written.map_err(lost)?;
        self.buf = buf;
        Poll::Ready(result)
    }
}

impl<T: Output> Writer<T> {
    /// Takes bytes over, as many as one job moves.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        src: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_part(cx, src, |src| src.len().min(MAX_BUF_SIZE))
    }

    /// As [`poll_write`](Self::poll_write), for a stream that takes text and must not get half of a
    /// character if it can be helped.
    pub(crate) fn poll_write_text(
        &mut self,
        cx: &mut Context<'_>,
        src: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_part(cx, src, |src| whole_characters(src, MAX_BUF_SIZE))
    }

    fn poll_write_part(
        &mut self,
        cx: &mut Context<'_>,
        src: &[u8],
        part: impl FnOnce(&[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        let unit = ready!(coop::poll_proceed(cx));
        ready!(self.poll_idle(cx))?;
        unit.made_progress();
        if src.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let count = part(src);
        let mut buf = std::mem::take(&mut self.buf);
        buf.clear();
        buf.extend_from_slice(&src[..count]);
        self.begin(buf, |io, buf| write_all(io, buf))?;
        self.needs_flush = true;
        Poll::Ready(Ok(count))
    }

    /// Waits until everything is written and the stream's own buffer is flushed.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_idle(cx))?;
            if !self.needs_flush {
                return Poll::Ready(Ok(()));
            }
            self.needs_flush = false;
            let buf = std::mem::take(&mut self.buf);
            self.begin(buf, |io, _| io.patiently(T::flush))?;
        }
    }

    fn begin(
        &mut self,
        buf: Vec<u8>,
        job: impl FnOnce(&T, &[u8]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let io = self.io.clone();
        self.writing = Some(zokio_runtime::try_spawn_own(move || {
            let result = job(&io, &buf);
            (buf, result)
        })?);
        Ok(())
    }
}

/// How many bytes of `src`, at most `max`, can be written without splitting a character in two. Never
/// none, unless `src` is empty: what is not UTF-8 is no reason to stop.
fn whole_characters(src: &[u8], max: usize) -> usize {
    /// The bytes of a character that follow its first one look like this.
    const fn follows(byte: u8) -> bool {
        byte & 0b1100_0000 == 0b1000_0000
    }
    const FOLLOWING_MAX: usize = 3;

    if src.len() <= max {
        return src.len();
    }
    // `src[max]` exists. If it begins a character, nothing is split.
    let end = (0..=FOLLOWING_MAX)
        .map_while(|back| max.checked_sub(back))
        .find(|&end| !follows(src[end]));
    end.filter(|&end| end > 0).unwrap_or(max)
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole() {
        let text = "aßx€y😀".as_bytes();
        for max in 1..=text.len() {
            let count = whole_characters(text, max);
            assert!(count > 0 && count <= max);
            // Only where not even one fits is one split.
            let fits = std::str::from_utf8(&text[..count]).is_ok();
            assert!(fits, "{max}: {count}");
        }
        assert_eq!(whole_characters("😀😀".as_bytes(), 3), 3);
        assert_eq!(whole_characters("😀😀".as_bytes(), 7), 4);
        assert_eq!(whole_characters(&[0x80; 10], 6), 6);
        assert_eq!(whole_characters(&[], 6), 0);
    }
}
