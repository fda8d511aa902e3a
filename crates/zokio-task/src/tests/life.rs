//! Runs, wakes, budgets, what a task carries, and its size.

use super::{YieldOnce, bind, spawn};
use crate::testing::{Ledger, Queue, join_now, poll_join};
use crate::{Header, Id, Notified, Priority, Schedule, Shard, SpawnMeta, TaskQueue, context, coop};
use proptest::prelude::*;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use zokio_base::sync::Mutex;

#[test]
#[cfg(target_pointer_width = "64")]
fn a_header_takes_a_cache_line() {
    assert_eq!(size_of::<Header>(), 64);
    assert_eq!(size_of::<crate::JoinHandle<[u64; 9]>>(), 8);
    assert_eq!(size_of::<Option<crate::JoinHandle<()>>>(), 8);
    assert_eq!(size_of::<crate::AbortHandle>(), 8);
    assert_eq!(size_of::<crate::Notified>(), 8);
    assert_eq!(size_of::<crate::JoinError>(), 16);
}

#[test]
fn a_task_runs_to_its_output() {
    let (queue, shard) = Queue::with_shard();
    let join = spawn(&queue, &shard, async {
        YieldOnce::default().await;
        "output"
    });
    assert_eq!(shard.alive(), 1);
    assert!(!join.is_finished());
    assert!(queue.run_one());
    assert!(!join.is_finished());
    assert!(queue.run_one());
    assert!(join.is_finished());
    assert_eq!(shard.alive(), 0);
    assert_eq!(join_now(join).unwrap(), "output");
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn a_wake_during_the_poll_reschedules_and_another_schedules() {
    let (queue, shard) = Queue::with_shard();
    let stored = Arc::new(Mutex::new(None::<Waker>));
    let store = stored.clone();
    let mut polls = 0;
    let join = spawn(
        &queue,
        &shard,
        poll_fn(move |cx| {
            polls += 1;
            match polls {
                1 => cx.waker().wake_by_ref(),
                2 => *store.lock() = Some(cx.waker().clone()),
                _ => return Poll::Ready(polls),
            }
            Poll::Pending
        }),
    );
    queue.run_one();
    assert_eq!(queue.rescheduled.load(Ordering::Relaxed), 1);
    queue.run_one();
    assert_eq!(queue.len(), 0);
    let waker = stored.lock().take().unwrap();
    waker.wake_by_ref();
    waker.wake_by_ref();
    waker.wake();
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.rescheduled.load(Ordering::Relaxed), 1);
    queue.run_all();
    assert_eq!(join_now(join).unwrap(), 3);
}

