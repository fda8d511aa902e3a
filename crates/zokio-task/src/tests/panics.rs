//! Panics of futures, of their drops, of outputs' drops, of wakers; and which task is current
//! while they are dropped.

use super::{OnDrop, YieldOnce, bind, spawn};
use crate::testing::{Ledger, Queue, join_now, poll_join};
use crate::{Id, JoinError, context};
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

#[test]
fn the_task_is_current_while_its_parts_are_dropped() {
    let (queue, shard) = Queue::with_shard();
    let notes = Arc::new(Mutex::new(Vec::new()));
    let note = || NotesTask(notes.clone());
    let check = |id: Id| {
        assert_eq!(std::mem::take(&mut *notes.lock()), [Some(id)]);
        assert_eq!(context::task(), None);
    };

    // The future, at its end.
    let part = note();
    let join = spawn(&queue, &shard, async move {
        YieldOnce::default().await;
        let _part = &part;
    });
    queue.run_all();
    check(join.id());
    drop(join);

    // The future, aborted while idle, and before its first poll.
    for polled in [true, false] {
        let part = note();
        let join = spawn(&queue, &shard, async move {
            pending::<()>().await;
            drop(part);
        });
        if polled {
            queue.run_all();
        }
        join.abort();
        queue.run_all();
        check(join.id());
    }

    // The output, by the task and by the handle, inside of another task.
    let part = note();
    let join = spawn(&queue, &shard, async move { part });
    let id = join.id();
    drop(join);
    queue.run_all();
    check(id);
    let part = note();
    let join = spawn(&queue, &shard, async move { part });
    let id = join.id();
    queue.run_all();
    let outer = Id::next();
    let guard = context::enter_task(Some(outer));
    drop(join);
    assert_eq!(context::task(), Some(outer));
    drop(guard);
    check(id);

    // The output that was taken belongs to whoever took it.
    let part = note();
    let join = spawn(&queue, &shard, async move { part });
    queue.run_all();
    drop(join_now(join).unwrap());
    assert_eq!(std::mem::take(&mut *notes.lock()), [None]);

    // The future, by the shutdown.
    let part = note();
    let join = spawn(&queue, &shard, async move {
        pending::<()>().await;
        drop(part);
    });
    shard.shutdown_all();
    check(join.id());
    drop(join);

    // The future, refused.
    let part = note();
    let join = spawn(&queue, &shard, async move { drop(part) });
    check(join.id());
    drop(join);
    // The shutdown has left its notification in the queue.
    queue.run_all();
    assert_eq!(Arc::strong_count(&shard), 1);
}
