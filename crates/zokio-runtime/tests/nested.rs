//! Things that nest badly: a runtime that is dropped inside of another one, and a foreign executor inside
//! of a task.
#![allow(clippy::disallowed_methods)] // A foreign executor parks real threads.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::Duration;
use zokio_runtime::{Builder, Handle, LocalRuntime, LocalSet, Runtime, spawn, spawn_blocking};
use zokio_task::coop;

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn several() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Counts what is alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn wait_until_none(count: &AtomicUsize) {
    for _ in 0..10_000 {
        if count.load(Ordering::SeqCst) == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("{} futures are alive", count.load(Ordering::SeqCst));
}

/// A runtime with tasks of three kinds: one that waits, one with a timer, one that was never polled.
fn with_tasks(runtime: Runtime, count: &Arc<AtomicUsize>) -> Runtime {
    let alive = Alive::new(count);
    runtime.spawn(async move {
        let _alive = alive;
        pending::<()>().await;
    });
    let alive = Alive::new(count);
    runtime.block_on(async {
        spawn(async move {
            let _alive = alive;
            zokio_time::sleep(Duration::from_secs(3600)).await;
        });
        zokio_time::sleep(Duration::from_millis(1)).await;
    });
    let alive = Alive::new(count);
    runtime.spawn(async move { drop(alive) });
    runtime
}

/// Drops `runtime` with `drop_it`, which runs inside of another one: its tasks are dropped, then the misuse
/// is told.
fn is_told_after_all_is_dropped(
    runtime: Runtime,
    drop_it: impl FnOnce(Runtime) -> thread::Result<()>,
) {
    let count = Arc::default();
    let dropped = drop_it(with_tasks(runtime, &count));
    let payload = dropped.expect_err("it is told");
    let text = payload.downcast_ref::<&'static str>().unwrap();
    assert!(text.starts_with("Cannot drop a runtime in a context where blocking"));
    // Workers of several threads end by themselves.
    wait_until_none(&count);
}

fn caught(runtime: Runtime) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(|| drop(runtime)))
}

#[test]
fn a_runtime_that_is_dropped_in_an_async_context_drops_its_tasks() {
    for inner in [single, several] {
        for outer in [single, several] {
            is_told_after_all_is_dropped(inner(), |runtime| {
                outer().block_on(async move { caught(runtime) })
            });
            is_told_after_all_is_dropped(inner(), |runtime| {
                let outer = outer();
                outer.block_on(async move { spawn(async move { caught(runtime) }).await.unwrap() })
            });
        }
        is_told_after_all_is_dropped(inner(), |runtime| {
            LocalSet::new().block_on(&single(), async move { caught(runtime) })
        });
        is_told_after_all_is_dropped(inner(), |runtime| {
            LocalRuntime::new()
                .unwrap()
                .block_on(async move { caught(runtime) })
        });
        // A single thread's tasks are gone when the drop returns.
        let count = Arc::default();
        let runtime = with_tasks(single(), &count);
        let left = single().block_on(async {
            let _ = caught(runtime);
            count.load(Ordering::SeqCst)
        });
        assert_eq!(left, 0);
    }
}

#[test]
fn a_runtime_may_be_dropped_where_blocking_is_allowed() {
    for inner in [single, several] {
        for outer in [single, several] {
            let count = Arc::default();
            let runtime = with_tasks(inner(), &count);
            let outer = outer();
            outer.block_on(async { spawn_blocking(move || drop(runtime)).await.unwrap() });
            assert_eq!(count.load(Ordering::SeqCst), 0);
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_runtime_that_is_dropped_in_an_async_context_leaves_no_descriptors() {
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let outer = single();
    let before = descriptors();
    for _ in 0..4 {
        let inner = single();
        inner.spawn(pending::<()>());
        outer.block_on(async move { caught(inner) }).unwrap_err();
    }
    assert_eq!(descriptors(), before);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Another crate's `block_on`.
fn foreign_block_on<F: Future>(future: F) -> F::Output {
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(Duration::from_secs(20)),
        }
    }
}

/// Yields, and uses units of a budget, as often as several budgets have units.
async fn use_budgets() {
    for _ in 0..1_000 {
        coop::consume_budget().await;
    }
    let mut is_first = true;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut is_first, false) {
            zokio_task::context::defer(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// The budget of the poll around it is used up many times, and nothing that is held back until that
/// poll is over is waited for.
#[test]
fn a_foreign_block_on_inside_of_a_poll_goes_on_when_the_budget_is_used_up() {
    for runtime in [single(), several()] {
        let begun = std::time::Instant::now();
        runtime.block_on(async { foreign_block_on(use_budgets()) });
        let task = runtime.spawn(async { foreign_block_on(use_budgets()) });
        runtime.block_on(task).unwrap();
        let handle = runtime.handle().clone();
        let blocking = move || {
            assert!(Handle::try_current().is_ok());
            handle.block_on(async { foreign_block_on(use_budgets()) });
        };
        runtime.block_on(runtime.spawn_blocking(blocking)).unwrap();
        // Nothing was missed that the executor's patience made up for.
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
}

/// The tasks of a local set have wakers of tasks, and still nobody polls them but the foreign executor
/// that polls their set.
#[test]
fn a_foreign_block_on_of_a_local_set_inside_of_a_poll_goes_on() {
    let use_sets = || {
        let local = LocalSet::new();
        foreign_block_on(local.run_until(async {
            zokio_runtime::spawn_local(use_budgets()).await.unwrap();
        }));
        local.spawn_local(use_budgets());
        foreign_block_on(local);
    };
    for runtime in [single(), several()] {
        let begun = std::time::Instant::now();
        runtime.block_on(async { use_sets() });
        let task = runtime.spawn(async move { use_sets() });
        runtime.block_on(task).unwrap();
        // Nothing was missed that the executor's patience made up for.
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
}

/// Operations with foreign wakers, which a task tries between its own, bring it no new budget.
#[test]
fn a_task_that_asks_with_foreign_wakers_is_still_made_to_yield() {
    let runtime = single();
    let asked = runtime.block_on(async {
        let asked = std::cell::Cell::new(0);
        let mut asking = pin!(async {
            loop {
                for _ in 0..16 {
                    let mut cx = Context::from_waker(std::task::Waker::noop());
                    let _ = pin!(coop::consume_budget()).poll(&mut cx);
                }
                asked.set(asked.get() + 1);
                assert!(asked.get() < 1_000, "the task does not yield");
                coop::consume_budget().await;
            }
        });
        let first: Poll<()> =
            std::future::poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        asked.get()
    });
    // Each turn takes 17 units.
    assert_eq!(asked, 1 + usize::from(coop::BUDGET) / 17);
}

/// A task's own operations still yield when the budget is used up, and so do the root's.
#[test]
fn a_task_is_still_made_to_yield() {
    let runtime = single();
    let polls = |future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let mut future = future;
        let mut polls = 0;
        async move {
            std::future::poll_fn(|cx| {
                polls += 1;
                future.as_mut().poll(cx)
            })
            .await;
            polls
        }
    };
    let use_thousand = || {
        Box::pin(async {
            for _ in 0..1_000 {
                coop::consume_budget().await;
            }
        })
    };
    let expected = 1_000_usize.div_ceil(usize::from(coop::BUDGET));
    assert_eq!(runtime.block_on(polls(use_thousand())), expected);
    let task = runtime.spawn(polls(use_thousand()));
    assert_eq!(runtime.block_on(task).unwrap(), expected);
}
