//! The multi-thread scheduler: nothing lost, nothing twice, nobody starved, an orderly end.

use super::support::*;
use crate::block_in_place;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;
use zokio_base::sync::{Mutex, thread};
use zokio_task::context;

#[test]
fn tasks_run_and_return() {
    let running = Running::new(2, Settings::default());
    let handles: Vec<_> = (0..1_000)
        .map(|number| spawn(&running.sched, async move { number * 2 }))
        .collect();
    for (number, handle) in handles.into_iter().enumerate() {
        assert_eq!(wait(handle).unwrap(), number * 2);
    }
    assert_eq!(running.sched.spawner().alive(), 0);
    assert!(running.sched.metrics().remote_schedules >= 1_000);
}

#[test]
fn a_tree_of_spawns_is_run_to_its_last_leaf() {
    fn grow(sched: &Arc<Sched>, depth: u32, leaves: &Arc<AtomicUsize>) {
        if depth == 0 {
            leaves.fetch_add(1, Ordering::Relaxed);
            return;
        }
        for _ in 0..4 {
            let (sched_inside, leaves) = (sched.clone(), leaves.clone());
            spawn(sched, async move {
                if depth % 2 == 0 {
                    yield_now().await;
                }
                grow(&sched_inside, depth - 1, &leaves);
            });
        }
    }
    let running = Running::new(3, Settings::default());
    let leaves = Arc::new(AtomicUsize::new(0));
    grow(&running.sched, 6, &leaves);
    eventually(|| leaves.load(Ordering::Relaxed) == 4_usize.pow(6));
    eventually(|| running.sched.spawner().alive() == 0);
    let polls: u64 = (0..3)
        .map(|index| running.sched.worker_metrics(index).polls)
        .sum();
    assert!(polls >= 5_460);
}

/// Each task is polled by one thread at a time and exactly as often as it was woken.
#[test]
fn a_ledger_of_polls_balances() {
    const TASKS: usize = 500;
    const ROUNDS: u64 = 40;
    let running = Running::new(2, Settings::default());
    let polls = Arc::new(AtomicU64::new(0));
    let handles: Vec<_> = (0..TASKS)
        .map(|number| {
            let polls = polls.clone();
            let inside = AtomicBool::new(false);
            spawn(&running.sched, async move {
                for round in 0..ROUNDS {
                    assert!(!inside.swap(true, Ordering::SeqCst));
                    polls.fetch_add(1, Ordering::Relaxed);
                    inside.store(false, Ordering::SeqCst);
                    if (round + number as u64) % 2 == 0 {
                        yield_now().await;
                    } else {
                        wake_myself().await;
                    }
                }
            })
        })
        .collect();
    for handle in handles {
        wait(handle).unwrap();
    }
    assert_eq!(polls.load(Ordering::Relaxed), TASKS as u64 * ROUNDS);
}

/// More ready tasks than the ring holds: each gets its turn before any gets two more.
#[test]
fn nobody_starves_beyond_the_ring() {
    const TASKS: usize = 2_000;
    let running = Running::new(1, Settings::default());
    let turns: Arc<Vec<AtomicUsize>> = Arc::new((0..TASKS).map(|_| AtomicUsize::new(0)).collect());
    let go = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(AtomicUsize::new(0));
    let end = Arc::new(AtomicBool::new(false));
    let widest = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..TASKS)
        .map(|number| {
            let (turns, go, end, widest) = (turns.clone(), go.clone(), end.clone(), widest.clone());
            let begun = begun.clone();
            spawn(&running.sched, async move {
                begun.fetch_add(1, Ordering::SeqCst);
                while !go.load(Ordering::SeqCst) {
                    wake_myself().await;
                }
                while !end.load(Ordering::SeqCst) {
                    let turn = turns[number].fetch_add(1, Ordering::Relaxed) + 1;
                    let least = turns[(number + TASKS / 2) % TASKS].load(Ordering::Relaxed);
                    widest.fetch_max(turn.saturating_sub(least), Ordering::Relaxed);
                    if turn == 100 {
                        end.store(true, Ordering::SeqCst);
                    }
                    wake_myself().await;
                }
            })
        })
        .collect();
    eventually(|| begun.load(Ordering::SeqCst) == TASKS);
    go.store(true, Ordering::SeqCst);
    for handle in handles {
        wait(handle).unwrap();
    }
    assert!(widest.load(Ordering::Relaxed) <= 3, "{widest:?}");
    assert!(running.sched.worker_metrics(0).overflows > 0);
}

