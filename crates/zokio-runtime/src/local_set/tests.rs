//! Tests of local sets and of `spawn_local`.
#![allow(clippy::disallowed_methods)] // The door leads to these.

use crate::{Builder, LocalRuntime, LocalSet, Runtime, TaskBuilder, UnhandledPanic};
use crate::{block_in_place, spawn, spawn_local};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use zokio_base::sync::Arc;
use zokio_base::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use zokio_base::sync::thread;
use zokio_sync::oneshot;

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn local_runtime() -> LocalRuntime {
    LocalRuntime::new().unwrap()
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

/// Fails if it is dropped on another thread than the one that made it.
struct StaysHere(thread::ThreadId, Arc<AtomicUsize>);

impl StaysHere {
    fn new(dropped: &Arc<AtomicUsize>) -> Self {
        Self(thread::current_id(), dropped.clone())
    }
}

impl Drop for StaysHere {
    fn drop(&mut self) {
        // Not an assertion: a panic in a drop is caught by the task.
        let right = self.0 == thread::current_id();
        self.1
            .fetch_add(if right { 1 } else { 1_000_000 }, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().unwrap().to_string(),
    }
}

// ---- Running ----

#[test]
fn tasks_run_in_the_order_in_which_they_became_ready() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let set = LocalSet::new();
    for number in 0..200 {
        let order = order.clone();
        set.spawn_local(async move { order.borrow_mut().push(number) });
    }
    current_thread().block_on(set);
    assert_eq!(*order.borrow(), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_poll_runs_a_bounded_number_of_tasks() {
    let ran = Rc::new(Cell::new(0));
    let mut set = LocalSet::new();
    for _ in 0..100 {
        let ran = ran.clone();
        set.spawn_local(async move { ran.set(ran.get() + 1) });
    }
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut set).poll(&mut cx).is_pending());
    assert_eq!((ran.get(), count.get()), (super::TASKS_PER_TICK, 1));
    assert!(Pin::new(&mut set).poll(&mut cx).is_ready());
    assert_eq!((ran.get(), count.get()), (100, 1));
}

#[test]
fn busy_sets_let_the_runtimes_other_tasks_timers_and_threads_go_on() {
    for runtime in [current_thread(), Runtime::new().unwrap()] {
        let set = LocalSet::new();
        for _ in 0..3 {
            set.spawn_local(async {
                loop {
                    poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        Poll::<()>::Pending
                    })
                    .await;
                }
            });
        }
        let (sent, received) = oneshot::channel();
        let elsewhere = set.spawn_local(async move {
            received.await.unwrap();
            thread::current_id()
        });
        let owner = set.block_on(&runtime, async {
            spawn(async {
                zokio_time::sleep(Duration::from_millis(5)).await;
            })
            .await
            .unwrap();
            crate::spawn_blocking(|| sent.send(()).unwrap())
                .await
                .unwrap();
            elsewhere.await.unwrap()
        });
        assert_eq!(owner, thread::current_id());
    }
}

#[test]
fn the_set_ends_with_its_last_task_and_can_be_used_again() {
    let runtime = current_thread();
    let done = Rc::new(Cell::new(0));
    let mut set = LocalSet::new();
    for _ in 0..2 {
        let inside = done.clone();
        set.spawn_local(async move {
            let deep = inside.clone();
            spawn_local(async move {
                zokio_time::sleep(Duration::from_millis(2)).await;
                deep.set(deep.get() + 1);
            });
            inside.set(inside.get() + 1);
        });
        runtime.block_on(&mut set);
    }
    assert_eq!(done.get(), 4);
}

#[test]
fn tasks_outlive_the_future_that_spawned_them() {
    let runtime = current_thread();
    let set = LocalSet::new();
    let task = set.block_on(&runtime, async {
        Some(spawn_local(async {
            yield_now().await;
            7
        }))
    });
    let task = task.unwrap();
    assert!(!task.is_finished());
    assert_eq!(set.block_on(&runtime, task).unwrap(), 7);
}

