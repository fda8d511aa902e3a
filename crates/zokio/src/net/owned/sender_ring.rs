//! Sending by a ring, as long as that works.

use super::Target;
use crate::io_driver::worker;
use crate::net::owned::socket::Lane;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_driver::buf::IoBuf;
use zokio_driver::op::net::is_unsupported;
use zokio_driver::op::shots::{End, SendZc, Shot, Shots, arm, was_copied};

/// The descriptor of a target, kept open.
struct Kept<W>(Arc<W>);

impl<W: Target> AsFd for Kept<W> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.stream().as_fd()
    }
}

/// After so many sends in a row that were copied after all, the rest is written: that costs less.
const COPIED_MAX: u32 = 4;

/// The outcome of a request.
struct Ended {
    result: i32,
    was_copied: bool,
}

/// A request, whatever its buffer is.
trait UnderWay: Send + Sync {
    /// Waits for its end. None if it was not begun.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended>>;
}

struct Request<B: IoBuf> {
    shots: Shots<SendZc<B>>,
    result: Option<i32>,
}

impl<B: IoBuf> UnderWay for Request<B> {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ended>> {
        loop {
            let (result, was_copied) = match ready!(self.shots.poll_next(cx)) {
                Shot::Item(result) => {
                    self.result = Some(result);
                    continue;
                }
                Shot::End(End::NotBegun) => return Poll::Ready(None),
                Shot::End(End::Kernel(last)) => match self.result {
                    Some(result) => (result, was_copied(last)),
                    None => (last, false),
                },
                Shot::End(End::Lost) => (-libc::EIO, false),
            };
            return Poll::Ready(Some(Ended { result, was_copied }));
        }
    }
}

/// The request that is under way.
pub(super) struct Sending {
    under_way: Option<Box<dyn UnderWay>>,
    count: u64,
    /// How many sends in a row were copied.
    copied: u32,
    /// There is no ring, or it does not take the request, or nothing is gained by it.
    is_given_up: bool,
}

impl Sending {
    pub(super) fn new() -> Self {
        Self {
            under_way: None,
            count: 0,
            copied: 0,
            is_given_up: false,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Waits for the end of the request that is under way, if one is, and returns its result.
    pub(super) async fn settle(&mut self) -> Option<i32> {
        let under_way = self.under_way.as_mut()?;
        let ended = poll_fn(|cx| under_way.poll_end(cx)).await;
        self.under_way = None;
        let Ended { result, was_copied } = ended?;
        self.copied = if was_copied { self.copied + 1 } else { 0 };
        self.is_given_up |= self.copied >= COPIED_MAX;
        Some(result)
    }

    /// Sends bytes of `buf` from `start` on. None if they are to be written.
    pub(super) async fn send<W: Target, B: IoBuf>(
        &mut self,
        target: &Arc<W>,
        buf: &Arc<B>,
        start: usize,
    ) -> io::Result<Option<usize>> {
        if self.is_given_up {
            return Ok(None);
        }
        let driver = target.stream().driver();
        let send = SendZc::new(Arc::new(Kept(target.clone())), buf.clone(), start);
        let Ok(shots) = arm(driver, worker(driver), send, usize::MAX) else {
            self.is_given_up = true;
            return Ok(None);
        };
        let result = None;
        self.under_way = Some(Box::new(Request { shots, result }));
        self.count += 1;
        let Some(result) = self.settle().await else {
            self.is_given_up = true;
            return Ok(None);
        };
        if let Ok(sent) = usize::try_from(result) {
            return Ok(Some(sent));
        }
        let error = io::Error::from_raw_os_error(-result);
        match -result {
            // Nothing was sent: readiness has the last word.
            libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::ECANCELED => Ok(None),
            libc::EINTR => Ok(Some(0)),
            _ if is_unsupported(&error) => {
                self.is_given_up = true;
                Ok(None)
            }
            _ => Err(error),
        }
    }
}
