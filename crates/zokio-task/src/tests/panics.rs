//! Panics of futures, of their drops, of outputs' drops, of wakers; and which task is current
//! while they are dropped.

use super::{OnDrop, YieldOnce, bind, spawn};
use crate::testing::{Ledger, Queue, join_now, poll_join};
use crate::{Id, JoinError, JoinHandle, Shard, context};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake};
use zokio_base::sync::Mutex;

fn message(error: JoinError) -> &'static str {
    *error.into_panic().downcast::<&'static str>().unwrap()
}

#[test]
fn a_panic_in_a_poll_is_reported_and_handed_over() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let entry = ledger.entry();
    let join = spawn(&queue, &shard, async move {
        let _entry = entry;
        YieldOnce::default().await;
        panic!("in the poll")
    });
    queue.run_all();
    assert_eq!(ledger.alive(), 0);
    assert_eq!(queue.panicked.load(Ordering::Relaxed), 1);
    let error: JoinError = join_now::<()>(join).unwrap_err();
    assert!(error.is_panic());
    assert_eq!(message(error), "in the poll");
    assert_eq!(shard.alive(), 0);
}

#[test]
fn a_panic_while_an_aborted_future_is_dropped_is_handed_over() {
    let (queue, shard) = Queue::with_shard();
    let join = spawn(&queue, &shard, async {
        let _bomb = OnDrop(|| panic!("in the drop"));
        pending::<()>().await;
    });
    queue.run_all();
    join.abort();
    queue.run_all();
    assert_eq!(message(join_now(join).unwrap_err()), "in the drop");
    // That was no panic of a poll.
    assert_eq!(queue.panicked.load(Ordering::Relaxed), 0);
}

/// Ready at once; its drop panics.
struct ReadyThenPanics(Option<crate::testing::Tracked>);

impl Future for ReadyThenPanics {
    type Output = crate::testing::Tracked;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(self.0.take().expect("polled once"))
    }
}

impl Drop for ReadyThenPanics {
    fn drop(&mut self) {
        if self.0.is_none() {
            panic!("after the output");
        }
    }
}

#[test]
fn a_panic_while_a_ready_future_is_dropped_replaces_its_output() {
    let (_queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let (join, task) = bind(&shard, ReadyThenPanics(Some(ledger.entry())));
    task.run();
    assert_eq!(ledger.alive(), 0);
    assert_eq!(message(join_now(join).unwrap_err()), "after the output");
}

/// Panics in each poll and in its drop.
struct Bomb;

impl Future for Bomb {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        panic!("the first")
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the second")
    }
}

#[test]
fn of_two_panics_the_first_is_handed_over() {
    let (_queue, shard) = Queue::with_shard();
    let (join, task) = bind(&shard, Bomb);
    task.run();
    assert_eq!(message(join_now(join).unwrap_err()), "the first");
    let (join, task) = bind(&shard, Bomb);
    drop(join);
    task.run();
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn a_panic_while_an_output_is_dropped_goes_nowhere() {
    let (_queue, shard) = Queue::with_shard();
    // By the handle.
    let (join, task) = bind(&shard, async { OnDrop(|| panic!("the output")) });
    task.run();
    drop(join);
    // By the task.
    let (join, task) = bind(&shard, async { OnDrop(|| panic!("the output")) });
    drop(join);
    task.run();
    // With a future that is freed unfinished.
    let bomb = OnDrop(|| panic!("the future"));
    let (join, work) = shard.bind_untracked(async move { drop(bomb) }, crate::SpawnMeta::new());
    drop(work);
    drop(join);
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn a_payload_that_panics_when_dropped_goes_nowhere() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            std::panic::panic_any(Payload);
        }
    }
    // The chain has to end somewhere: the last one is leaked.
    let (_queue, shard) = Queue::with_shard();
    let (join, task) = bind(&shard, async { std::panic::panic_any(Payload) });
    drop::<crate::JoinHandle<()>>(join);
    task.run();
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn a_waker_that_panics_does_not_undo_completion() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("the waker");
        }
    }
    let (_queue, shard) = Queue::with_shard();
    let (mut join, task) = bind(&shard, async { 4 });
    let waker = Arc::new(Panics).into();
    assert!(poll_join(&mut join, &waker).is_pending());
    task.run();
    assert_eq!(join_now(join).unwrap(), 4);
    drop(waker);
    assert_eq!(Arc::strong_count(&shard), 1);
}

/// Notes which task is current when it is dropped.
struct NotesTask(Arc<Mutex<Vec<Option<Id>>>>);

impl Drop for NotesTask {
    fn drop(&mut self) {
        self.0.lock().push(context::task());
    }
}

/// A shard and what the dropped parts of its tasks have noted.
struct Notes {
    queue: Arc<Queue>,
    shard: Arc<Shard>,
    notes: Arc<Mutex<Vec<Option<Id>>>>,
}

impl Notes {
    fn new() -> Self {
        let (queue, shard) = Queue::with_shard();
        let notes = Arc::default();
        Self {
            queue,
            shard,
            notes,
        }
    }

    fn part(&self) -> NotesTask {
        NotesTask(self.notes.clone())
    }

    /// A task whose future keeps a part for ever.
    fn spawn_pending(&self) -> JoinHandle<()> {
        let part = self.part();
        spawn(&self.queue, &self.shard, async move {
            pending::<()>().await;
            drop(part);
        })
    }

    /// A task whose output is a part.
    fn spawn_output(&self) -> JoinHandle<NotesTask> {
        let part = self.part();
        spawn(&self.queue, &self.shard, async move { part })
    }

    /// Exactly one part was dropped, with `id` current, which it no longer is.
    fn check(self, id: Option<Id>) {
        self.queue.run_all();
        assert_eq!(std::mem::take(&mut *self.notes.lock()), [id]);
        assert_eq!(context::task(), None);
        assert_eq!(Arc::strong_count(&self.shard), 1);
    }
}

#[test]
fn the_task_is_current_while_its_future_is_dropped() {
    // At its end.
    let notes = Notes::new();
    let part = notes.part();
    let id = spawn(&notes.queue, &notes.shard, async move {
        YieldOnce::default().await;
        let _part = &part;
    })
    .id();
    notes.check(Some(id));

    // Aborted while idle, and before its first poll.
    for polled in [true, false] {
        let notes = Notes::new();
        let join = notes.spawn_pending();
        if polled {
            notes.queue.run_all();
        }
        join.abort();
        let id = join.id();
        drop(join);
        notes.check(Some(id));
    }

    // By the shutdown, and refused after it.
    let notes = Notes::new();
    let id = notes.spawn_pending().id();
    notes.shard.shutdown_all();
    notes.check(Some(id));
    let notes = Notes::new();
    notes.shard.shutdown_all();
    let id = notes.spawn_pending().id();
    notes.check(Some(id));
}

#[test]
fn the_task_is_current_while_its_output_is_dropped() {
    // By the task.
    let notes = Notes::new();
    let id = notes.spawn_output().id();
    notes.check(Some(id));

    // By the handle, inside of another task.
    let notes = Notes::new();
    let join = notes.spawn_output();
    let id = join.id();
    notes.queue.run_all();
    let outer = Id::next();
    let guard = context::enter_task(Some(outer));
    drop(join);
    assert_eq!(context::task(), Some(outer));
    drop(guard);
    notes.check(Some(id));

    // An outcome that was taken belongs to its taker.
    let notes = Notes::new();
    let join = notes.spawn_output();
    notes.queue.run_all();
    drop(join_now(join).unwrap());
    notes.check(None);
}
