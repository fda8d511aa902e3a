//! Accepting by a ring, as long as that works.

use crate::io_driver::worker;
use crate::net::{TcpListener, TcpStream};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_driver::op::net::is_unsupported;
use zokio_driver::op::shots::{AcceptMany, End, Shot, Shots, arm};

/// The request and its queue.
pub(super) struct Accepting {
    armed: Option<Shots<AcceptMany>>,
    ahead: usize,
    /// There is no ring, or it does not take the request.
    is_given_up: bool,
}

/// The meaning of a request's end.
enum Meaning {
    /// It is armed again, or given up.
    GoOn,
    /// There was no descriptor or no memory for a connection when it came. The caller is told what
    /// holds when it asks.
    AskNow,
    /// For the caller.
    Error(io::Error),
}

impl Accepting {
    pub(super) fn new(ahead: usize) -> Self {
        Self {
            armed: None,
            ahead,
            is_given_up: false,
        }
    }

    pub(super) fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// Polls for a connection. None if that is to be done by readiness.
    pub(super) fn poll(
        &mut self,
        listener: &Arc<TcpListener>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<TcpStream>>> {
        loop {
            if let Some(armed) = &mut self.armed {
                let end = match ready!(armed.poll_next(cx)) {
                    Shot::Item(fd) => return Poll::Ready(Some(stream_of(listener, fd))),
                    Shot::End(end) => end,
                };
                self.armed = None;
                match self.meaning_of(end) {
                    Meaning::GoOn => {}
                    Meaning::AskNow => return Poll::Ready(None),
                    Meaning::Error(error) => return Poll::Ready(Some(Err(error))),
                }
            } else if self.is_given_up || !self.arm(listener) {
                return Poll::Ready(None);
            }
        }
    }

    fn arm(&mut self, listener: &Arc<TcpListener>) -> bool {
        let driver = listener.driver_handle();
        let accept = AcceptMany::new(listener.clone());
        match arm(driver, worker(driver), accept, self.ahead) {
            Ok(armed) => self.armed = Some(armed),
            Err(_) => self.is_given_up = true,
        }
        !self.is_given_up
    }

    /// Says how to go on after the end of a request.
    fn meaning_of(&mut self, end: End) -> Meaning {
        let End::Kernel(result) = end else {
            self.is_given_up = true;
            return Meaning::GoOn;
        };
        if result >= 0 {
            return Meaning::GoOn;
        }
        let error = io::Error::from_raw_os_error(-result);
        match -result {
            // Cancelled because the queue was full, which it no longer is; or interrupted.
            libc::ECANCELED | libc::EINTR => Meaning::GoOn,
            libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => Meaning::AskNow,
            // An old kernel, or one that does not wait where the socket says not to.
            libc::EAGAIN => {
                self.is_given_up = true;
                Meaning::GoOn
            }
            // Readiness has the last word.
            _ if is_unsupported(&error) => {
                self.is_given_up = true;
                Meaning::GoOn
            }
            _ => Meaning::Error(error),
        }
    }

    /// Ends the request, and returns what it has brought.
    pub(super) async fn finish(&mut self, listener: &TcpListener) -> Vec<TcpStream> {
        let mut ahead = Vec::new();
        if let Some(mut armed) = self.armed.take() {
            armed.stop();
            while let Shot::Item(fd) = poll_fn(|cx| armed.poll_next(cx)).await {
                // One that cannot be made a stream of is as good as reset.
                ahead.extend(stream_of(listener, fd));
            }
        }
        ahead
    }
}

fn stream_of(listener: &TcpListener, fd: OwnedFd) -> io::Result<TcpStream> {
    let stream = mio::net::TcpStream::from_std(fd.into());
    listener.stream_of(stream)
}
