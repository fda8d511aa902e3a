//! The queues of a few workers against naive ones, with real tasks, for any sequence of steps: local
//! rings with thieves, inboxes with their two kinds, and the task queues that both are made of.
//!
//! These rules are checked: each queue holds what the naive one holds, in the same order; each task runs
//! once if it is taken out to be run, and never otherwise; each task's future is dropped once.
//!
//! [`run`] takes bytes, so that the fuzzer, the kept corpus and random bytes in an ordinary test all
//! come the same way.
#![allow(unsafe_code)]

use crate::inject::Inbox;
use crate::local_queue::{Owner, RING_LEN, Stealer, ring};
use arbitrary::{Arbitrary, Unstructured};
use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll};
use zokio_base::sync::Mutex;
use zokio_task::{Header, Notified, Schedule, Shard, SpawnMeta, TaskQueue};

const WORKERS: usize = 3;

/// Beyond so many tasks no more are made: sequences stay short.
const TASKS_MAX: usize = 4_000;

/// A worker.
#[derive(Debug, Clone, Copy, Arbitrary)]
struct At(u8);

impl At {
    fn get(self) -> usize {
        usize::from(self.0) % WORKERS
    }
}

#[derive(Debug, Arbitrary)]
enum Step {
    /// New tasks, to the ring as far as they fit, the others to the overflow.
    Spawn(At, u8),
    /// New tasks from another thread.
    Remote(At, u8),
    /// A batch of new tasks behind the overflow.
    Append(At, u8),
    Run(At, u8),
    Steal(At, At),
    Refill(At, u8),
    Admit(At, u8, u8),
    Close(At),
}

/// The fate of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waiting,
    Ran,
    Dropped,
}

type Fates = Arc<Mutex<Vec<Fate>>>;

/// A task that notes its run and its drop.
struct Noting {
    number: usize,
    fates: Fates,
}

impl Future for Noting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        let fate = &mut self.fates.lock()[self.number];
        assert_eq!(*fate, Fate::Waiting, "runs once");
        *fate = Fate::Ran;
        Poll::Ready(())
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        let fate = &mut self.fates.lock()[self.number];
        assert_ne!(*fate, Fate::Dropped, "is dropped once");
        if *fate == Fate::Waiting {
            *fate = Fate::Dropped;
        }
    }
}

/// Nobody wakes these tasks.
struct Nobody;

impl Schedule for Nobody {
    fn schedule(&self, _task: Notified) {
        panic!("no task was woken");
    }

    fn reschedule(&self, _task: Notified) {
        panic!("no task was woken");
    }

    fn task_panicked(&self, _payload: &(dyn Any + Send)) {
        panic!("no task panics");
    }
}

#[derive(Default)]
struct Naive {
    ring: VecDeque<usize>,
    overflow: VecDeque<usize>,
    remote: VecDeque<usize>,
    is_remote_next: bool,
    is_closed: bool,
}

impl Naive {
    fn refill(&mut self) -> Option<usize> {
        let (first, second) = if self.is_remote_next {
            (&mut self.remote, &mut self.overflow)
        } else {
            (&mut self.overflow, &mut self.remote)
        };
        let item = first.pop_front().or_else(|| second.pop_front())?;
        self.is_remote_next = !self.is_remote_next;
        Some(item)
    }
}

struct Worker {
    owner: Owner<Header>,
    stealer: Stealer<Header>,
    inbox: Inbox<TaskQueue>,
    naive: Naive,
}

impl Worker {
    fn new() -> Self {
        let (owner, stealer) = ring();
        Self {
            owner,
            stealer,
            inbox: Inbox::new(),
            naive: Naive::default(),
        }
    }

    fn check(&self) {
        let naive = &self.naive;
        assert_eq!(self.owner.len(), naive.ring.len());
        assert_eq!(self.owner.free(), RING_LEN - naive.ring.len());
        assert_eq!(self.stealer.is_empty(), naive.ring.is_empty());
        assert_eq!(self.inbox.overflow_len(), naive.overflow.len());
        assert_eq!(self.inbox.remote_len(), naive.remote.len());
    }
}

