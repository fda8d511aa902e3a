//! A reader and a writer that do what a script says: so many bytes, wait, fail.

use crate::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use std::collections::VecDeque;
use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

/// One step of a script.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// At most so many bytes pass.
    Pass(usize),
    /// The task has to come again.
    Wait,
    /// An error.
    Fail(io::ErrorKind),
}

/// Reads `data`, writes to `written`, step by step. Without steps everything passes.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) data: VecDeque<u8>,
    pub(crate) written: Vec<u8>,
    pub(crate) reads: VecDeque<Step>,
    pub(crate) writes: VecDeque<Step>,
    pub(crate) vectored: bool,
    pub(crate) flushes: usize,
    pub(crate) shutdowns: usize,
    /// Position, for seeks: counts bytes read and written.
    pub(crate) position: u64,
    pub(crate) seeks: Vec<SeekFrom>,
    /// Steps of the ends of seeks.
    pub(crate) arrivals: VecDeque<Step>,
}

impl Script {
    pub(crate) fn reading(data: &[u8], steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            data: data.iter().copied().collect(),
            reads: steps.into_iter().collect(),
            ..Self::default()
        }
    }

    pub(crate) fn writing(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            writes: steps.into_iter().collect(),
            ..Self::default()
        }
    }
}

fn next(steps: &mut VecDeque<Step>, cx: &Context<'_>) -> Poll<io::Result<usize>> {
    match steps.pop_front() {
        None => Poll::Ready(Ok(usize::MAX)),
        Some(Step::Pass(count)) => Poll::Ready(Ok(count)),
        Some(Step::Fail(kind)) => Poll::Ready(Err(kind.into())),
        Some(Step::Wait) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = std::task::ready!(next(&mut self.reads, cx))?;
        let count = count.min(buf.remaining()).min(self.data.len());
        for byte in self.data.drain(..count) {
            buf.put_slice(&[byte]);
        }
        self.position += count as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = std::task::ready!(next(&mut self.writes, cx))?.min(buf.len());
        self.written.extend_from_slice(&buf[..count]);
        self.position += count as u64;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shutdowns += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let most = std::task::ready!(next(&mut self.writes, cx))?;
        let joined: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let count = most.min(joined.len());
        self.written.extend_from_slice(&joined[..count]);
        self.position += count as u64;
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }
}

impl AsyncSeek for Script {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        self.seeks.push(position);
        self.position = match position {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self
                .position
                .checked_add_signed(by)
                .ok_or(io::ErrorKind::InvalidInput)?,
            SeekFrom::End(_) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        std::task::ready!(next(&mut self.arrivals, cx))?;
        Poll::Ready(Ok(self.position))
    }
}
