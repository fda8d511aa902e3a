//! Tests of sets of tasks.
#![allow(clippy::disallowed_methods)] // The door leads to these.

use crate::{Builder, JoinSet, LocalSet, Runtime, TaskBuilder};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use zokio_base::sync::Arc;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_sync::oneshot;

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        zokio_task::context::defer(cx.waker());
        Poll::Pending
    })
    .await;
}

struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn tasks_come_in_the_order_in_which_they_end() {
    current_thread().block_on(async {
        let mut set = JoinSet::new();
        let mut senders = Vec::new();
        for number in 0..10 {
            let (send, receive) = oneshot::channel::<()>();
            senders.push(send);
            set.spawn(async move {
                receive.await.unwrap();
                number
            });
        }
        assert_eq!(set.len(), 10);
        assert!(set.try_join_next().is_none());
        let order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7];
        let mut senders: Vec<_> = senders.into_iter().map(Some).collect();
        for number in order {
            senders[number].take().unwrap().send(()).unwrap();
            yield_now().await;
        }
        assert_eq!(set.join_all().await, order);
    });
}

#[test]
fn ids_are_the_tasks() {
    current_thread().block_on(async {
        let mut set = JoinSet::new();
        let good = set.spawn(async { 1 }).id();
        let bad = set.spawn(pending());
        let (id, output) = set.join_next_with_id().await.unwrap().unwrap();
        assert_eq!((id, output), (good, 1));
        bad.abort();
        let error = set.join_next_with_id().await.unwrap().unwrap_err();
        assert_eq!(error.id(), bad.id());
        assert!(error.is_cancelled());
        assert!(set.join_next_with_id().await.is_none());
        assert!(set.try_join_next_with_id().is_none());
    });
}

#[test]
fn the_drop_aborts_and_detached_tasks_run_on() {
    let runtime = current_thread();
    let dropped = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..5 {
            let count = CountDrop(dropped.clone());
            set.spawn(async move {
                let _count = count;
                pending::<()>().await;
            });
        }
        yield_now().await;
        drop(set);
        yield_now().await;
        assert_eq!(dropped.load(Ordering::SeqCst), 5);

        let (send, receive) = oneshot::channel();
        let mut set = JoinSet::new();
        set.spawn(async {
            yield_now().await;
            send.send(7).unwrap();
        });
        set.spawn(async {});
        yield_now().await;
        set.detach_all();
        assert!(set.is_empty());
        assert!(set.join_next().await.is_none());
        assert_eq!(receive.await.unwrap(), 7);
        // Keys of detached tasks find nothing, also when their slots were given out again.
        set.spawn(pending());
        assert!(set.try_join_next().is_none());
        assert_eq!(set.len(), 1);
    });
}

#[test]
fn abort_all_and_shutdown() {
    current_thread().block_on(async {
        let mut set = JoinSet::new();
        for number in 0..10 {
            set.spawn(async move {
                if number % 2 == 0 {
                    pending::<()>().await;
                }
            });
        }
        yield_now().await;
        set.abort_all();
        assert_eq!(set.len(), 10);
        let mut ended = 0;
        while let Some(outcome) = set.join_next().await {
            ended += usize::from(outcome.is_ok());
        }
        assert_eq!(ended, 5);
        (0..10).for_each(|_| drop(set.spawn(pending())));
        set.shutdown().await;
        assert!(set.is_empty());
    });
}

#[test]
fn the_budget_is_asked_by_polls_and_not_by_tries() {
    current_thread().block_on(async {
        for tries in [false, true] {
            let ended = Arc::new(AtomicUsize::new(0));
            let end = |_| {
                let ended = ended.clone();
                async move { ended.fetch_add(1, Ordering::SeqCst) }
            };
            let mut set: JoinSet<usize> = (0..1_000).map(end).collect();
            while ended.load(Ordering::SeqCst) < 1_000 {
                yield_now().await;
            }
            let mut pendings = 0;
            let mut cx = Context::from_waker(Waker::noop());
            while !set.is_empty() {
                let next = match tries {
                    true => Poll::Ready(set.try_join_next()),
                    false => set.poll_join_next(&mut cx),
                };
                match next {
                    Poll::Ready(Some(outcome)) => assert!(outcome.is_ok()),
                    _ => {
                        pendings += 1;
                        yield_now().await;
                    }
                }
            }
            assert_eq!(pendings > 0, !tries, "{pendings}");
        }
    });
}

#[test]
fn join_all_panics_with_the_tasks_panic() {
    let runtime = current_thread();
    let join =
        |set: JoinSet<()>| catch_unwind(AssertUnwindSafe(|| runtime.block_on(set.join_all())));
    let mut set = JoinSet::new();
    set.spawn_on(async { panic!("expected") }, runtime.handle());
    let payload = join(set).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"expected"));
    let mut set = JoinSet::new();
    set.spawn_on(pending(), runtime.handle()).abort();
    assert!(join(set).is_err());
}