/// Two tasks that wake each other keep the slot for three turns at most.
#[test]
fn the_lifo_slot_starves_nobody() {
    let running = Running::new(1, Settings::default());
    let end = Arc::new(AtomicBool::new(false));
    let wakers: Arc<[Mutex<Option<std::task::Waker>>; 2]> = Arc::default();
    for side in 0..2 {
        let (wakers, end) = (wakers.clone(), end.clone());
        spawn(
            &running.sched,
            std::future::poll_fn(move |cx| {
                if end.load(Ordering::SeqCst) {
                    return Poll::Ready(());
                }
                *wakers[side].lock() = Some(cx.waker().clone());
                let other = wakers[1 - side].lock().take();
                match other {
                    Some(other) => other.wake(),
                    None => cx.waker().wake_by_ref(),
                }
                Poll::Pending
            }),
        );
    }
    let third = spawn(&running.sched, async {
        for _ in 0..100 {
            wake_myself().await;
        }
    });
    wait(third).unwrap();
    end.store(true, Ordering::SeqCst);
}

#[test]
fn remote_wakes_reach_sleeping_workers() {
    let running = Running::new(2, Settings::default());
    for round in 0..2_000_u64 {
        let flag = Arc::new(AtomicBool::new(false));
        let waker: Arc<Mutex<Option<std::task::Waker>>> = Arc::default();
        let handle = {
            let (flag, waker) = (flag.clone(), waker.clone());
            spawn(
                &running.sched,
                std::future::poll_fn(move |cx| {
                    *waker.lock() = Some(cx.waker().clone());
                    if flag.load(Ordering::SeqCst) {
                        Poll::Ready(round)
                    } else {
                        Poll::Pending
                    }
                }),
            )
        };
        flag.store(true, Ordering::SeqCst);
        if let Some(waker) = waker.lock().take() {
            waker.wake();
        }
        assert_eq!(wait(handle).unwrap(), round);
    }
}

#[test]
fn shutdown_drops_every_task_in_the_context_of_a_worker() {
    struct Witness(Arc<AtomicUsize>);
    impl Drop for Witness {
        fn drop(&mut self) {
            if context::worker().is_some() {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    let parks = Still::several(2);
    let shut: Vec<_> = parks.iter().map(|park| park.shut.clone()).collect();
    let threads = Arc::new(Threads::default());
    let sched = Sched::multi_thread(parks, Settings::default(), threads.clone());
    sched.start().unwrap();
    let dropped = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..300)
        .map(|number| {
            let witness = Witness(dropped.clone());
            spawn(&sched, async move {
                let _witness = witness;
                if number % 3 == 0 {
                    loop {
                        wake_myself().await;
                    }
                }
                std::future::pending::<()>().await;
            })
        })
        .collect();
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(None));
    assert_eq!(dropped.load(Ordering::SeqCst), 300);
    for handle in handles {
        assert!(wait(handle).unwrap_err().is_cancelled());
    }
    assert!(shut.iter().all(|shut| shut.load(Ordering::SeqCst) == 1));
    // Late ones are cancelled at once.
    assert!(wait(spawn(&sched, async {})).unwrap_err().is_cancelled());
    eventually(|| threads.running.load(Ordering::SeqCst) == 0);
    eventually(|| Arc::strong_count(&sched) == 1);
}

#[test]
fn a_scheduler_without_threads_can_still_be_shut_down() {
    let threads = Arc::new(Threads::default());
    threads.refuse.store(true, Ordering::SeqCst);
    let sched = Sched::multi_thread(Still::several(2), Settings::default(), threads);
    assert!(sched.start().is_err());
    let handle = spawn(&sched, std::future::pending::<()>());
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(Some(Duration::from_secs(20))));
    assert!(wait(handle).unwrap_err().is_cancelled());
}

