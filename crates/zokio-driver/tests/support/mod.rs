//! A driver with nothing around it: what the tests need of a runtime.
#![allow(dead_code)] // Each test file uses a part.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};
use zokio_base::park::Offload;
use zokio_driver::{Direction, Driver, DriverOptions, IoMode, Registration};

/// Runs what would block on a thread of its own.
pub(crate) struct Threads;

impl Offload for Threads {
    fn offload(&self, job: Box<dyn FnOnce() + Send + 'static>) {
        std::thread::Builder::new().spawn(job).unwrap();
    }
}

/// A driver for that many workers, without rings.
pub(crate) fn driver(workers: usize) -> Driver {
    driver_that(workers, false)
}

/// As [`driver`], which tries operations on fresh sources if it is eager.
pub(crate) fn driver_that(workers: usize, is_eager: bool) -> Driver {
    let mut options = DriverOptions::new(workers);
    options.mode = IoMode::Epoll;
    options.eager = is_eager;
    Driver::new(&options, Arc::new(Threads)).unwrap()
}

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), count.into())
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Wakes everything that a drain collected.
pub(crate) fn wake_all(sink: &mut Vec<Waker>) -> usize {
    let woken = sink.len();
    sink.drain(..).for_each(Waker::wake);
    woken
}

/// Runs `read` on `worker` when the source is ready, until it does not block.
pub(crate) fn poll_io<R>(
    registration: &Registration,
    cx: &mut Context<'_>,
    worker: usize,
    mut read: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    loop {
        let event = ready!(registration.poll_try(cx, Direction::Read, |_| Some(worker)))?;
        match read() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                registration.would_block(event, |_| Some(worker))?;
            }
            result => return Poll::Ready(result),
        }
    }
}
