//! Runtimes of both kinds, from build to shutdown.
#![allow(clippy::disallowed_methods)] // Tests meet runtimes from real threads, in real time.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use zokio_runtime::{Builder, Handle, LocalRuntime, Runtime, RuntimeFlavor, spawn};
use zokio_time::{advance, sleep, sleep_until, timeout};

fn both(test: impl Fn(Runtime)) {
    test(Builder::new_current_thread().enable_all().build().unwrap());
    test(
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    );
}

#[test]
fn tasks_run_and_are_joined() {
    both(|runtime| {
        let sum = runtime.block_on(async {
            let tasks: Vec<_> = (0..1_000_u64)
                .map(|number| spawn(async move { number }))
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 499_500);
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    });
}

#[test]
fn timers_fire_in_order_and_never_early() {
    both(|runtime| {
        let fired = runtime.block_on(async {
            let begun = zokio_time::Instant::now();
            let tasks: Vec<_> = [30, 10, 20]
                .map(|ms| begun + Duration::from_millis(ms))
                .into_iter()
                .map(|deadline| {
                    spawn(async move {
                        sleep_until(deadline).await;
                        (deadline, zokio_time::Instant::now())
                    })
                })
                .collect();
            let mut fired = Vec::new();
            for task in tasks {
                fired.push(task.await.unwrap());
            }
            fired
        });
        assert!(fired.iter().all(|(deadline, at)| at >= deadline));
        // Two workers that both come late may take them in any order.
        if runtime.metrics().num_workers() == 1 {
            assert!(fired[1].1 <= fired[2].1 && fired[2].1 <= fired[0].1);
        }
        let late = runtime.block_on(async {
            timeout(Duration::from_millis(1), std::future::pending::<()>()).await
        });
        assert!(late.is_err());
    });
}

#[test]
fn a_paused_clock_jumps_to_the_next_timer() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let begun = Instant::now();
    runtime.block_on(async {
        let start = zokio_time::Instant::now();
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(3_600));
        advance(Duration::from_secs(5)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(3_605));
        // A closure that runs keeps the clock where it is.
        let blocking = zokio_runtime::spawn_blocking(|| {
            std::thread::sleep(Duration::from_millis(20));
        });
        let limit = timeout(Duration::from_millis(10), blocking);
        limit.await.expect("no time passes").unwrap();
    });
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn dropping_the_runtime_drops_every_task_in_its_context() {
    struct OnDrop(Arc<AtomicUsize>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            // The context is still there.
            let _ = Handle::current();
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    both(|runtime| {
        let dropped = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let guard = OnDrop(dropped.clone());
            runtime.spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
        }
        let handle = runtime.handle().clone();
        drop(runtime);
        assert_eq!(dropped.load(Ordering::SeqCst), 100);
        let late = zokio_task::block_on::block_on(handle.spawn(async {}));
        assert!(late.unwrap_err().is_cancelled());
    });
}

#[test]
fn wakes_from_foreign_threads_arrive() {
    both(|runtime| {
        let (sender, receiver) = zokio_sync::oneshot::channel();
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            sender.send(7).unwrap();
        });
        assert_eq!(runtime.block_on(receiver).unwrap(), 7);
        other.join().unwrap();
    });
}

#[test]
fn block_in_place_lets_the_other_tasks_go_on() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (sender, receiver) = zokio_sync::oneshot::channel();
        let blocked = spawn(async move {
            zokio_runtime::block_in_place(|| {
                let inner = Handle::current();
                inner.block_on(async { receiver.await.unwrap() })
            })
        });
        let other = spawn(async move {
            sleep(Duration::from_millis(1)).await;
            sender.send(5).unwrap();
        });
        other.await.unwrap();
        assert_eq!(blocked.await.unwrap(), 5);
    });
}

