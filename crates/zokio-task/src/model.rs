//! Models of a task: every pair of parties against one another, under every schedule with up to two
//! preemptions.
//!
//! Each model makes one task, hands each party what it needs, lets all of them run at once, and
//! then settles: what is queued is run, and the task is ended and everything released. Checked are
//!
//! - that no two accesses to future, outcome, join waker or queue link overlap (loom's cells);
//! - that each future and each output was dropped exactly once (a ledger), and that the task was
//!   freed (the count of handles to its shard);
//! - that the future, and with it the memory of one that is large (`large.rs`), goes with the task's
//!   end, while a join handle, an abort handle and a waker are still there and in use;
//! - that a wake is not lost: with a flag that is set before it *without* any ordering of its own,
//!   the task has seen the flag once all that is queued has run;
//! - that a join handle which was told to wait is woken, and one that is not dropped gets a result.

use crate::testing::{Count, Ledger, Queue, Tracked, join_now, poll_join};
use crate::{AbortHandle, JoinHandle, Shard, SpawnMeta};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use zokio_base::sync::atomic::{AtomicBool, Ordering};
use zokio_base::sync::{Mutex, model, thread};

/// The part that a party plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    /// Takes the task from the queue, if it is there, and runs it. It finds the flag as it is.
    Run,
    /// As `Run`, with the flag set from the start: the task completes unless it is cancelled.
    Complete,
    /// Sets the flag and wakes by value.
    Wake,
    /// Sets the flag, wakes by reference and runs what is queued: the task may change threads.
    WakeAndRun,
    /// Clones a waker and drops both.
    CloneWaker,
    Abort,
    /// Polls the join handle with one waker, and then with another.
    Join,
    JoinDrop,
    /// Polls the join handle and drops it while its waker is registered.
    JoinThenDrop,
    Shutdown,
}

use Act::{
    Abort, CloneWaker, Complete, Join, JoinDrop, JoinThenDrop, Run, Shutdown, Wake, WakeAndRun,
};

/// Ready once the flag is set.
struct Flagged {
    flag: Arc<AtomicBool>,
    waker: Arc<Mutex<Option<Waker>>>,
    outputs: Arc<Ledger>,
    _entry: Tracked,
}

impl Future for Flagged {
    type Output = Tracked;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Tracked> {
        // Relaxed: that the flag is seen is to follow from the wake alone.
        if self.flag.load(Ordering::Relaxed) {
            return Poll::Ready(self.outputs.entry());
        }
        let old = self.waker.lock().replace(cx.waker().clone());
        drop(old);
        Poll::Pending
    }
}

/// The state that the parties share.
#[derive(Clone)]
struct World {
    queue: Arc<Queue>,
    shard: Arc<Shard>,
    flag: Arc<AtomicBool>,
    futures: Arc<Ledger>,
    abort: AbortHandle,
    waker: Waker,
}

/// The state of a join handle after all acts.
struct Joining {
    handle: Option<JoinHandle<Tracked>>,
    waiting: Option<Arc<Count>>,
    outcome: Option<bool>,
}

impl Joining {
    fn poll(&mut self, times: usize) {
        for _ in 0..times {
            let count = Arc::new(Count::default());
            let handle = self.handle.as_mut().expect("one party joins");
            match poll_join(handle, &count.waker()) {
                Poll::Pending => self.waiting = Some(count),
                Poll::Ready(outcome) => {
                    self.waiting = None;
                    self.outcome = Some(outcome.is_ok());
                    return;
                }
            }
        }
    }
}

fn act(act: Act, world: World, joining: &mut Joining) {
    match act {
        Run | Complete => {
            world.queue.run_one();
        }
        Wake => {
            world.flag.store(true, Ordering::Relaxed);
            world.waker.wake();
        }
        WakeAndRun => {
            world.flag.store(true, Ordering::Relaxed);
            world.waker.wake_by_ref();
            world.queue.run_one();
        }
        CloneWaker => drop(world.waker.clone()),
        Abort => world.abort.abort(),
        Join => joining.poll(2),
        JoinDrop => drop(joining.handle.take()),
        JoinThenDrop => {
            joining.poll(1);
            joining.outcome = None;
            drop(joining.handle.take());
        }
        Shutdown => world.shard.shutdown_all(),
    }
}

/// Where the task's future is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the task's allocation.
    Inside,
    /// In a box of its own, as large ones are.
    Boxed,
}

