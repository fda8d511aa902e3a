//! Stall containment with real threads. Linux only: elsewhere there is no barrier.

use super::support::*;
use crate::{Containment, Scheduler, sys};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::park::{Park, Unpark, WakeSink};
use zokio_base::sync::{Mutex, thread};

/// Blocks the thread until `seen` says so.
fn block_until(seen: impl Fn() -> bool) {
    eventually(|| {
        thread::sleep(Duration::from_millis(1));
        seen()
    });
}

fn watched(threshold: Duration) -> Settings {
    Settings {
        threshold: Some(threshold),
        ..Settings::default()
    }
}

#[test]
fn a_blocked_worker_loses_its_core() {
    if !sys::barrier_available() {
        return;
    }
    let settings = watched(Duration::from_millis(10));
    let running = Running::new(1, settings.clone());
    assert_eq!(running.sched.containment(), Containment::On);
    let (send, receive) = std::sync::mpsc::channel();
    let line = line!() + 1;
    let stuck = spawn(&running.sched, async move {
        // The task that this one woke before it got stuck is in the slot, and goes with the core.
        receive.recv_timeout(Duration::from_secs(20)).unwrap()
    });
    let helper = spawn(&running.sched, async move {
        send.send(11).unwrap();
    });
    assert_eq!(wait(stuck).unwrap(), 11);
    wait(helper).unwrap();
    eventually(|| !settings.stalls.lock().is_empty());
    let stalls = settings.stalls.lock().clone();
    assert_eq!(stalls.len(), 1);
    assert!(stalls[0].contained && stalls[0].blocked);
    assert!(stalls[0].lasted >= Duration::from_millis(10));
    let place = stalls[0].spawned_at.unwrap();
    assert_eq!((place.file(), place.line()), (file!(), line));
    assert_eq!(running.sched.metrics().stalls_contained, 1);
    eventually(|| running.threads.running.load(Ordering::SeqCst) == 1);
}

/// The slot and the ring of a stuck worker are run by its replacement.
#[test]
fn tasks_go_with_the_core() {
    if !sys::barrier_available() {
        return;
    }
    let running = Running::new(1, watched(Duration::from_millis(5)));
    let done = Arc::new(AtomicUsize::new(0));
    let (send, receive) = std::sync::mpsc::channel();
    let stuck = {
        let (sched, done) = (running.sched.clone(), done.clone());
        spawn(&running.sched, async move {
            for number in 0..600 {
                let (done, send) = (done.clone(), send.clone());
                spawn(&sched, async move {
                    if number % 2 == 0 {
                        yield_now().await;
                    }
                    if done.fetch_add(1, Ordering::SeqCst) == 599 {
                        send.send(()).unwrap();
                    }
                });
            }
            drop(sched);
            receive.recv_timeout(Duration::from_secs(20)).unwrap();
        })
    };
    wait(stuck).unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 600);
}

#[test]
fn stuck_again_and_again() {
    if !sys::barrier_available() {
        return;
    }
    let running = Running::new(2, watched(Duration::from_millis(3)));
    let end = Arc::new(AtomicBool::new(false));
    let turns = Arc::new(AtomicUsize::new(0));
    let blockers: Vec<_> = (0..2)
        .map(|_| {
            let (end, turns) = (end.clone(), turns.clone());
            spawn(&running.sched, async move {
                while !end.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(25));
                    turns.fetch_add(1, Ordering::SeqCst);
                    wake_myself().await;
                }
            })
        })
        .collect();
    let mut worst = 0;
    for _ in 0..100 {
        let (turns, before) = (turns.clone(), turns.load(Ordering::SeqCst));
        let task = spawn(&running.sched, async move { turns.load(Ordering::SeqCst) });
        worst = worst.max(wait(task).unwrap() - before);
        thread::sleep(Duration::from_millis(2));
    }
    eventually(|| running.sched.metrics().stalls_contained > 5);
    end.store(true, Ordering::SeqCst);
    for blocker in blockers {
        wait(blocker).unwrap();
    }
    println!("at worst a task waited for {worst} turns of two blockers");
    // Without the monitor each task waits for a blocker, or for many turns of one.
    assert!(worst < 32, "{worst} turns");
}