#[test]
fn a_set_in_a_task_of_a_set() {
    let runtime = current_thread();
    let outer = LocalSet::new();
    let answer = outer.block_on(&runtime, async {
        spawn_local(async {
            let inner = LocalSet::new();
            let task = inner.spawn_local(async { spawn_local(async { 1 }).await.unwrap() });
            let inside = inner.run_until(task).await.unwrap();
            // The outer one is current again.
            drop(inner);
            inside + spawn_local(async { 2 }).await.unwrap()
        })
        .await
        .unwrap()
    });
    assert_eq!(answer, 3);
}

#[test]
fn a_task_of_a_set_may_run_that_set() {
    let runtime = current_thread();
    let set = Rc::new(LocalSet::new());
    let inside = set.clone();
    let answer = set.block_on(&runtime, async move {
        spawn_local(async move {
            let task = inside.spawn_local(async {
                yield_now().await;
                5
            });
            inside.run_until(task).await.unwrap()
        })
        .await
        .unwrap()
    });
    assert_eq!(answer, 5);
}

// ---- Waking ----

#[test]
fn a_spawn_from_outside_wakes_the_host() {
    let set = LocalSet::new();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    let mut host = pin!(set.run_until(pending::<()>()));
    assert!(host.as_mut().poll(&mut cx).is_pending());
    assert_eq!(count.get(), 0);
    let first = set.spawn_local(ready(()));
    set.spawn_local(ready(()));
    assert_eq!(count.get(), 1, "one wake for both");
    assert!(host.as_mut().poll(&mut cx).is_pending());
    assert!(first.is_finished());
}

#[test]
fn a_host_that_ends_leaves_its_work_to_the_others() {
    let set = LocalSet::new();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut nobody = Context::from_waker(Waker::noop());
    let mut stays = pin!(set.run_until(pending::<()>()));
    assert!(
        stays
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );

    // One that ends with tasks ready.
    {
        let mut ends = pin!(set.run_until(async { drop(spawn_local(ready(()))) }));
        assert!(ends.as_mut().poll(&mut nobody).is_ready());
    }
    assert_eq!(count.get(), 1);
    assert!(
        stays
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );

    // One that has woken itself, because not all tasks fitted, and is dropped instead of polled.
    {
        let mut dropped = Box::pin(set.run_until(pending::<()>()));
        assert!(dropped.as_mut().poll(&mut nobody).is_pending());
        // Wakes both of them, and the one that stays has not been polled since.
        (0..100).for_each(|_| drop(set.spawn_local(ready(()))));
        assert_eq!(count.get(), 2);
        assert!(
            stays
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(count.get(), 3, "it has woken itself");
        assert!(dropped.as_mut().poll(&mut nobody).is_pending());
    }
    assert_eq!(set.context.shard.alive(), 0);
}

// ---- Dropping ----

#[test]
fn a_host_that_is_ready_leaves_its_work_to_the_others_also_if_it_is_kept() {
    let set = LocalSet::new();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    let (sender, receiver) = oneshot::channel();
    let mut waits = pin!(set.run_until(receiver));
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    let mut ends = pin!(set.run_until(async {
        drop(spawn_local(async { sender.send(7).unwrap() }));
    }));
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(ends.as_mut().poll(&mut nobody).is_ready());
    // The task is ready, and `ends` will not run it.
    assert_eq!(count.get(), 1);
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    assert_eq!(waits.as_mut().poll(&mut cx), Poll::Ready(Ok(7)));
}

#[test]
fn the_drop_cancels_tasks_inside_of_the_set() {
    let dropped = Rc::new(RefCell::new(Vec::new()));
    struct OnDrop(Rc<RefCell<Vec<bool>>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            // Inside of the context, and too late.
            let task = spawn_local(async {});
            self.0.borrow_mut().push(task.is_finished());
        }
    }
    let set = LocalSet::new();
    let mut tasks: Vec<_> = (0..3)
        .map(|_| {
            let inside = OnDrop(dropped.clone());
            set.spawn_local(async move {
                let _inside = inside;
                pending::<()>().await;
            })
        })
        .collect();
    let runtime = current_thread();
    set.block_on(&runtime, yield_now());
    drop(set);
    assert_eq!(*dropped.borrow(), [true; 3]);
    let error = runtime.block_on(tasks.pop().unwrap()).unwrap_err();
    assert!(error.is_cancelled());
}