/// Lets `acts` run at once on a task that is queued or idle at first.
fn parties(acts: &'static [Act], queued: bool, place: Place) {
    model(move || {
        let (queue, shard) = Queue::with_shard();
        let ledgers = [(); 2].map(|()| Arc::new(Ledger::default()));
        let [futures, outputs] = &ledgers;
        let flag = Arc::new(AtomicBool::new(false));
        let stored = Arc::new(Mutex::new(None));
        let future = Flagged {
            flag: flag.clone(),
            waker: stored.clone(),
            outputs: outputs.clone(),
            _entry: futures.entry(),
        };
        let (join, notified) = match place {
            Place::Inside => shard.bind(future, SpawnMeta::new()),
            Place::Boxed => shard.bind(Box::pin(future), SpawnMeta::new()),
        };
        // The first poll leaves a waker behind.
        notified.expect("the shard is open").run();
        let waker: Waker = stored.lock().take().expect("the task waits");
        if queued {
            waker.wake_by_ref();
        }
        flag.store(acts.contains(&Complete), Ordering::Relaxed);
        let world = World {
            queue: queue.clone(),
            shard: shard.clone(),
            flag,
            futures: futures.clone(),
            abort: join.abort_handle(),
            waker,
        };
        let mut joining = Joining {
            handle: Some(join),
            waiting: None,
            outcome: None,
        };
        let (first, others) = acts.split_first().expect("somebody acts");
        let mut threads = Vec::new();
        for other in others {
            let world = world.clone();
            let nobody = Joining {
                handle: None,
                waiting: None,
                outcome: None,
            };
            threads.push(thread::spawn(move || {
                let mut nobody = nobody;
                act(*other, world, &mut nobody);
            }));
        }
        act(*first, world.clone(), &mut joining);
        for thread in threads {
            thread.join().unwrap();
        }
        settle(acts, &world, joining);
        drop(stored);
        drop(world);
        for ledger in &ledgers {
            assert_eq!(ledger.alive(), 0, "dropped exactly once");
        }
        assert_eq!(Arc::strong_count(&shard), 1, "every task was freed");
        assert_eq!(shard.alive(), 0);
    });
}

/// Brings the task to its end and looks at how it ended.
fn settle(acts: &[Act], world: &World, mut joining: Joining) {
    let ends = |act: &Act| matches!(act, Complete | Wake | WakeAndRun | Abort | Shutdown);
    let cancels = |act: &Act| matches!(act, Abort | Shutdown);
    world.queue.run_all();
    if acts.iter().any(ends) {
        assert!(world.abort.is_finished(), "a wake or an abort was lost");
    } else {
        assert!(!world.abort.is_finished());
        world.flag.store(true, Ordering::Relaxed);
        world.waker.wake_by_ref();
        world.queue.run_all();
    }
    assert_eq!(world.futures.alive(), 0, "the future went with the end");
    if let Some(count) = joining.waiting.take() {
        if joining.handle.is_some() {
            assert_eq!(count.get(), 1, "the join handle was told to wait");
        } else {
            // Other references to the task are still there.
            assert_eq!(
                Arc::strong_count(&count),
                1,
                "the waker went with the handle"
            );
        }
    }
    if joining.outcome.is_none() {
        joining.outcome = joining.handle.take().map(|join| join_now(join).is_ok());
    }
    if !acts.iter().any(cancels) {
        assert_ne!(joining.outcome, Some(false), "nobody cancelled");
    }
    // A late wake, abort and shutdown find a task that has ended.
    world.waker.wake_by_ref();
    world.abort.abort();
    world.shard.shutdown_all();
    assert!(world.queue.pop().is_none());
}

macro_rules! models {
    ($place:expr; $($name:ident: $acts:expr, $queued:expr;)*) => {
        $(#[test]
        fn $name() {
            parties(&$acts, $queued, $place);
        })*
    };
}