struct World {
    shard: Arc<Shard>,
    fates: Fates,
    workers: Vec<Worker>,
    /// By number: what the task is called.
    ids: Vec<zokio_task::Id>,
}

impl World {
    fn new() -> Self {
        Self {
            shard: Shard::new(Arc::new(Nobody), 0),
            fates: Fates::default(),
            workers: (0..WORKERS).map(|_| Worker::new()).collect(),
            ids: Vec::new(),
        }
    }

    /// A new task and its number.
    fn task(&mut self) -> Option<(Notified, usize)> {
        let number = self.ids.len();
        if number == TASKS_MAX {
            return None;
        }
        self.fates.lock().push(Fate::Waiting);
        let future = Noting {
            number,
            fates: self.fates.clone(),
        };
        let (_, task) = self.shard.bind(future, SpawnMeta::new());
        let task = task.expect("the shard is open");
        self.ids.push(task.id());
        Some((task, number))
    }

    fn expect(&self, task: &Notified, number: Option<usize>) {
        assert_eq!(number.map(|number| self.ids[number]), Some(task.id()));
    }

    /// A task that the inbox does not take any more.
    fn drop_refused(&self, at: usize, refused: Result<(), Notified>, number: usize) -> bool {
        match refused {
            Ok(()) => {
                assert!(!self.workers[at].naive.is_closed);
                true
            }
            Err(task) => {
                assert!(self.workers[at].naive.is_closed);
                self.expect(&task, Some(number));
                false
            }
        }
    }

    fn spawn(&mut self, at: usize) {
        let Some((task, number)) = self.task() else {
            return;
        };
        let worker = &mut self.workers[at];
        let pushed = worker.owner.push(task.into_raw());
        assert_eq!(pushed.is_ok(), worker.naive.ring.len() < RING_LEN);
        let Err(task) = pushed else {
            worker.naive.ring.push_back(number);
            return;
        };
        // SAFETY: `into_raw` made it a moment ago.
        let task = unsafe { Notified::from_raw(task) };
        let pushed = worker.inbox.push_overflow(task);
        if self.drop_refused(at, pushed, number) {
            self.workers[at].naive.overflow.push_back(number);
        }
    }

    fn remote(&mut self, at: usize) {
        let Some((task, number)) = self.task() else {
            return;
        };
        let pushed = self.workers[at].inbox.push_remote(task);
        if self.drop_refused(at, pushed, number) {
            self.workers[at].naive.remote.push_back(number);
        }
    }

    fn append(&mut self, at: usize, count: u8) {
        let mut batch = TaskQueue::new();
        let mut numbers = Vec::new();
        for _ in 0..count {
            if let Some((task, number)) = self.task() {
                batch.push_back(task);
                numbers.push(number);
            }
        }
        let worker = &mut self.workers[at];
        worker.inbox.append_overflow(&mut batch);
        if worker.naive.is_closed {
            assert_eq!(batch.len(), numbers.len());
        } else {
            assert!(batch.is_empty());
            worker.naive.overflow.extend(numbers);
        }
    }

    fn run_one(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        let number = worker.naive.ring.pop_front();
        let task = worker.owner.pop();
        assert_eq!(task.is_some(), number.is_some());
        if let Some(task) = task {
            // SAFETY: what is in a ring came from `into_raw`, and the pop made it ours.
            let task = unsafe { Notified::from_raw(task) };
            self.expect(&task, number);
            task.run();
        }
    }

    fn steal(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let (there, here) = (&self.workers[from], &self.workers[to]);
        let room = RING_LEN - here.naive.ring.len();
        let half = there.naive.ring.len().div_ceil(2);
        let taken = there.stealer.steal_into(&here.owner);
        assert_eq!(taken, half.min(room));
        let moved: Vec<usize> = self.workers[from].naive.ring.drain(..taken).collect();
        self.workers[to].naive.ring.extend(moved);
    }