#[test]
fn guards_may_be_dropped_in_any_order_and_outlive_their_set() {
    let runtime = current_thread();
    let first = LocalSet::new();
    let second = LocalSet::new();
    let guard_1 = first.enter();
    let guard_2 = second.enter();
    drop(guard_1);
    drop(first);
    drop(guard_2);
    // The first set's guard was put back by the second's: the set is gone, its context is not.
    let task = spawn_local(async { 1 });
    assert!(runtime.block_on(task).unwrap_err().is_cancelled());
    let guard = second.enter();
    let task = spawn_local(async { 2 });
    drop(guard);
    assert_eq!(second.block_on(&runtime, task).unwrap(), 2);
}

#[test]
fn tasks_that_wake_each_other_while_they_are_dropped() {
    let runtime = current_thread();
    let set = LocalSet::new();
    let (sent_1, received_1) = oneshot::channel::<()>();
    let (sent_2, received_2) = oneshot::channel::<()>();
    set.spawn_local(async move {
        let _ = received_2.await;
        unreachable!("the sender is held by a task that never ends");
    });
    set.spawn_local(async move {
        let _ = received_1.await;
        drop(sent_2);
    });
    set.spawn_local(async move {
        pending::<()>().await;
        drop(sent_1);
    });
    set.block_on(&runtime, yield_now());
    drop(set);
}