#[test]
fn several_threads_block_on_one_current_thread_runtime() {
    let runtime = Arc::new(Builder::new_current_thread().enable_all().build().unwrap());
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let runtime = runtime.clone();
            std::thread::spawn(move || {
                runtime.block_on(async move {
                    for _ in 0..20 {
                        spawn(async { sleep(Duration::from_micros(200)).await })
                            .await
                            .unwrap();
                    }
                    number
                })
            })
        })
        .collect();
    let sum: i32 = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(sum, 6);
}

#[test]
fn a_local_runtime_runs_futures_that_are_not_send() {
    let runtime = LocalRuntime::new().unwrap();
    let count = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let count = count.clone();
            runtime.spawn_local(async move {
                sleep(Duration::from_millis(1)).await;
                count.set(count.get() + 1);
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(count.get(), 3);
}

#[test]
#[should_panic(expected = "use `.await` on the future instead of blocking on it")]
fn block_on_does_not_nest() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async { Handle::current().block_on(async {}) });
}

#[test]
fn dropping_a_runtime_inside_of_one_panics() {
    both(|runtime| {
        let inner = Builder::new_current_thread().build().unwrap();
        let error = runtime
            .block_on(async move { spawn(async move { drop(inner) }).await })
            .unwrap_err();
        let payload = error.into_panic();
        let text = payload.downcast_ref::<&'static str>().unwrap();
        assert!(text.starts_with("Cannot drop a runtime in a context where blocking"));
    });
}

#[test]
fn shutdown_with_a_time_limit_does_not_wait_for_what_blocks() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || wait.recv());
    let begun = Instant::now();
    runtime.shutdown_timeout(Duration::from_millis(20));
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(release);
}

#[test]
fn handles_say_what_they_are() {
    both(|runtime| {
        let expected = match runtime.metrics().num_workers() {
            1 => RuntimeFlavor::CurrentThread,
            _ => RuntimeFlavor::MultiThread,
        };
        assert_eq!(runtime.handle().runtime_flavor(), expected);
    });
    assert!(Handle::try_current().unwrap_err().is_missing_context());
}

#[test]
fn a_thousand_runtimes_leave_nothing_behind() {
    let descriptors = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    drop(Runtime::new().unwrap());
    let before = descriptors();
    for _ in 0..200 {
        both(|runtime| {
            runtime.block_on(async { spawn(async {}).await.unwrap() });
        });
    }
    // Other tests of this process may hold a few at the moment.
    assert!(descriptors() < before + 100);
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere nothing is known about other threads, and stalls are not seen.
fn stalls_are_reported_on_both_kinds() {
    let reports = |builder: &mut Builder| {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = count.clone();
        let (reported, report) = std::sync::mpsc::channel();
        let runtime = builder
            .enable_all()
            .stall_threshold(Duration::from_millis(5))
            .on_stall(move |report| {
                assert!(
                    report
                        .spawned_at
                        .is_some_and(|place| place.file() == file!())
                );
                seen.fetch_add(1, Ordering::SeqCst);
                reported.send(()).unwrap();
            })
            .build()
            .unwrap();
        // The task blocks its thread until that was noticed.
        runtime.block_on(async {
            spawn(async move { report.recv_timeout(Duration::from_secs(60)).unwrap() })
                .await
                .unwrap();
        });
        drop(runtime);
        count.load(Ordering::SeqCst)
    };
    assert_eq!(reports(&mut Builder::new_current_thread()), 1);
    assert_eq!(reports(Builder::new_multi_thread().worker_threads(2)), 1);
}

#[test]
fn a_refused_task_may_enter_a_runtime_while_it_is_dropped() {
    struct EntersOnDrop(Handle);
    impl Drop for EntersOnDrop {
        fn drop(&mut self) {
            let _guard = self.0.enter();
            let _ = Handle::current();
        }
    }
    both(|runtime| {
        let handle = runtime.handle().clone();
        drop(runtime);
        let _inside = handle.enter();
        let owned = EntersOnDrop(handle.clone());
        let refused = spawn(async move {
            let _owned = owned;
        });
        let error = zokio_task::block_on::block_on(refused).unwrap_err();
        assert!(error.is_cancelled());
    });
}

#[test]
fn waiting_is_not_being_busy() {
    both(|runtime| {
        let metrics = runtime.metrics();
        let busy = || -> Vec<Duration> {
            (0..metrics.num_workers())
                .map(|worker| metrics.worker_total_busy_duration(worker))
                .collect()
        };
        // A worker whose thread the machine lets wait is busy; it does not do so every time.
        let was_idle = (0..100).any(|_| {
            let (begun, before) = (Instant::now(), busy());
            runtime.block_on(async {
                spawn(async { sleep(Duration::from_millis(20)).await })
                    .await
                    .unwrap();
            });
            let all = begun.elapsed();
            let after = busy();
            let mut pairs = before.into_iter().zip(after);
            pairs.all(|(before, after)| after - before < all / 2)
        });
        assert!(was_idle, "{:?}", busy());
    });
}

#[test]
fn what_a_park_hook_wakes_or_spawns_runs_instead_of_waiting() {
    let notify = Arc::new(zokio_sync::Notify::new());
    let (from_hook, calls) = (notify.clone(), AtomicUsize::new(0));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || match calls.fetch_add(1, Ordering::SeqCst) {
            // The first time the root is woken, the second time through a task.
            0 => from_hook.notify_one(),
            1 => {
                let notify = from_hook.clone();
                spawn(async move { notify.notify_one() });
            }
            _ => {}
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        notify.notified().await;
        notify.notified().await;
    });
}