    /// As the worker does it: from the inbox into the ring, as much as fits.
    fn refill(&mut self, at: usize, max: u8) {
        let worker = &mut self.workers[at];
        let max = usize::from(max).min(worker.owner.free());
        let taken = {
            let owner = &worker.owner;
            worker.inbox.refill(max, |task| push(owner, task))
        };
        for _ in 0..taken {
            let item = worker.naive.refill();
            worker.naive.ring.push_back(item.expect("there is as much"));
        }
        let left = worker.naive.overflow.len() + worker.naive.remote.len();
        assert!(taken == max || left == 0);
    }

    fn admit(&mut self, at: usize, room: u8, max: u8) {
        let worker = &mut self.workers[at];
        let (room, max) = (usize::from(room).min(worker.owner.free()), usize::from(max));
        let owner = &worker.owner;
        let taken = worker
            .inbox
            .admit_remote(room, max, |task| push(owner, task));
        let naive = &mut worker.naive;
        let expected = if naive.overflow.is_empty() {
            naive.remote.len().min(room).min(max)
        } else {
            0
        };
        assert_eq!(taken, expected);
        naive.ring.extend(naive.remote.drain(..taken));
        if taken < max {
            naive.overflow.append(&mut naive.remote);
        }
    }

    fn close(&mut self, at: usize) {
        let mut left = self.workers[at].inbox.close();
        let naive = &mut self.workers[at].naive;
        naive.is_closed = true;
        let mut numbers = std::mem::take(&mut naive.overflow);
        numbers.append(&mut naive.remote);
        assert_eq!(left.len(), numbers.len());
        // Every other one is looked at, the rest is the queue's to drop.
        for number in numbers.into_iter().step_by(2) {
            let task = left.pop_front().expect("there are as many");
            self.expect(&task, Some(number));
            let _dropped_in_the_queue = left.pop_front();
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Spawn(at, count) => (0..count).for_each(|_| self.spawn(at.get())),
            Step::Remote(at, count) => (0..count % 16).for_each(|_| self.remote(at.get())),
            Step::Append(at, count) => self.append(at.get(), count % 32),
            Step::Run(at, count) => (0..count).for_each(|_| self.run_one(at.get())),
            Step::Steal(from, to) => self.steal(from.get(), to.get()),
            Step::Refill(at, max) => self.refill(at.get(), max),
            Step::Admit(at, room, max) => self.admit(at.get(), room, max % 64),
            Step::Close(at) => self.close(at.get()),
        }
    }

    fn finish(mut self) {
        for at in 0..WORKERS {
            while !self.workers[at].naive.ring.is_empty() {
                self.run_one(at);
            }
            assert!(self.workers[at].owner.pop().is_none());
        }
        // Tasks that are left in the inboxes are dropped with them; the shard drops the futures.
        self.workers.clear();
        self.shard.shutdown_all();
        assert_eq!(self.shard.alive(), 0);
        assert!(!self.fates.lock().contains(&Fate::Waiting));
    }
}

fn push(owner: &Owner<Header>, task: Notified) {
    let raw: NonNull<Header> = task.into_raw();
    assert!(owner.push(raw).is_ok(), "no more was asked for than fits");
}

/// Runs the steps that `bytes` stand for.
///
/// # Panics
/// If a queue does something else than the naive one.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mut world = World::new();
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        world.step(step);
        world.workers.iter().for_each(Worker::check);
    }
    world.finish();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn queues_are_first_in_first_out_and_lose_nothing(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            super::run(&bytes);
        }
    }

    #[test]
    fn the_corpus_passes() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/queues");
        for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            println!("{}", file.path().display());
            super::run(&std::fs::read(file.path()).unwrap());
        }
    }
}