#[test]
fn a_set_and_its_runtime_in_a_thread_local() {
    struct Both {
        runtime: Runtime,
        set: LocalSet,
    }
    std::thread_local! {
        static BOTH: Both = Both { runtime: current_thread(), set: LocalSet::new() };
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let inside = dropped.clone();
    thread::spawn(move || {
        BOTH.with(|both| {
            both.set.block_on(&both.runtime, async {
                for _ in 0..3 {
                    let here = StaysHere::new(&inside);
                    spawn_local(async move {
                        let _here = here;
                        pending::<()>().await;
                    });
                }
            });
        });
    })
    .join()
    .unwrap();
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
}

/// A task of a local set must not be polled or dropped on another thread, whoever wakes it, aborts
/// it or has the last handle: known from advisories about other executors.
#[test]
fn regression_local_set_task_is_not_dropped_on_a_foreign_thread() {
    const TASKS: usize = 200;
    let runtime = Runtime::new().unwrap();
    for round in 0..10 {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (set, mut wakers, mut handles) = (LocalSet::new(), Vec::new(), Vec::new());
        for _ in 0..TASKS {
            let here = StaysHere::new(&dropped);
            let (send, receive) = std::sync::mpsc::channel::<Waker>();
            handles.push(set.spawn_local(async move {
                let here = here;
                poll_fn(|cx| {
                    assert_eq!(here.0, thread::current_id(), "polled elsewhere");
                    let _ = send.send(cx.waker().clone());
                    Poll::<()>::Pending
                })
                .await;
            }));
            wakers.push(receive);
        }
        set.block_on(&runtime, yield_now());
        let others: Vec<_> = handles
            .into_iter()
            .zip(wakers)
            .collect::<Vec<_>>()
            .into_iter()
            .enumerate()
            .fold([(); 2].map(|()| Vec::new()), |mut halves, (index, pair)| {
                halves[index % 2].push(pair);
                halves
            })
            .into_iter()
            .map(|half| {
                thread::spawn(move || {
                    for (index, (handle, wakers)) in half.into_iter().enumerate() {
                        let wakers: Vec<Waker> = wakers.try_iter().collect();
                        wakers.iter().for_each(Waker::wake_by_ref);
                        if index % 3 == 0 {
                            handle.abort();
                        }
                        // Possibly the last references.
                        drop(handle);
                        drop(wakers);
                    }
                })
            })
            .collect();
        if round % 2 == 0 {
            set.block_on(&runtime, yield_now());
        }
        drop(set);
        assert_eq!(dropped.load(Ordering::SeqCst), TASKS);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(dropped.load(Ordering::SeqCst), TASKS);
    }
}

// ---- Panics ----

#[test]
fn a_panic_of_a_task_is_its_own() {
    let runtime = current_thread();
    let set = LocalSet::new();
    let bad = set.spawn_local(async { panic!("expected") });
    let good = set.spawn_local(async { 1 });
    assert!(set.block_on(&runtime, bad).unwrap_err().is_panic());
    assert_eq!(set.block_on(&runtime, good).unwrap(), 1);
}

#[test]
fn a_panic_of_a_task_ends_the_set_if_so_said() {
    let runtime = current_thread();
    let mut set = LocalSet::new();
    set.unhandled_panic(UnhandledPanic::ShutdownRuntime);
    let other = set.spawn_local(pending::<()>());
    drop(set.spawn_local(async { panic!("expected") }));
    for _ in 0..2 {
        let run = || set.block_on(&runtime, pending::<()>());
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert!(message(panic).contains("configured to shutdown on unhandled panic"));
    }
    assert!(runtime.block_on(other).unwrap_err().is_cancelled());
}

#[test]
fn the_hosts_panic_leaves_the_set_usable() {
    let runtime = current_thread();
    let set = LocalSet::new();
    let task = set.spawn_local(async { 3 });
    let run = || set.block_on(&runtime, async { panic!("expected") });
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    assert_eq!(set.block_on(&runtime, task).unwrap(), 3);
}

#[test]
fn block_in_place_is_forbidden() {
    let runtime = Runtime::new().unwrap();
    let set = LocalSet::new();
    let task = set.spawn_local(async { block_in_place(|| {}) });
    let panic = set.block_on(&runtime, task).unwrap_err().into_panic();
    assert!(message(panic).contains("can call blocking only"));
    // Also for the host's own future.
    let run = || set.block_on(&runtime, async { block_in_place(|| {}) });
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    // And not afterwards.
    runtime.block_on(async { block_in_place(|| {}) });
}

// ---- `spawn_local` ----

#[test]
fn spawn_local_outside_panics() {
    let outside = |run: &dyn Fn()| {
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(
            message(panic),
            "`spawn_local` called from outside of a `task::LocalSet` or `runtime::LocalRuntime`"
        );
    };
    outside(&|| drop(spawn_local(async {})));
    for runtime in [current_thread(), Runtime::new().unwrap()] {
        outside(&|| runtime.block_on(async { drop(spawn_local(async {})) }));
        // A task that is spawned inside of a set is not inside of it.
        let set = LocalSet::new();
        let task = set.block_on(&runtime, async {
            spawn(async { drop(spawn_local(async {})) }).await
        });
        assert!(task.is_err());
    }
}

#[test]
fn spawn_local_on_a_local_runtime() {
    let runtime = local_runtime();
    let shared = Rc::new(20);
    let inside = shared.clone();
    let sum = runtime.block_on(async move {
        let first = inside.clone();
        let task = spawn_local(async move {
            yield_now().await;
            let second = first.clone();
            *first + spawn_local(async move { *second + 1 }).await.unwrap()
        });
        task.await.unwrap()
    });
    assert_eq!(sum, 41);
    let guard = runtime.enter();
    let task = spawn_local(async move { *shared });
    drop(guard);
    assert_eq!(runtime.block_on(task).unwrap(), 20);
}

#[test]
fn spawn_local_from_another_thread_panics() {
    let runtime = local_runtime();
    let handle = runtime.handle().clone();
    let panic = thread::spawn(move || {
        let _guard = handle.enter();
        drop(spawn(async {}));
        drop(spawn_local(async {}));
    })
    .join()
    .unwrap_err();
    assert_eq!(
        message(panic),
        "Local tasks can only be spawned on a LocalRuntime from the thread the runtime was \
         created on"
    );
}

#[test]
fn local_sets_and_local_runtimes_nest() {
    let runtime = local_runtime();
    let set = LocalSet::new();
    // Inside of the runtime: what is innermost counts.
    let guard = set.enter();
    let inside = runtime.block_on(async { spawn_local(async { 1 }).await.unwrap() });
    assert_eq!(inside, 1);
    let task = spawn_local(async { 2 });
    drop(guard);
    let value = runtime.block_on(
        set.run_until(async { task.await.unwrap() + spawn_local(async { 3 }).await.unwrap() }),
    );
    assert_eq!(value, 5);
}

/// As for local sets: see above.
#[test]
fn regression_local_runtime_task_is_not_dropped_on_a_foreign_thread() {
    let dropped = Arc::new(AtomicUsize::new(0));
    for _ in 0..20 {
        let runtime = local_runtime();
        let (send, receive) = std::sync::mpsc::channel::<Waker>();
        let here = StaysHere::new(&dropped);
        let task = runtime.spawn_local(async move {
            let _here = here;
            poll_fn(|cx| {
                let _ = send.send(cx.waker().clone());
                Poll::<()>::Pending
            })
            .await;
        });
        runtime.block_on(yield_now());
        let other = thread::spawn(move || {
            receive.try_iter().for_each(Waker::wake);
            task.abort();
        });
        drop(runtime);
        other.join().unwrap();
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 20);
}

#[test]
fn names_of_local_tasks() {
    let runtime = current_thread();
    let set = LocalSet::new();
    let here = std::panic::Location::caller();
    let task = TaskBuilder::new()
        .name("here")
        .spawn_local_on(async { 1 }, &set)
        .unwrap();
    let notified = set.context.shared.pop().unwrap();
    assert_eq!(notified.name(), Some("here"));
    assert_eq!(notified.spawned_at().file(), here.file());
    notified.run();
    assert_eq!(runtime.block_on(task).unwrap(), 1);
    let inside = set.block_on(&runtime, async {
        TaskBuilder::new()
            .name("there")
            .spawn_local(async { 2 })
            .unwrap()
            .await
            .unwrap()
    });
    assert_eq!(inside, 2);
}

// ---- Stress ----

#[test]
fn stress_wakes_from_many_threads() {
    const TASKS: usize = 400;
    const ROUNDS: usize = 25;
    let runtime = Runtime::new().unwrap();
    let set = LocalSet::new();
    let finished = Rc::new(Cell::new(0));
    for _ in 0..TASKS {
        let finished = finished.clone();
        set.spawn_local(async move {
            for _ in 0..ROUNDS {
                // Woken by a worker or a thread of the pool.
                assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
                yield_now().await;
            }
            finished.set(finished.get() + 1);
        });
    }
    runtime.block_on(set);
    assert_eq!(finished.get(), TASKS);
}

#[test]
fn stress_drops_against_wakes() {
    let runtime = Runtime::new().unwrap();
    for _ in 0..200 {
        let dropped = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let set = LocalSet::new();
        for _ in 0..8 {
            let here = StaysHere::new(&dropped);
            let stop = stop.clone();
            set.spawn_local(async move {
                let _here = here;
                while !stop.load(Ordering::SeqCst) {
                    let _ = spawn(async {}).await;
                }
                pending::<()>().await;
            });
        }
        set.block_on(&runtime, async {
            let _ = spawn(async {}).await;
        });
        stop.store(true, Ordering::SeqCst);
        drop(set);
        assert_eq!(dropped.load(Ordering::SeqCst), 8);
    }
}

// ---- Auto traits ----

/// Compiles only if the type does not have the trait: with it, the call is ambiguous.
macro_rules! assert_not {
    ($type:ty: $($trait:path),+) => {$(
        const _: fn() = || {
            trait Ambiguous<Which> {
                fn has_not() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<u8> for T {}
            <$type as Ambiguous<_>>::has_not();
        };
    )+};
}

assert_not!(LocalSet: Send, Sync, UnwindSafe, RefUnwindSafe);
assert_not!(crate::LocalEnterGuard: Send, Sync, UnwindSafe, RefUnwindSafe);
assert_not!(crate::JoinSet<u8>: UnwindSafe, RefUnwindSafe);
assert_not!(crate::JoinSet<Rc<u8>>: Send, Sync);
assert_not!(crate::join_set::Builder<'static, u8>: UnwindSafe, RefUnwindSafe);

#[test]
fn auto_traits() {
    fn check<T: Unpin>() {}
    check::<LocalSet>();
    check::<crate::LocalEnterGuard>();
    check::<crate::JoinSet<std::marker::PhantomPinned>>();
}