#[test]
fn a_future_that_panicked_is_dropped_while_the_panic_unwinds() {
    struct Boom(std::sync::mpsc::Sender<bool>);
    impl Future for Boom {
        type Output = ();
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<()> {
            panic!("expected")
        }
    }
    impl Drop for Boom {
        fn drop(&mut self) {
            self.0.send(std::thread::panicking()).unwrap();
            panic!("another one, which is caught");
        }
    }
    both(|runtime| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let error = runtime.block_on(runtime.spawn(Boom(sender))).unwrap_err();
        assert!(receiver.recv().unwrap());
        let payload = error.into_panic();
        assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "expected");
    });
}

#[test]
fn dense_timers_share_wake_ups_and_lone_ones_are_exact() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut late = Vec::new();
        for _ in 0..50 {
            let begun = Instant::now();
            sleep(Duration::from_millis(1)).await;
            late.push(begun.elapsed() - Duration::from_millis(1));
        }
        // A wake-up that comes late because of other work on the machine does not always do so.
        let least = late.into_iter().min().unwrap();
        assert!(least < Duration::from_millis(2), "{least:?}");
        let parks = runtime.metrics().worker_park_count(0);
        let tasks: Vec<_> = (0..10_000)
            .map(|number| spawn(async move { sleep(Duration::from_micros(20_000 + number)).await }))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        // 10 ms of timers, a microsecond apart.
        let parks = runtime.metrics().worker_park_count(0) - parks;
        assert!(parks < 1_000, "{parks} waits");
    });
}

#[test]
fn a_foreign_loop_gives_the_runtime_its_turns() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let begun = zokio_time::Instant::now();
    let task = runtime.spawn(async {
        sleep(Duration::from_millis(20)).await;
        let answer = zokio_runtime::spawn_blocking(|| 6 * 7).await.unwrap();
        sleep(Duration::from_millis(10)).await;
        answer
    });
    let first = runtime.run_until_idle().next_timer().unwrap();
    assert!(first >= begun + Duration::from_millis(20));
    assert!(first < begun + Duration::from_secs(20));
    let mut calls = 0;
    while !task.is_finished() {
        let next = runtime.run_until_idle().next_timer();
        let left = next.map_or(Duration::from_millis(1), |next| {
            next.saturating_duration_since(zokio_time::Instant::now())
        });
        std::thread::sleep(left);
        calls += 1;
        assert!(calls < 10_000, "the task should have ended by now");
    }
    assert!(begun.elapsed() >= Duration::from_millis(30));
    assert_eq!(runtime.run_until_idle().next_timer(), None);
    assert_eq!(runtime.block_on(task).unwrap(), 42);
}