#[test]
fn the_wakers_of_one_task_will_wake_one_another() {
    let (queue, shard) = Queue::with_shard();
    let seen = Arc::new(Mutex::new(Vec::<Waker>::new()));
    for _ in 0..2 {
        let store = seen.clone();
        spawn(
            &queue,
            &shard,
            poll_fn(move |cx| {
                store.lock().push(cx.waker().clone());
                if store.lock().len().is_multiple_of(2) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }),
        );
        queue.run_all();
    }
    let seen = std::mem::take(&mut *seen.lock());
    assert!(seen[0].will_wake(&seen[1]));
    assert!(seen[2].will_wake(&seen[3]));
    assert!(!seen[1].will_wake(&seen[2]));
    // Wakers of ended tasks keep the memory and do nothing.
    assert_eq!(Arc::strong_count(&shard), 3);
    seen.into_iter().for_each(Waker::wake);
    assert_eq!(queue.len(), 0);
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn each_poll_has_a_full_budget_and_restores_the_former() {
    let (queue, shard) = Queue::with_shard();
    let join = spawn(&queue, &shard, async {
        for _ in 0..2 {
            assert_eq!(context::budget(), coop::Budget::initial());
            coop::consume_budget().await;
            YieldOnce::default().await;
        }
    });
    coop::with_budget(coop::Budget::unlimited(), || {
        queue.run_all();
        assert_eq!(context::budget(), coop::Budget::unlimited());
    });
    join_now(join).unwrap();
}

#[test]
fn blocking_work_has_no_budget() {
    let (_queue, shard) = Queue::with_shard();
    let (join, work) = shard.bind_untracked(
        async {
            for _ in 0..1_000 {
                coop::consume_budget().await;
            }
            context::budget()
        },
        SpawnMeta::new(),
    );
    assert_eq!(shard.alive(), 0);
    work.run();
    assert_eq!(join_now(join).unwrap(), coop::Budget::unlimited());
}

#[test]
fn waiting_for_a_task_costs_budget_and_ends_with_it() {
    let (_queue, shard) = Queue::with_shard();
    let mut finished: Vec<_> = (0..200)
        .map(|number| {
            let (join, task) = bind(&shard, async move { number });
            task.run();
            join
        })
        .collect();
    coop::budget(|| {
        let mut joined = 0;
        for join in &mut finished {
            match poll_join(join, Waker::noop()) {
                Poll::Ready(_) => joined += 1,
                Poll::Pending => break,
            }
        }
        assert_eq!(joined, usize::from(coop::BUDGET));
    });
}

#[test]
fn a_task_knows_where_it_comes_from() {
    let (_queue, shard) = Queue::with_shard();
    let mut meta = SpawnMeta::new();
    let line = line!() - 1;
    let id = meta.id;
    meta.name = Some("worker bee".into());
    meta.priority = Priority::Low;
    meta.hook = Some(Box::new(77_u8));
    let (join, task) = shard.bind(async { context::task() }, meta);
    let task = task.unwrap();
    assert_eq!(task.id(), id);
    assert_eq!(join.id(), id);
    assert_eq!(
        (task.spawned_at().file(), task.spawned_at().line()),
        (file!(), line)
    );
    assert_eq!(task.name(), Some("worker bee"));
    assert_eq!(task.priority(), Priority::Low);
    assert_eq!(
        task.hook().and_then(|hook| hook.downcast_ref()),
        Some(&77_u8)
    );
    assert!(context::task().is_none());
    task.run();
    assert!(context::task().is_none());
    assert_eq!(join_now(join).unwrap(), Some(id));

    let (_join, plain) = bind(&shard, async {});
    assert_eq!((plain.name(), plain.priority()), (None, Priority::Normal));
    assert!(plain.hook().is_none());
    plain.run();
}

#[test]
fn classes_survive_the_state_word() {
    let (_queue, shard) = Queue::with_shard();
    for priority in [Priority::High, Priority::Normal, Priority::Low] {
        let meta = SpawnMeta {
            priority,
            ..SpawnMeta::new()
        };
        let (join, task) = shard.bind(YieldOnce::default(), meta);
        join.abort();
        assert_eq!(task.unwrap().priority(), priority);
    }
    shard.shutdown_all();
}

#[test]
fn stamps_stay_with_the_task_where_they_are_wanted() {
    struct Stamping(Mutex<Option<Notified>>);
    impl Schedule for Stamping {
        fn schedule(&self, task: Notified) {
            *self.0.lock() = Some(task);
        }
        fn wants_stamps(&self) -> bool {
            true
        }
    }
    let schedule = Arc::new(Stamping(Mutex::new(None)));
    let shard = Shard::new(schedule.clone(), 0);
    let (join, task) = shard.bind(YieldOnce::default(), SpawnMeta::new());
    let task = task.unwrap();
    assert_eq!((task.stamp(), task.name()), (None, None));
    task.set_stamp(0);
    assert_eq!(task.stamp(), Some(0));
    task.run();
    let task = schedule.0.lock().take().unwrap();
    assert_eq!(task.stamp(), Some(0));
    // The largest number is none, and becomes its neighbour.
    task.set_stamp(u64::MAX);
    assert_eq!(task.stamp(), Some(u64::MAX - 1));
    task.run();
    assert!(join_now(join).is_ok());

    let (_queue, shard) = Queue::with_shard();
    let (_join, task) = bind(&shard, async {});
    task.set_stamp(7);
    assert_eq!(task.stamp(), None);
    task.run();
}

/// A future with an alignment beyond the header's, and an extension behind it.
#[test]
fn alignment_of_future_and_output_is_kept() {
    #[repr(align(128))]
    struct Wide(u8);
    impl Future for Wide {
        type Output = Wide;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Wide> {
            assert_eq!((&raw const *self).addr() % 128, 0);
            if self.0 == 2 {
                return Poll::Ready(Wide(9));
            }
            self.0 += 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    let (queue, shard) = Queue::with_shard();
    let meta = SpawnMeta {
        name: Some("wide".into()),
        ..SpawnMeta::new()
    };
    let (join, task) = shard.bind(Wide(0), meta);
    let task = task.unwrap();
    assert_eq!(task.name(), Some("wide"));
    task.run();
    queue.run_all();
    assert_eq!(join_now(join).unwrap().0, 9);
}

#[test]
fn the_future_is_dropped_before_the_handle_sees_the_end() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let entry = ledger.entry();
    let mut join = spawn(&queue, &shard, async move {
        YieldOnce::default().await;
        let _entry = &entry;
    });
    let waker = Waker::from(Arc::new(WhenWoken {
        ledger: ledger.clone(),
        alive: AtomicUsize::new(usize::MAX),
    }));
    assert!(poll_join(&mut join, &waker).is_pending());
    queue.run_all();
    assert_eq!(ledger.alive(), 0);
    assert!(poll_join(&mut join, &waker).is_ready());

    struct WhenWoken {
        ledger: Arc<Ledger>,
        alive: AtomicUsize,
    }
    impl std::task::Wake for WhenWoken {
        fn wake(self: Arc<Self>) {
            self.alive.store(self.ledger.alive(), Ordering::Relaxed);
            assert_eq!(self.ledger.alive(), 0);
        }
    }
}

#[test]
fn a_future_that_is_not_send_runs_where_it_is() {
    let (queue, shard) = Queue::with_shard();
    let shared = std::rc::Rc::new(std::cell::Cell::new(1));
    let inner = shared.clone();
    // SAFETY: all of it happens on this thread.
    #[allow(unsafe_code)]
    let (join, task) = unsafe {
        shard.bind_local(
            async move {
                YieldOnce::default().await;
                inner.set(2);
                inner
            },
            SpawnMeta::new(),
        )
    };
    task.unwrap().run();
    queue.run_all();
    assert!(std::rc::Rc::ptr_eq(&join_now(join).unwrap(), &shared));
    assert_eq!(shared.get(), 2);
}

#[test]
fn a_dropped_notification_leaves_a_task_that_never_runs() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let (join, task) = bind(&shard, super::Forever(ledger.entry()));
    drop(task);
    join.abort();
    assert_eq!(queue.len(), 0);
    assert_eq!(ledger.alive(), 1);
    shard.shutdown_all();
    assert_eq!(ledger.alive(), 0);
    assert!(join_now(join).unwrap_err().is_cancelled());

    // In no table, the last handle frees it.
    let (join, work) = shard.bind_untracked(super::Forever(ledger.entry()), SpawnMeta::new());
    drop(work);
    assert_eq!(ledger.alive(), 1);
    drop(join);
    assert_eq!(ledger.alive(), 0);
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn tasks_pass_through_pointers() {
    let (_queue, shard) = Queue::with_shard();
    let (join, task) = bind(&shard, async { 3 });
    let raw = task.into_raw();
    // SAFETY: just taken from a notification.
    #[allow(unsafe_code)]
    unsafe { crate::Notified::from_raw(raw) }.run();
    assert_eq!(join_now(join).unwrap(), 3);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Push(bool),
    Pop(bool),
    Append,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Push),
        3 => any::<bool>().prop_map(Step::Pop),
        1 => Just(Step::Append),
    ]
}

