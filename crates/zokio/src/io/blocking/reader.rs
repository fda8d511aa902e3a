//! Reads on the blocking pool.

use super::{MAX_BUF_SIZE, lost};
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_base::sync::Arc;
use zokio_io::ReadBuf;
use zokio_task::{JoinHandle, coop};

/// What a job returns: the buffer, which holds what was read.
type Filled = (Vec<u8>, io::Result<()>);

/// Reads from a stream that blocks.
pub(crate) struct Reader<T> {
    io: Arc<T>,
    reading: Option<JoinHandle<Filled>>,
    /// What was read and not asked for yet, from `start` on. Kept for the allocation.
    unread: Vec<u8>,
    start: usize,
}

impl<T> Reader<T> {
    pub(crate) fn new(io: T) -> Self {
        Self {
            io: Arc::new(io),
            reading: None,
            unread: Vec::new(),
            start: 0,
        }
    }

    /// The stream.
    pub(crate) fn get_ref(&self) -> &T {
        &self.io
    }
}

impl<T: Send + Sync + 'static> Reader<T>
where
    for<'a> &'a T: Read,
{
    /// Reads at least one byte, unless the stream has ended or `dst` is full.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        dst: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unit = ready!(coop::poll_proceed(cx));
        if dst.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.start == self.unread.len() {
            // While a job runs there is nothing unread either, so this comes here again.
            self.start = 0;
            self.unread.clear();
            let room = dst.remaining();
            let reading = match &mut self.reading {
                Some(reading) => reading,
                None => {
                    let begun = begin(&self.io, std::mem::take(&mut self.unread), room)?;
                    self.reading.insert(begun)
                }
            };
            let filled = ready!(Pin::new(reading).poll(cx));
            self.reading = None;
            let (buf, result) = filled.map_err(lost)?;
            self.unread = buf;
            result?;
        }
        unit.made_progress();
        let unread = &self.unread[self.start..];
        let count = unread.len().min(dst.remaining());
        dst.put_slice(&unread[..count]);
        self.start += count;
        Poll::Ready(Ok(()))
    }
}

/// Reads up to `room` bytes on the pool. The buffer is empty if and only if the stream has ended, or
/// has failed.
fn begin<T: Send + Sync + 'static>(
    io: &Arc<T>,
    mut buf: Vec<u8>,
    room: usize,
) -> io::Result<JoinHandle<Filled>>
where
    for<'a> &'a T: Read,
{
    let io = io.clone();
    zokio_runtime::try_spawn_blocking(move || {
        buf.resize(room.min(MAX_BUF_SIZE), 0);
        let result = loop {
            match (&*io).read(&mut buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        buf.truncate(*result.as_ref().unwrap_or(&0));
        (buf, result.map(|_| ()))
    })
}