/// Both cores are without a thread at times, and are claimed back by the threads that lost them:
/// that must not put the monitor to sleep. Remote tasks wait for one turn of a blocker, not for
/// many.
#[test]
fn claiming_back_keeps_the_monitor_awake() {
    if !sys::barrier_available() {
        return;
    }
    for _ in 0..10 {
        let running = Running::new(2, watched(Duration::from_millis(2)));
        let end = Arc::new(AtomicBool::new(false));
        let blockers: Vec<_> = (0..2)
            .map(|_| {
                let end = end.clone();
                spawn(&running.sched, async move {
                    while !end.load(Ordering::SeqCst) {
                        // About as long as it takes until the core is taken.
                        thread::sleep(Duration::from_micros(2_600));
                        wake_myself().await;
                    }
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(60));
        // It may sleep for a moment in which both threads wait for a processor, but not for good.
        eventually(|| !running.sched.shared.bell.is_asleep());
        end.store(true, Ordering::SeqCst);
        for blocker in blockers {
            wait(blocker).unwrap();
        }
    }
}

#[test]
fn many_that_compute_do_not_run_away() {
    if !sys::barrier_available() {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = 4 * cores;
    let running = Running::new(workers, watched(Duration::from_millis(4)));
    let handles: Vec<_> = (0..workers)
        .map(|_| {
            spawn(&running.sched, async {
                let start = clock::real_now();
                while start.elapsed() < Duration::from_millis(300) {
                    std::hint::black_box(0);
                }
            })
        })
        .collect();
    for handle in handles {
        wait(handle).unwrap();
    }
    let started = running.threads.started.load(Ordering::SeqCst);
    println!("{started} threads for {workers} workers on {cores} cores");
    assert!(started <= workers + 2 * cores, "{started}");
}

#[test]
fn beyond_the_cap_a_stall_is_only_reported() {
    if !sys::barrier_available() {
        return;
    }
    let settings = Settings {
        detached_max: 0,
        ..watched(Duration::from_millis(3))
    };
    let running = Running::new(1, settings.clone());
    let reported = settings.stalls.clone();
    wait(spawn(&running.sched, async move {
        block_until(|| !reported.lock().is_empty());
    }))
    .unwrap();
    let stalls = settings.stalls.lock().clone();
    assert_eq!(stalls.len(), 1, "{stalls:?}");
    assert!(!stalls[0].contained);
    assert_eq!(running.threads.started.load(Ordering::SeqCst), 1);
}

#[test]
fn a_stall_that_no_thread_can_take_over_is_only_reported() {
    if !sys::barrier_available() {
        return;
    }
    let settings = watched(Duration::from_millis(3));
    let running = Running::new(1, settings.clone());
    running.threads.refuse.store(true, Ordering::SeqCst);
    let reported = settings.stalls.clone();
    wait(spawn(&running.sched, async move {
        block_until(|| !reported.lock().is_empty());
    }))
    .unwrap();
    let stalls = settings.stalls.lock().clone();
    assert_eq!(stalls.len(), 1, "{stalls:?}");
    assert!(stalls[0].blocked && !stalls[0].contained);
    // The worker has its core again.
    wait(spawn(&running.sched, async {})).unwrap();
    assert_eq!(running.sched.metrics().stalls_contained, 0);
    assert_eq!(running.threads.started.load(Ordering::SeqCst), 1);
}

#[test]
fn containment_can_be_off() {
    let running = Running::new(1, Settings::default());
    assert_eq!(running.sched.containment(), Containment::Off);
    wait(spawn(&running.sched, async {
        thread::sleep(Duration::from_millis(40));
    }))
    .unwrap();
    assert_eq!(running.sched.metrics().stalls, 0);
}

/// An idle scheduler makes no wake-ups: the monitor and the workers sleep for good.
#[test]
fn an_idle_scheduler_sleeps() {
    if !sys::barrier_available() {
        return;
    }
    let running = Running::new(2, watched(Duration::from_millis(4)));
    wait(spawn(&running.sched, async {})).unwrap();
    let parks = |index| running.sched.worker_metrics(index).park_unparks;
    // The count is odd while a worker waits.
    let is_waiting = |index| parks(index) % 2 == 1;
    eventually(|| running.sched.shared.bell.is_asleep() && is_waiting(0) && is_waiting(1));
    let before = (parks(0), parks(1));
    thread::sleep(Duration::from_millis(200));
    assert_eq!((parks(0), parks(1)), before);
    assert!(running.sched.shared.bell.is_asleep());
    // And it wakes up again when there is something to watch.
    let (send, receive) = std::sync::mpsc::channel();
    let stuck = spawn(&running.sched, async move {
        receive.recv_timeout(Duration::from_secs(20)).unwrap();
    });
    eventually(|| running.sched.metrics().stalls_contained == 1);
    send.send(()).unwrap();
    wait(stuck).unwrap();
}

/// The core of a current-thread scheduler stays, but the culprit is named; between two `block_on`s
/// the monitor sleeps.
#[test]
fn a_current_thread_scheduler_reports() {
    if sys::probe(sys::thread_id()).is_none() {
        return;
    }
    let settings = watched(Duration::from_millis(4));
    let sched = Sched::current_thread(Still::new(), settings.clone());
    sched.start().unwrap();
    eventually(|| sched.shared.bell.is_asleep());
    for round in 1..3 {
        let inner = sched.clone();
        let reported = settings.stalls.clone();
        sched.block_on(async move {
            spawn(&inner, async move {
                block_until(|| reported.lock().len() == round);
            })
            .await
            .unwrap();
        });
        let stalls = settings.stalls.lock().clone();
        assert_eq!(stalls.len(), round);
        assert!(stalls.iter().all(|stall| stall.blocked && !stall.contained));
        eventually(|| sched.shared.bell.is_asleep());
    }
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(None));
}

/// A driver whose first turn after it is told so does not return, as a system call that waits for a
/// device.
struct Sticky {
    still: Still,
    waits: Arc<AtomicBool>,
    stick: Arc<Mutex<Option<std::sync::mpsc::Receiver<()>>>>,
    due: Arc<Mutex<Option<Waker>>>,
}

#[derive(Clone)]
struct StickyUnpark {
    still: StillUnpark,
    waits: Arc<AtomicBool>,
    due: Arc<Mutex<Option<Waker>>>,
}

impl Unpark for StickyUnpark {
    fn unpark(&self) {
        self.still.unpark();
    }

    fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }

    fn relieve<S: WakeSink>(&self, sink: &mut S) {
        if let Some(waker) = self.due.lock().take() {
            sink.wake(waker);
        }
    }
}

impl Park for Sticky {
    type Unpark = StickyUnpark;

    fn unparker(&self) -> StickyUnpark {
        StickyUnpark {
            still: self.still.unparker(),
            waits: self.waits.clone(),
            due: self.due.clone(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn poll<S: WakeSink>(&mut self, _sink: &mut S) {
        let stuck = self.stick.lock().take();
        if let Some(stuck) = stuck {
            let _ = stuck.recv_timeout(Duration::from_secs(20));
        }
    }

    fn park<S: WakeSink>(&mut self, limit: Option<Duration>, sink: &mut S) {
        // Pending requests are submitted before the wait.
        self.poll(sink);
        self.waits.store(true, Ordering::SeqCst);
        self.still.park(limit, sink);
        self.waits.store(false, Ordering::SeqCst);
    }

    fn leave<S: WakeSink>(&mut self, _sink: &mut S) {}

    fn shutdown<S: WakeSink>(&mut self, _deadline: Option<std::time::Instant>, _sink: &mut S) {}
}

/// A worker's driver gets stuck: that is reported and counted once, the tasks that wait in the worker's
/// queues run elsewhere, and so does what its timers wake.
#[test]
fn a_worker_that_is_stuck_in_its_driver_is_seen_and_stood_in_for() {
    if !sys::barrier_available() {
        return;
    }
    let settings = watched(Duration::from_millis(5));
    let stick = Arc::new(Mutex::new(None));
    let due = Arc::new(Mutex::new(None));
    let parks = (0..2).map(|index| Sticky {
        still: Still::new(),
        waits: Arc::default(),
        // Only the first worker's driver can get stuck, and has timers.
        stick: if index == 0 {
            stick.clone()
        } else {
            Arc::default()
        },
        due: if index == 0 {
            due.clone()
        } else {
            Arc::default()
        },
    });
    let threads = Arc::new(Threads::default());
    let sched = Scheduler::multi_thread(parks.collect(), settings.clone(), threads);
    sched.start().unwrap();
    let go = |future| sched.spawner().spawn(future, zokio_task::SpawnMeta::new());
    let woken = Arc::new(AtomicBool::new(false));
    struct Set(Arc<AtomicBool>);
    impl Wake for Set {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    *due.lock() = Some(Waker::from(Arc::new(Set(woken.clone()))));
    let (end, stuck) = std::sync::mpsc::channel();
    *stick.lock() = Some(stuck);
    // Keeps the workers busy until one of them looks at its driver, which takes the receiver.
    let mut spawned = Vec::new();
    eventually(|| {
        wait(go(
            Box::pin(async { wake_myself().await }) as Pin<Box<dyn Future<Output = ()> + Send>>
        ))
        .unwrap();
        stick.lock().is_none()
    });
    eventually(|| sched.metrics().driver_stalls == 1 && woken.load(Ordering::SeqCst));
    for _ in 0..20 {
        spawned.push(go(Box::pin(async {})));
    }
    for task in spawned {
        wait(task).unwrap();
    }
    let stalls = settings.stalls.lock().clone();
    assert_eq!(stalls.len(), 1, "{stalls:?}");
    assert!(stalls[0].in_driver && stalls[0].blocked && !stalls[0].contained);
    assert_eq!((stalls[0].worker, stalls[0].task), (0, 0));
    assert_eq!(
        (sched.metrics().stalls, sched.metrics().driver_stalls),
        (0, 1)
    );
    end.send(()).unwrap();
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(Some(Duration::from_secs(20))));
}

/// Many more short stalls than threads may be detached, each over before another thread has the core:
/// the last one is contained as the first was.
#[test]
fn short_stalls_do_not_use_the_cap_up() {
    if !sys::barrier_available() {
        return;
    }
    let settings = Settings {
        detached_max: 4,
        ..watched(Duration::from_millis(2))
    };
    let running = Running::new(1, settings);
    wait(spawn(&running.sched, async {})).unwrap();
    for _ in 0..30 {
        running.threads.delay.store(true, Ordering::SeqCst);
        let before = running.sched.metrics().stalls_contained;
        let sched = running.sched.clone();
        // Ends as soon as it has lost the core, before the late thread comes.
        wait(spawn(&running.sched, async move {
            block_until(|| sched.metrics().stalls_contained > before);
        }))
        .unwrap();
        running.threads.delay.store(false, Ordering::SeqCst);
        eventually(|| running.threads.late.load(Ordering::SeqCst) == 0);
    }
    let (send, receive) = std::sync::mpsc::channel();
    let stuck = spawn(&running.sched, async move {
        receive.recv_timeout(Duration::from_secs(20)).is_ok()
    });
    eventually(|| running.sched.metrics().stalls_contained == 31);
    wait(spawn(&running.sched, async move { send.send(()).unwrap() })).unwrap();
    assert!(wait(stuck).unwrap());
}

/// A queue full of tasks that block: a task that was there before, and one from outside, get their turn
/// after a few of them, not after all.
#[test]
fn tasks_behind_many_blockers_do_not_wait_for_all() {
    if !sys::barrier_available() {
        return;
    }
    let running = Running::new(1, watched(Duration::from_millis(4)));
    let begun = Arc::new(AtomicUsize::new(0));
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let (sched, count) = (running.sched.clone(), begun.clone());
    const BLOCKERS: usize = 60;
    wait(spawn(&running.sched, async move {
        for _ in 0..BLOCKERS {
            let (count, held) = (count.clone(), held.clone());
            spawn(&sched, async move {
                count.fetch_add(1, Ordering::SeqCst);
                // All wait for one lock, or for what its owner waits for.
                let _ = held.lock().unwrap().recv();
            });
        }
    }))
    .unwrap();
    eventually(|| begun.load(Ordering::SeqCst) > 0);
    let seen = begun.clone();
    let outside = wait(spawn(
        &running.sched,
        async move { seen.load(Ordering::SeqCst) },
    ))
    .unwrap();
    assert!(outside < BLOCKERS / 2, "after {outside} of {BLOCKERS}");
    eventually(|| begun.load(Ordering::SeqCst) == BLOCKERS);
    drop(hold);
}
