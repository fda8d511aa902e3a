//! A future under test and a waker that counts.
//!
//! [`Spawn`] polls a future by hand and says whether its waker was woken since the last poll.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts how often it was woken.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        // Relaxed: looked at by tests that are ordered otherwise.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    /// A counting waker and its count.
    pub(crate) fn waker() -> (Waker, Arc<Self>) {
        let count = Arc::new(Self::default());
        (count.clone().into(), count)
    }

    /// How often it was woken.
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs a closure whenever it is woken.
struct Call<F>(F);

impl<F: Fn() + Send + Sync> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// A waker that runs `call`: foreign code, in the midst of what wakes.
pub(crate) fn calling(call: impl Fn() + Send + Sync + 'static) -> Waker {
    Arc::new(Call(call)).into()
}

/// A future on the heap with a waker of its own.
pub(crate) struct Spawn<F> {
    future: Pin<Box<F>>,
    count: Arc<Count>,
    seen: usize,
}

/// Makes a future ready to be polled by hand.
pub(crate) fn spawn<F>(future: F) -> Spawn<F> {
    Spawn {
        future: Box::pin(future),
        count: Arc::new(Count::default()),
        seen: 0,
    }
}

impl<F: Future> Spawn<F> {
    /// Polls the future and forgets that it was woken.
    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        self.seen = self.count.get();
        let waker = self.count.clone().into();
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls the future, which must be ready.
    #[track_caller]
    pub(crate) fn ready(&mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("the future is pending"),
        }
    }

    /// Polls the future, which must be pending.
    #[track_caller]
    pub(crate) fn pending(&mut self) {
        assert!(self.poll().is_pending(), "the future is ready");
    }

    /// Whether it was woken since the last poll.
    pub(crate) fn is_woken(&self) -> bool {
        self.count.get() > self.seen
    }

    /// The future.
    pub(crate) fn get(&mut self) -> Pin<&mut F> {
        self.future.as_mut()
    }
}