// The joining party comes first: it has the handle.
models! { Place::Inside;
    poll_and_wake: [Run, Wake], true;
    poll_and_wake_and_wake: [Run, Wake, Wake], true;
    poll_and_wake_that_runs: [Run, WakeAndRun], true;
    poll_and_clone: [Run, CloneWaker], true;
    poll_and_abort: [Run, Abort], true;
    poll_and_abort_and_wake: [Run, Abort, Wake], true;
    poll_and_shutdown: [Run, Shutdown], true;
    poll_and_shutdown_and_wake: [Run, Shutdown, Wake], true;
    poll_and_shutdown_and_abort: [Run, Shutdown, Abort], true;
    join_and_poll: [Join, Run], true;
    join_and_poll_and_abort: [Join, Run, Abort], true;
    join_drop_and_poll: [JoinDrop, Run], true;
    join_drop_and_poll_and_wake: [JoinDrop, Run, Wake], true;

    complete_and_wake: [Complete, Wake], true;
    complete_and_wake_that_runs: [Complete, WakeAndRun], true;
    complete_and_clone: [Complete, CloneWaker], true;
    complete_and_abort: [Complete, Abort], true;
    complete_and_shutdown: [Complete, Shutdown], true;
    join_and_complete: [Join, Complete], true;
    join_and_complete_and_wake: [Join, Complete, Wake], true;
    join_and_complete_and_abort: [Join, Complete, Abort], true;
    join_then_drop_and_complete: [JoinThenDrop, Complete], true;
    join_then_drop_and_complete_and_wake: [JoinThenDrop, Complete, Wake], true;
    join_then_drop_and_shutdown: [JoinThenDrop, Shutdown], false;
    join_then_drop_and_poll_and_abort: [JoinThenDrop, Run, Abort], true;
    join_drop_and_complete: [JoinDrop, Complete], true;
    join_drop_and_complete_and_abort: [JoinDrop, Complete, Abort], true;
    join_drop_and_complete_and_shutdown: [JoinDrop, Complete, Shutdown], true;

    wake_and_wake: [Wake, Wake], false;
    wake_and_wake_that_run: [WakeAndRun, WakeAndRun], false;
    wake_and_clone: [Wake, CloneWaker], false;
    wake_and_abort: [Wake, Abort], false;
    wake_and_abort_that_run: [WakeAndRun, Abort], false;
    wake_and_shutdown: [Wake, Shutdown], false;
    wake_and_shutdown_queued: [Wake, Shutdown], true;
    wake_and_shutdown_that_run: [WakeAndRun, Shutdown], false;
    join_and_wake: [Join, WakeAndRun], false;
    join_drop_and_wake: [JoinDrop, WakeAndRun], false;

    abort_and_abort: [Abort, Abort], false;
    abort_and_clone: [Abort, CloneWaker], false;
    abort_and_shutdown: [Abort, Shutdown], false;
    abort_and_shutdown_queued: [Abort, Shutdown], true;
    join_and_abort: [Join, Abort], false;
    join_and_abort_and_wake: [Join, Abort, WakeAndRun], false;
    join_drop_and_abort: [JoinDrop, Abort], false;
    join_drop_and_abort_and_wake: [JoinDrop, Abort, WakeAndRun], false;

    shutdown_and_shutdown: [Shutdown, Shutdown], false;
    shutdown_and_clone: [Shutdown, CloneWaker], false;
    join_and_shutdown: [Join, Shutdown], false;
    join_drop_and_shutdown: [JoinDrop, Shutdown], false;
    join_and_clone: [Join, CloneWaker], false;
    join_drop_and_clone: [JoinDrop, CloneWaker], false;
}

// The memory of a large future goes at the task's end, whatever the handles do meanwhile.
models! { Place::Boxed;
    large_complete_and_wake: [Complete, Wake], true;
    large_complete_and_abort: [Complete, Abort], true;
    large_complete_and_shutdown: [Complete, Shutdown], true;
    large_poll_and_abort: [Run, Abort], true;
    large_poll_and_shutdown: [Run, Shutdown], true;
    large_wake_and_abort_that_run: [WakeAndRun, Abort], false;
    large_wake_and_shutdown_that_run: [WakeAndRun, Shutdown], false;
    large_join_and_complete: [Join, Complete], true;
    large_join_and_complete_and_abort: [Join, Complete, Abort], true;
    large_join_then_drop_and_complete_and_wake: [JoinThenDrop, Complete, Wake], true;
    large_join_drop_and_complete: [JoinDrop, Complete], true;
    large_join_drop_and_abort_and_wake: [JoinDrop, Abort, WakeAndRun], false;
    large_join_and_shutdown: [Join, Shutdown], false;
}

/// The waker's last clone goes while the task completes, on a task in no table: the last
/// reference may be either's.
#[test]
fn last_waker_and_complete_untracked() {
    model(|| {
        let (queue, shard) = Queue::with_shard();
        let ledger = Arc::new(Ledger::default());
        let flag = Arc::new(AtomicBool::new(false));
        let stored = Arc::new(Mutex::new(None));
        let future = Flagged {
            flag: flag.clone(),
            waker: stored.clone(),
            outputs: ledger.clone(),
            _entry: ledger.entry(),
        };
        let (join, notified) = shard.bind_untracked(future, SpawnMeta::new());
        notified.run();
        drop(join);
        let waker: Waker = stored.lock().take().expect("the task waits");
        let second = waker.clone();
        let other = thread::spawn(move || drop(second));
        flag.store(true, Ordering::Relaxed);
        waker.wake();
        queue.run_all();
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
        assert_eq!(Arc::strong_count(&shard), 1);
    });
}