fn number_of(queue: &mut TaskQueue) -> Option<Id> {
    queue.pop_front().map(|task| task.id())
}

proptest! {
    #[test]
    fn queues_behave_as_deques(steps in prop::collection::vec(step(), 0..200)) {
        use std::collections::VecDeque;
        let (_queue, shard) = Queue::with_shard();
        let mut queues = [TaskQueue::new(), TaskQueue::new()];
        let mut naive = [VecDeque::new(), VecDeque::new()];
        for step in steps {
            match step {
                Step::Push(which) => {
                    let (_join, task) = bind(&shard, async {});
                    naive[usize::from(which)].push_back(task.id());
                    queues[usize::from(which)].push_back(task);
                }
                Step::Pop(which) => {
                    let found = number_of(&mut queues[usize::from(which)]);
                    prop_assert_eq!(found, naive[usize::from(which)].pop_front());
                }
                Step::Append => {
                    let [first, second] = &mut queues;
                    first.append(second);
                    let [first, second] = &mut naive;
                    first.append(second);
                }
            }
            for (queue, naive) in queues.iter().zip(&naive) {
                prop_assert_eq!(queue.len(), naive.len());
                prop_assert_eq!(queue.is_empty(), naive.is_empty());
            }
        }
        drop(queues);
        shard.shutdown_all();
        prop_assert_eq!(Arc::strong_count(&shard), 1);
    }
}

/// The promises of shards at compile time.
#[test]
fn auto_traits() {
    fn send_sync<T: Send + Sync>() {}
    send_sync::<Shard>();
    send_sync::<crate::Notified>();
    send_sync::<TaskQueue>();
    send_sync::<Header>();
    let _: fn() -> &'static Location<'static> = || SpawnMeta::new().location;
}