#[test]
fn panics_are_reported_and_contained() {
    let settings = Settings::default();
    let running = Running::new(1, settings.clone());
    let handle = spawn(&running.sched, async { panic!("on purpose") });
    assert!(wait(handle).unwrap_err().is_panic());
    assert_eq!(settings.panics.load(Ordering::SeqCst), 1);
    assert_eq!(wait(spawn(&running.sched, async { 5 })).unwrap(), 5);
}

#[test]
fn block_in_place_lets_the_others_go_on() {
    let running = Running::new(1, Settings::default());
    let (send, receive) = std::sync::mpsc::channel();
    let blocking = spawn(&running.sched, async move {
        let index = context::worker().map(|worker| worker.index);
        let got = block_in_place(|| {
            assert!(context::worker().is_none());
            receive.recv_timeout(Duration::from_secs(20)).unwrap()
        });
        assert_eq!(context::worker().map(|worker| worker.index), index);
        // Without a core this goes to the inbox.
        wake_myself().await;
        got
    });
    let sender = spawn(&running.sched, async move {
        send.send(7).unwrap();
    });
    assert_eq!(wait(blocking).unwrap(), 7);
    wait(sender).unwrap();
    assert!(running.sched.metrics().hand_overs >= 1);
    eventually(|| running.threads.running.load(Ordering::SeqCst) == 1);
}

/// Sets a flag when it is woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn who_yielded_is_woken_before_the_thread_blocks() {
    let running = Running::new(1, Settings::default());
    wait(spawn(&running.sched, async {})).unwrap();
    // Whether or not there is a thread to go on with the core.
    for refuse in [false, true] {
        running.threads.refuse.store(refuse, Ordering::SeqCst);
        let task = spawn(&running.sched, async {
            let flag = Arc::new(Flag::default());
            let waker = Waker::from(flag.clone());
            // As if it were a root's: another executor's waker is not held back.
            let _root = context::enter_root(&waker);
            context::defer(&waker);
            assert!(!flag.0.load(Ordering::SeqCst));
            block_in_place(|| flag.0.load(Ordering::SeqCst))
        });
        assert!(wait(task).unwrap());
    }
}

#[test]
fn short_blocks_keep_or_pass_the_core_and_lose_nothing() {
    let running = Running::new(2, Settings::default());
    let handles: Vec<_> = (0..100_usize)
        .map(|number| {
            spawn(&running.sched, async move {
                for _ in 0..10 {
                    block_in_place(|| {
                        if number % 3 == 0 {
                            thread::yield_now();
                        }
                    });
                    yield_now().await;
                }
                number
            })
        })
        .collect();
    for (number, handle) in handles.into_iter().enumerate() {
        assert_eq!(wait(handle).unwrap(), number);
    }
}

#[test]
fn block_in_place_without_a_thread_to_spare_blocks_the_worker() {
    let running = Running::new(1, Settings::default());
    wait(spawn(&running.sched, async {})).unwrap();
    running.threads.refuse.store(true, Ordering::SeqCst);
    let handle = spawn(&running.sched, async {
        let got = block_in_place(|| 3);
        wake_myself().await;
        got
    });
    assert_eq!(wait(handle).unwrap(), 3);
    assert_eq!(running.sched.metrics().hand_overs, 0);
}

#[test]
fn block_in_place_outside_just_calls() {
    assert_eq!(block_in_place(|| 4), 4);
}

#[test]
#[should_panic(expected = "can call blocking only when running on the multi-threaded runtime")]
fn block_in_place_refuses_where_it_cannot_hand_over() {
    let _region = context::enter_runtime(false);
    block_in_place(|| ());
}

#[test]
fn spinning_workers_find_their_work_and_end() {
    let settings = Settings {
        spin: Some(Duration::from_micros(50)),
        ..Settings::default()
    };
    let running = Running::new(2, settings);
    for _ in 0..200 {
        wait(spawn(&running.sched, wake_myself())).unwrap();
    }
}