#[test]
fn every_way_to_spawn() {
    let runtime = current_thread();
    let local = LocalSet::new();
    let sum = local.block_on(&runtime, async {
        let handle = runtime.handle();
        let shared = Rc::new(1);
        let mut set = JoinSet::new();
        set.spawn(async { 1 });
        set.spawn_on(async { 1 }, handle);
        set.spawn_blocking(|| 1);
        set.spawn_blocking_on(|| 1, handle);
        let inside = shared.clone();
        set.spawn_local(async move { *inside });
        let inside = shared.clone();
        set.spawn_local_on(async move { *inside }, &local);
        set.build_task().name("a").spawn(async { 1 }).unwrap();
        set.build_task()
            .name("b")
            .spawn_on(async { 1 }, handle)
            .unwrap();
        set.build_task().spawn_blocking(|| 1).unwrap();
        set.build_task().spawn_blocking_on(|| 1, handle).unwrap();
        let inside = shared.clone();
        set.build_task()
            .spawn_local(async move { *inside })
            .unwrap();
        set.build_task()
            .spawn_local_on(async move { *shared }, &local)
            .unwrap();
        let task = TaskBuilder::new();
        let mut sum = task.name("c").spawn(async { 1 }).unwrap().await.unwrap();
        sum += task.spawn_blocking(|| 1).unwrap().await.unwrap();
        let task = TaskBuilder::default();
        sum += task
            .name("d")
            .spawn_on(async { 1 }, handle)
            .unwrap()
            .await
            .unwrap();
        sum += task.spawn_blocking_on(|| 1, handle).unwrap().await.unwrap();
        assert_eq!(set.len(), 12);
        sum + set.join_all().await.into_iter().sum::<i32>()
    });
    assert_eq!(sum, 16);
}

#[test]
fn outputs_need_not_be_send() {
    let runtime = current_thread();
    let local = LocalSet::new();
    let mut set = JoinSet::new();
    for number in 0..5 {
        set.spawn_local_on(async move { Rc::new(number) }, &local);
    }
    let outputs = local.block_on(&runtime, set.join_all());
    assert_eq!(outputs.iter().map(|output| **output).sum::<i32>(), 10);
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    current_thread().block_on(async {
        let mut set = JoinSet::new();
        let (send, receive) = oneshot::channel::<()>();
        set.spawn(async move { receive.await.unwrap() });
        {
            let mut wait = pin!(set.join_next());
            assert!(
                wait.as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
        }
        send.send(()).unwrap();
        assert!(set.join_next().await.unwrap().is_ok());
        assert!(set.join_next().await.is_none());
    });
}

#[test]
fn the_end_of_a_detached_task_is_no_end_of_the_sets() {
    current_thread().block_on(async {
        let mut set = JoinSet::default();
        let (end_it, ended) = oneshot::channel::<()>();
        let (told, tell) = oneshot::channel();
        set.spawn(async move {
            ended.await.unwrap();
            told.send(()).unwrap();
            1
        });
        set.detach_all();
        let (go, wait) = oneshot::channel::<()>();
        set.spawn(async move {
            wait.await.unwrap();
            2
        });
        let look = |set: &mut JoinSet<i32>| {
            set.poll_join_next(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        };
        assert!(look(&mut set));
        end_it.send(()).unwrap();
        tell.await.unwrap();
        yield_now().await;
        assert!(look(&mut set), "that task is the set's no more");
        assert_eq!(set.len(), 1);
        go.send(()).unwrap();
        assert_eq!(set.join_next().await.unwrap().unwrap(), 2);
    });
}

#[test]
fn timers_end_tasks_in_order() {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    let outputs = runtime.block_on(async {
        let set: JoinSet<u64> = [5, 2, 9, 1]
            .into_iter()
            .map(|seconds| async move {
                zokio_time::sleep(Duration::from_secs(seconds)).await;
                seconds
            })
            .collect();
        set.join_all().await
    });
    assert_eq!(outputs, [1, 2, 5, 9]);
}

#[test]
fn tasks_of_a_runtime_that_is_gone_are_cancelled() {
    let gone = current_thread();
    let handle = gone.handle().clone();
    drop(gone);
    let mut set = JoinSet::<()>::new();
    set.spawn_on(async {}, &handle);
    let error = current_thread()
        .block_on(set.join_next())
        .unwrap()
        .unwrap_err();
    assert!(error.is_cancelled());
}

#[test]
fn auto_traits() {
    fn check<T: Send + Sync + Unpin>() {}
    check::<JoinSet<u8>>();
    check::<JoinSet<std::cell::Cell<u8>>>();
    check::<crate::join_set::Builder<'static, std::cell::Cell<u8>>>();
    check::<TaskBuilder<'static>>();
}

#[test]
fn stress_ends_against_waits_and_aborts() {
    const TASKS: usize = 2_000;
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        for round in 0..5 {
            let dropped = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            let (mut spawned, mut joined) = (0, 0);
            while spawned < TASKS || !set.is_empty() {
                for _ in 0..(TASKS - spawned).min(7) {
                    let count = CountDrop(dropped.clone());
                    let handle = set.spawn(async move {
                        yield_now().await;
                        count
                    });
                    if spawned % 5 == round {
                        handle.abort();
                    }
                    spawned += 1;
                }
                if let Some(outcome) = set.join_next().await {
                    joined += 1;
                    assert!(outcome.is_ok() || outcome.is_err_and(|error| error.is_cancelled()));
                }
                while set.try_join_next().is_some() {
                    joined += 1;
                }
            }
            assert_eq!(joined, TASKS);
            assert_eq!(dropped.load(Ordering::SeqCst), TASKS);
        }
    });
}
