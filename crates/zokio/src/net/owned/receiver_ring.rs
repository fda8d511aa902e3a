//! Receiving by a ring, as long as that works.

use super::{Next, Source};
use crate::io_driver::worker;
use crate::net::owned::socket::Lane;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use zokio_driver::buf::pool::{Lease, Pool};
use zokio_driver::op::net::is_unsupported;
use zokio_driver::op::shots::{End, RecvMany, Shot, Shots, arm_on};
use zokio_task::coop;

/// The descriptor of a source, kept open.
struct Kept<R>(Arc<R>);

impl<R: Source> AsFd for Kept<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.stream().as_fd()
    }
}

/// The request and its queue.
pub(super) struct Receiving {
    armed: Option<Shots<RecvMany>>,
    ahead: usize,
    /// All buffers were lent when the last request ended.
    is_short: bool,
    is_at_end: bool,
    /// There is no ring, or it does not take the request.
    is_given_up: bool,
}

impl Receiving {
    pub(super) fn new(ahead: usize) -> Self {
        Self {
            armed: None,
            ahead,
            is_short: false,
            is_at_end: false,
            is_given_up: false,
        }
    }

    pub(super) fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    pub(super) async fn next<R: Source>(
        &mut self,
        source: &Arc<R>,
        pool: &Arc<Pool>,
    ) -> io::Result<Next> {
        loop {
            if let Some(armed) = &mut self.armed {
                coop::consume_budget().await;
                let end = match poll_fn(|cx| armed.poll_next(cx)).await {
                    Shot::Item(lease) => return Ok(Next::Bytes(lease)),
                    Shot::End(end) => end,
                };
                self.armed = None;
                self.note(end)?;
            } else if self.is_at_end {
                return Ok(Next::AtEnd);
            } else if self.is_given_up {
                return Ok(Next::ByReadiness);
            } else {
                if self.is_short {
                    pool.available().await;
                    self.is_short = false;
                }
                self.arm(source, pool);
            }
        }
    }

    fn arm<R: Source>(&mut self, source: &Arc<R>, pool: &Arc<Pool>) {
        let driver = source.stream().driver();
        let recv = RecvMany::new(Arc::new(Kept(source.clone())), pool.clone());
        let armed = pool
            .worker()
            .and_then(|on| arm_on(driver, worker(driver), on, recv, self.ahead).ok());
        self.is_given_up = armed.is_none();
        self.armed = armed;
    }

    /// Says how to go on after the end of a request.
    fn note(&mut self, end: End) -> io::Result<()> {
        let End::Kernel(result) = end else {
            self.is_given_up = true;
            return Ok(());
        };
        let error = io::Error::from_raw_os_error(result.saturating_neg());
        match -result {
            0 => self.is_at_end = true,
            // It ended at will; or was cancelled, since the queue was full.
            ..0 | libc::ECANCELED | libc::EINTR => {}
            libc::ENOBUFS => self.is_short = true,
            libc::EAGAIN => self.is_given_up = true,
            // Readiness has the last word.
            _ if is_unsupported(&error) => self.is_given_up = true,
            _ => return Err(error),
        }
        Ok(())
    }

    /// Ends the request, and returns what it has brought: bytes, and behind them the error that the
    /// system told, which it tells once.
    pub(super) async fn finish(&mut self) -> Vec<io::Result<Lease>> {
        let mut ahead = Vec::new();
        let Some(mut armed) = self.armed.take() else {
            return ahead;
        };
        armed.stop();
        loop {
            match poll_fn(|cx| armed.poll_next(cx)).await {
                Shot::Item(lease) => ahead.push(Ok(lease)),
                Shot::End(end) => {
                    ahead.extend(self.note(end).err().map(Err));
                    return ahead;
                }
            }
        }
    }
}
