//! Reads on the blocking pool.
//!
//! A read that waits for others can be ended: it is when nobody can ask for its bytes any more, and when the
//! runtime shuts down.

use super::{MAX_BUF_SIZE, lost};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_base::park::Interrupt;
use zokio_base::sync::Arc;
use zokio_driver::bell::Bell;
use zokio_io::ReadBuf;
use zokio_task::{JoinHandle, coop};

/// The result of a job: the buffer, which holds the bytes that were read.
type Filled = (Vec<u8>, io::Result<()>);

/// The source of a [`Reader`].
pub(crate) trait Input: Send + Sync + 'static {
    /// Reads at least one byte, at most as many as `buf` has room for, unless the stream has ended. Waits
    /// until `bell` is rung; then it reads nothing, and fails.
    fn read(&self, buf: &mut [u8], bell: &Bell) -> io::Result<usize>;
}

/// Reads from a stream that blocks.
pub(crate) struct Reader<T> {
    io: Arc<T>,
    /// Ends the wait of the job that is under way.
    bell: Arc<Bell>,
    reading: Option<JoinHandle<Filled>>,
    /// Bytes that were read and not asked for yet, from `start` on. Kept for the allocation.
    unread: Vec<u8>,
    start: usize,
}

impl<T> Reader<T> {
    pub(crate) fn new(io: T) -> Self {
        Self {
            io: Arc::new(io),
            bell: Bell::new(),
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

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.bell.ring();
    }
}

impl<T: Input> Reader<T> {
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
                    let buf = std::mem::take(&mut self.unread);
                    let begun = begin(&self.io, &self.bell, buf, room)?;
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
fn begin<T: Input>(
    io: &Arc<T>,
    bell: &Arc<Bell>,
    mut buf: Vec<u8>,
    room: usize,
) -> io::Result<JoinHandle<Filled>> {
    let (io, bell) = (io.clone(), bell.clone());
    let wait: Arc<dyn Interrupt> = bell.clone();
    zokio_runtime::try_spawn_waiting(Arc::downgrade(&wait), move || {
        buf.resize(room.min(MAX_BUF_SIZE), 0);
        let result = loop {
            match io.read(&mut buf, &bell) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        buf.truncate(*result.as_ref().unwrap_or(&0));
        (buf, result.map(|_| ()))
    })
}
