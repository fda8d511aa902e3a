//! The parts that tests and models share: a scheduler that only queues, and a ledger of births and drops.

use crate::{JoinError, JoinHandle, Notified, Schedule, Shard, TaskQueue};
use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use zokio_base::sync::Mutex;
use zokio_base::sync::std_atomic::{AtomicUsize, Ordering};

/// A scheduler that keeps what is scheduled until it is asked to run it.
#[derive(Default)]
pub(crate) struct Queue {
    tasks: Mutex<TaskQueue>,
    pub(crate) rescheduled: AtomicUsize,
    pub(crate) panicked: AtomicUsize,
}

impl Schedule for Queue {
    fn schedule(&self, task: Notified) {
        self.tasks.lock().push_back(task);
    }

    fn reschedule(&self, task: Notified) {
        self.rescheduled.fetch_add(1, Ordering::Relaxed);
        self.schedule(task);
    }

    fn task_panicked(&self, _payload: &(dyn Any + Send)) {
        self.panicked.fetch_add(1, Ordering::Relaxed);
    }
}

impl Queue {
    /// A queue and a shard whose tasks go there.
    pub(crate) fn with_shard() -> (Arc<Self>, Arc<Shard>) {
        let queue = Arc::new(Self::default());
        let shard = Shard::new(queue.clone(), 0);
        (queue, shard)
    }

    pub(crate) fn pop(&self) -> Option<Notified> {
        self.tasks.lock().pop_front()
    }

    /// How many tasks wait.
    #[cfg(not(zokio_model))]
    pub(crate) fn len(&self) -> usize {
        self.tasks.lock().len()
    }

    /// Runs one task, if one waits.
    pub(crate) fn run_one(&self) -> bool {
        // The lock must be free again before the task runs.
        let task = self.pop();
        task.map(Notified::run).is_some()
    }

    /// Runs until nothing waits.
    pub(crate) fn run_all(&self) {
        while self.run_one() {}
    }
}

/// Counts births and drops.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    born: AtomicUsize,
    dropped: AtomicUsize,
}

impl Ledger {
    pub(crate) fn entry(self: &Arc<Self>) -> Tracked {
        self.born.fetch_add(1, Ordering::Relaxed);
        Tracked(self.clone())
    }

    pub(crate) fn alive(&self) -> usize {
        let dropped = self.dropped.load(Ordering::Relaxed);
        self.born.load(Ordering::Relaxed) - dropped
    }

    pub(crate) fn born(&self) -> usize {
        self.born.load(Ordering::Relaxed)
    }
}

/// An entry of a ledger.
#[derive(Debug)]
pub(crate) struct Tracked(Arc<Ledger>);

impl Drop for Tracked {
    fn drop(&mut self) {
        let before = self.0.dropped.fetch_add(1, Ordering::Relaxed);
        assert!(before < self.0.born(), "dropped twice");
    }
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        self.clone().into()
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Polls a handle once.
pub(crate) fn poll_join<T>(join: &mut JoinHandle<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    Pin::new(join).poll(&mut Context::from_waker(waker))
}

/// The outcome of a handle that must be ready.
pub(crate) fn join_now<T>(mut join: JoinHandle<T>) -> Result<T, JoinError> {
    match poll_join(&mut join, Waker::noop()) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the task should have ended"),
    }
}