/// Two wakers, the last references to an unfinished task, are dropped at once: one of them frees
/// it, with its future.
#[test]
fn the_last_of_two_wakers_frees_an_unfinished_task() {
    model(|| {
        let (_queue, shard) = Queue::with_shard();
        let ledger = Arc::new(Ledger::default());
        let stored = Arc::new(Mutex::new(None));
        let future = Flagged {
            flag: Arc::new(AtomicBool::new(false)),
            waker: stored.clone(),
            outputs: ledger.clone(),
            _entry: ledger.entry(),
        };
        let (join, notified) = shard.bind_untracked(future, SpawnMeta::new());
        notified.run();
        let waker: Waker = stored.lock().take().expect("the task waits");
        let other = thread::spawn(move || drop(waker));
        drop(join);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
        assert_eq!(Arc::strong_count(&shard), 1);
    });
}

/// The last waker of an unfinished task in no table is dropped while its poll ends: one of the two
/// frees it, with the future that the other has just polled or is about to let go.
#[test]
fn last_waker_and_poll_untracked() {
    model(|| {
        let (queue, shard) = Queue::with_shard();
        let ledger = Arc::new(Ledger::default());
        let stored = Arc::new(Mutex::new(None));
        let (store, entry) = (stored.clone(), ledger.entry());
        let future = std::future::poll_fn(move |cx: &mut Context<'_>| {
            let _entry = &entry;
            let mut first = store.lock();
            if first.is_none() {
                *first = Some(Some(cx.waker().clone()));
            }
            Poll::<()>::Pending
        });
        let (join, notified) = shard.bind_untracked(future, SpawnMeta::new());
        notified.run();
        drop(join);
        let waker: Waker = stored.lock().as_mut().and_then(Option::take).unwrap();
        waker.wake_by_ref();
        let other = thread::spawn(move || queue.run_all());
        drop(waker);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
        assert_eq!(Arc::strong_count(&shard), 1);
    });
}

/// The join handle drops an output while the last other reference goes: whoever frees does so after
/// the output was dropped.
#[test]
fn output_drop_and_last_reference() {
    model(|| {
        let (_queue, shard) = Queue::with_shard();
        let ledger = Arc::new(Ledger::default());
        let entry = ledger.entry();
        let (join, notified) = shard.bind(async move { entry }, SpawnMeta::new());
        let abort = join.abort_handle();
        notified.expect("the shard is open").run();
        let other = thread::spawn(move || drop(join));
        drop(abort);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
        assert_eq!(Arc::strong_count(&shard), 1);
    });
}

/// Tasks are bound while the shard shuts down: each is cancelled by the one or refused by the
/// other.
#[test]
fn bind_and_shutdown() {
    model(|| {
        let (queue, shard) = Queue::with_shard();
        let ledger = Arc::new(Ledger::default());
        let (closing, entry) = (shard.clone(), ledger.entry());
        let other = thread::spawn(move || closing.shutdown_all());
        let (join, notified) = shard.bind(
            async move {
                std::future::pending::<()>().await;
                drop(entry);
            },
            SpawnMeta::new(),
        );
        if let Some(task) = notified {
            task.run();
        }
        other.join().unwrap();
        queue.run_all();
        assert!(join_now(join).is_err_and(|error| error.is_cancelled()));
        assert_eq!(ledger.alive(), 0);
        assert_eq!(Arc::strong_count(&shard), 1);
    });
}

/// Two tasks, each of which wakes the other, on two threads: wakes and runs of one task cross
/// those of the other.
#[test]
fn join_waits_for_a_task_on_another_thread() {
    model(|| {
        let (queue, shard) = Queue::with_shard();
        let ledger = Arc::new(Ledger::default());
        let entry = ledger.entry();
        let (inner, notified) = shard.bind(async move { entry }, SpawnMeta::new());
        let inner_task = notified.expect("the shard is open");
        let (outer, notified) = shard.bind(async move { inner.await.is_ok() }, SpawnMeta::new());
        let outer_task = notified.expect("the shard is open");
        let other = thread::spawn(move || inner_task.run());
        outer_task.run();
        queue.run_all();
        other.join().unwrap();
        queue.run_all();
        assert!(join_now(outer).is_ok_and(|joined| joined));
        assert_eq!(ledger.alive(), 0);
        assert_eq!(Arc::strong_count(&shard), 1);
    });
}