#[test]
fn a_paused_clock_is_left_alone_by_turns() {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let task = runtime.spawn(async { sleep(Duration::from_secs(60)).await });
    let before = runtime.run_until_idle().next_timer().unwrap();
    assert_eq!(runtime.run_until_idle().next_timer(), Some(before));
    assert!(!task.is_finished());
    runtime.block_on(advance(Duration::from_secs(61)));
    runtime.run_until_idle();
    assert!(task.is_finished());
}

#[test]
fn turns_are_for_those_who_run_no_tasks_yet() {
    let refused = |runtime: &Runtime| {
        let turn = std::panic::AssertUnwindSafe(|| runtime.run_until_idle());
        std::panic::catch_unwind(turn).is_err()
    };
    let threads = Builder::new_multi_thread().worker_threads(1).build();
    assert!(refused(&threads.unwrap()));
    let runtime = Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(async { refused(&runtime) }));
    assert!(!refused(&runtime));
}

#[test]
fn a_panic_that_ends_the_runtime_ends_its_turns() {
    let runtime = Builder::new_current_thread()
        .unhandled_panic(zokio_runtime::UnhandledPanic::ShutdownRuntime)
        .build()
        .unwrap();
    let other = runtime.spawn(std::future::pending::<()>());
    runtime.spawn(async { panic!("boom") });
    for _ in 0..2 {
        let turn = std::panic::AssertUnwindSafe(|| runtime.run_until_idle());
        let payload = std::panic::catch_unwind(turn).unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert!(text.contains("shut down on unhandled panic"), "{text}");
    }
    assert!(other.is_finished());
}

/// Hooks of the builder that panic at each call: everything else goes on, `block_in_place` included, and
/// the runtime's end is waited for as ever.
#[test]
fn hooks_that_panic_take_nothing_along() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .stall_threshold(Duration::from_millis(2))
        .thread_name_fn(|| panic!("thread_name_fn"))
        .on_thread_start(|| panic!("on_thread_start"))
        .on_thread_stop(|| panic!("on_thread_stop"))
        .on_thread_park(|| panic!("on_thread_park"))
        .on_thread_unpark(|| panic!("on_thread_unpark"))
        .on_task_spawn(|_| panic!("on_task_spawn"))
        .on_task_terminate(|_| panic!("on_task_terminate"))
        .on_before_task_poll(|_| panic!("on_before_task_poll"))
        .on_after_task_poll(|_| panic!("on_after_task_poll"))
        .on_stall(|_| panic!("on_stall"))
        .build()
        .unwrap();
    let before = runtime.metrics().contained_panics();
    for round in 0..3 {
        // Each of them may well be stalled, or not.
        let sum = runtime.spawn(async move {
            zokio_time::sleep(Duration::from_millis(1)).await;
            std::thread::sleep(Duration::from_millis(6));
            zokio_runtime::block_in_place(|| std::thread::sleep(Duration::from_millis(1)));
            let blocking = zokio_runtime::spawn_blocking(move || round).await.unwrap();
            blocking + zokio_runtime::spawn(async { 1 }).await.unwrap()
        });
        assert_eq!(runtime.block_on(sum).unwrap(), round + 1);
    }
    assert!(runtime.metrics().contained_panics() > before);
    drop(runtime);
}

/// More tasks block at a time than threads may: the cap follows the setting, and each worker can lose a
/// thread whatever that is.
#[test]
fn as_many_tasks_may_block_as_the_pool_has_threads() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    for (limit, contained) in [(1, 2), (6, 6)] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(limit)
            .stall_threshold(Duration::from_millis(2))
            .build()
            .unwrap();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let held = held.clone();
                runtime.spawn(async move {
                    let _ = held.lock().unwrap().recv();
                })
            })
            .collect();
        let metrics = runtime.metrics();
        // Those that keep their worker are stalls too, once all others have lost theirs.
        while metrics.stall_count() < contained + 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(metrics.stall_contained_count(), contained);
        drop(hold);
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
    }
}
