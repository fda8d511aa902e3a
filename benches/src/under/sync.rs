//! Channels, locks, notifications and time-outs. Each program checks at its end that all it was to
//! do was done.

use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::rt;
use super::rt::sync::{Mutex, Notify, RwLock, Semaphore};
use super::{run_as_task, runtime};
use crate::measure::{Flavor, Metric};
use crate::{metric, os};

/// Tasks that contend for one lock.
const TASKS: u64 = 4;

/// Wall and processor time since it was made.
struct Meter {
    started: Instant,
    before: Duration,
}

impl Meter {
    fn start() -> Self {
        Self {
            before: os::processor_time(),
            started: Instant::now(),
        }
    }

    fn stop(self, operations: u64) -> Vec<Metric> {
        let wall = self.started.elapsed();
        let used = os::processor_time().saturating_sub(self.before);
        let per = |time: Duration| time.as_nanos() as f64 / operations as f64;
        vec![
            metric("wall", "ns", per(wall)),
            metric("cpu", "ns", per(used)),
        ]
    }
}

/// The sum of what the tasks return.
async fn join_all(tasks: Vec<rt::task::JoinHandle<u64>>) -> u64 {
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("the program does not panic");
    }
    sum
}

/// The numbers below `count`, added up.
fn sum_below(count: u64) -> u64 {
    count * (count - 1) / 2
}

/// Producers that wait for room, one consumer.
pub(crate) fn mpsc_bounded(flavor: Flavor, producers: u64, capacity: usize) -> Vec<Metric> {
    let messages = if capacity == 1 { 50_000 } else { 200_000 } / producers;
    run_as_task(&runtime(flavor), async move {
        let meter = Meter::start();
        let (sender, mut receiver) = rt::sync::mpsc::channel::<u64>(capacity);
        for _ in 0..producers {
            let sender = sender.clone();
            rt::spawn(async move {
                for message in 0..messages {
                    sender.send(message).await.expect("the receiver lives");
                }
            });
        }
        drop(sender);
        let (mut received, mut sum) = (0, 0);
        while let Some(message) = receiver.recv().await {
            received += 1;
            sum += message;
        }
        assert_eq!(received, producers * messages);
        assert_eq!(sum, producers * sum_below(messages));
        meter.stop(received)
    })
}

/// Producers that never wait, one consumer.
pub(crate) fn mpsc_unbounded(flavor: Flavor, producers: u64) -> Vec<Metric> {
    let messages = 200_000 / producers;
    run_as_task(&runtime(flavor), async move {
        let meter = Meter::start();
        let (sender, mut receiver) = rt::sync::mpsc::unbounded_channel::<u64>();
        for _ in 0..producers {
            let sender = sender.clone();
            rt::spawn(async move {
                for message in 0..messages {
                    sender.send(message).expect("the receiver lives");
                    if message % 128 == 127 {
                        rt::task::yield_now().await;
                    }
                }
            });
        }
        drop(sender);
        let (mut received, mut sum) = (0, 0);
        while let Some(message) = receiver.recv().await {
            received += 1;
            sum += message;
        }
        assert_eq!(received, producers * messages);
        assert_eq!(sum, producers * sum_below(messages));
        meter.stop(received)
    })
}

/// A channel made, sent into and received from by one task.
pub(crate) fn oneshot_local(flavor: Flavor) -> Vec<Metric> {
    const CHANNELS: u64 = 200_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let mut sum = 0;
        for number in 0..CHANNELS {
            let (sender, receiver) = rt::sync::oneshot::channel();
            sender.send(number).expect("the receiver lives");
            sum += receiver.await.expect("it was sent");
        }
        assert_eq!(sum, sum_below(CHANNELS));
        meter.stop(CHANNELS)
    })
}

/// Two tasks answer each other, with a new channel for each message.
pub(crate) fn oneshot_across(flavor: Flavor) -> Vec<Metric> {
    const BATCHES: u64 = 30;
    const BATCH: u64 = 1000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let mut sum = 0;
        for _ in 0..BATCHES {
            let channels = || (0..BATCH).map(|_| rt::sync::oneshot::channel::<u64>());
            let (ping, pinged): (Vec<_>, Vec<_>) = channels().unzip();
            let (pong, ponged): (Vec<_>, Vec<_>) = channels().unzip();
            let peer = rt::spawn(async move {
                for (pinged, pong) in pinged.into_iter().zip(pong) {
                    let number = pinged.await.expect("the ping is sent");
                    pong.send(number + 1).expect("the peer waits");
                }
            });
            for (number, (ping, ponged)) in (0..).zip(ping.into_iter().zip(ponged)) {
                ping.send(number).expect("the peer waits");
                sum += ponged.await.expect("the pong is sent");
            }
            peer.await.expect("answering does not panic");
        }
        assert_eq!(sum, BATCHES * (sum_below(BATCH) + BATCH));
        meter.stop(2 * BATCHES * BATCH)
    })
}

/// A lock that nobody else wants.
pub(crate) fn mutex_free(flavor: Flavor) -> Vec<Metric> {
    const LOCKS: u64 = 500_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let mutex = Mutex::new(0);
        for number in 0..LOCKS {
            *mutex.lock().await += number;
        }
        assert_eq!(mutex.into_inner(), sum_below(LOCKS));
        meter.stop(LOCKS)
    })
}

/// A lock that four tasks want; `held` while others have their turn, or only for a moment.
pub(crate) fn mutex_contended(flavor: Flavor, held: bool) -> Vec<Metric> {
    let locks: u64 = if held { 20_000 } else { 60_000 };
    run_as_task(&runtime(flavor), async move {
        let meter = Meter::start();
        let mutex = Arc::new(Mutex::new(0));
        let one = |mutex: Arc<Mutex<u64>>| async move {
            for number in 0..locks {
                let mut guard = mutex.lock().await;
                *guard += number;
                if held {
                    rt::task::yield_now().await;
                }
            }
            locks
        };
        let tasks = (0..TASKS).map(|_| rt::spawn(one(mutex.clone())));
        let done = join_all(tasks.collect()).await;
        assert_eq!(*mutex.lock().await, TASKS * sum_below(locks));
        meter.stop(done)
    })
}

/// A value that one task reads.
pub(crate) fn rwlock_read(flavor: Flavor) -> Vec<Metric> {
    const LOCKS: u64 = 500_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let (lock, mut sum) = (RwLock::new(3), 0);
        for number in 0..LOCKS {
            sum += number * *lock.read().await;
        }
        assert_eq!(sum, 3 * sum_below(LOCKS));
        meter.stop(LOCKS)
    })
}

/// A value that one task writes.
pub(crate) fn rwlock_write(flavor: Flavor) -> Vec<Metric> {
    const LOCKS: u64 = 500_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let lock = RwLock::new(0);
        for number in 0..LOCKS {
            *lock.write().await += number;
        }
        assert_eq!(lock.into_inner(), sum_below(LOCKS));
        meter.stop(LOCKS)
    })
}

/// Four tasks, each of which writes once in `every` turns, holding the lock while others have their
/// turn, and reads in between.
pub(crate) fn rwlock_contended(flavor: Flavor, every: u64) -> Vec<Metric> {
    let turns: u64 = if every == 1 { 20_000 } else { 64_000 };
    run_as_task(&runtime(flavor), async move {
        let meter = Meter::start();
        let lock = Arc::new(RwLock::new(0_u64));
        let one = |lock: Arc<RwLock<u64>>| async move {
            let mut last = 0;
            for turn in 0..turns {
                if turn % every == 0 {
                    let mut guard = lock.write().await;
                    *guard += 1;
                    rt::task::yield_now().await;
                } else {
                    let seen = *lock.read().await;
                    assert!(seen >= last && seen > 0, "nobody takes a write back");
                    last = seen;
                }
            }
            turns
        };
        let tasks = (0..TASKS).map(|_| rt::spawn(one(lock.clone())));
        let done = join_all(tasks.collect()).await;
        assert_eq!(*lock.read().await, TASKS * turns / every);
        meter.stop(done)
    })
}

/// Permits that nobody else wants.
pub(crate) fn semaphore_free(flavor: Flavor) -> Vec<Metric> {
    const PERMITS: u64 = 500_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let (semaphore, mut had) = (Semaphore::new(2), 0);
        for _ in 0..PERMITS {
            let permit = semaphore.acquire().await.expect("nobody closes it");
            had += permit.num_permits() as u64;
        }
        assert_eq!((had, semaphore.available_permits()), (PERMITS, 2));
        meter.stop(PERMITS)
    })
}

/// Two permits that four tasks want, held while others have their turn.
pub(crate) fn semaphore_contended(flavor: Flavor) -> Vec<Metric> {
    const PERMITS: u64 = 20_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let semaphore = Arc::new(Semaphore::new(2));
        let inside = Arc::new(AtomicU64::new(0));
        let one = |semaphore: Arc<Semaphore>, inside: Arc<AtomicU64>| async move {
            let mut had = 0;
            for _ in 0..PERMITS {
                let permit = semaphore.acquire().await.expect("nobody closes it");
                assert!(inside.fetch_add(1, Ordering::Relaxed) < 2);
                rt::task::yield_now().await;
                inside.fetch_sub(1, Ordering::Relaxed);
                had += permit.num_permits() as u64;
            }
            had
        };
        let tasks = (0..TASKS).map(|_| rt::spawn(one(semaphore.clone(), inside.clone())));
        let done = join_all(tasks.collect()).await;
        assert_eq!((done, semaphore.available_permits()), (TASKS * PERMITS, 2));
        meter.stop(done)
    })
}

/// Two tasks notify each other in turns.
pub(crate) fn notify_ping_pong(flavor: Flavor) -> Vec<Metric> {
    const ROUNDS: u64 = 40_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let (ping, pong) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (pinged, to_pong) = (ping.clone(), pong.clone());
        let turn = Arc::new(AtomicU64::new(0));
        let answered = turn.clone();
        let peer = rt::spawn(async move {
            for round in 0..ROUNDS {
                pinged.notified().await;
                assert_eq!(answered.fetch_add(1, Ordering::Relaxed), 2 * round + 1);
                to_pong.notify_one();
            }
        });
        for round in 0..ROUNDS {
            assert_eq!(turn.fetch_add(1, Ordering::Relaxed), 2 * round);
            ping.notify_one();
            pong.notified().await;
        }
        peer.await.expect("answering does not panic");
        assert_eq!(turn.load(Ordering::Relaxed), 2 * ROUNDS);
        meter.stop(2 * ROUNDS)
    })
}

/// Tells a task when so many others have each come so often.
struct Arrivals {
    all: u64,
    arrived: AtomicU64,
    complete: Notify,
}

impl Arrivals {
    fn new(all: u64) -> Arc<Self> {
        Arc::new(Self {
            all,
            arrived: AtomicU64::new(0),
            complete: Notify::new(),
        })
    }

    fn arrive(&self) {
        if (self.arrived.fetch_add(1, Ordering::AcqRel) + 1) % self.all == 0 {
            self.complete.notify_one();
        }
    }
}

/// A hundred tasks that wait for the same notification, again and again.
pub(crate) fn notify_waiters(flavor: Flavor) -> Vec<Metric> {
    const WAITERS: u64 = 100;
    const ROUNDS: u64 = 1000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let notify = Arc::new(Notify::new());
        let arrivals = Arrivals::new(WAITERS);
        let one = |notify: Arc<Notify>, arrivals: Arc<Arrivals>| async move {
            let mut woken = 0;
            for _ in 0..ROUNDS {
                // Sees every round from here on.
                let notified = notify.notified();
                arrivals.arrive();
                notified.await;
                woken += 1;
            }
            woken
        };
        let tasks = (0..WAITERS).map(|_| rt::spawn(one(notify.clone(), arrivals.clone())));
        let tasks: Vec<_> = tasks.collect();
        for _ in 0..ROUNDS {
            arrivals.complete.notified().await;
            notify.notify_waiters();
        }
        let woken = join_all(tasks).await;
        assert_eq!(woken, WAITERS * ROUNDS);
        meter.stop(woken)
    })
}

/// One sender and four receivers; after each `batch` the sender waits until all have it.
pub(crate) fn broadcast(flavor: Flavor, batch: u64) -> Vec<Metric> {
    const RECEIVERS: u64 = 4;
    let batches = if batch == 1 { 10_000 } else { 1000 };
    run_as_task(&runtime(flavor), async move {
        let meter = Meter::start();
        let (sender, receiver) = rt::sync::broadcast::channel::<u64>(256);
        let arrivals = Arrivals::new(RECEIVERS);
        let one = |mut receiver: rt::sync::broadcast::Receiver<u64>, arrivals: Arc<Arrivals>| async move {
            let (mut received, mut sum) = (0, 0);
            while let Ok(message) = receiver.recv().await {
                received += 1;
                sum += message;
                if received % batch == 0 {
                    arrivals.arrive();
                }
            }
            sum
        };
        let receivers =
            (0..RECEIVERS).map(|_| rt::spawn(one(sender.subscribe(), arrivals.clone())));
        let receivers: Vec<_> = receivers.collect();
        drop(receiver);
        for number in 0..batches {
            for message in number * batch..(number + 1) * batch {
                sender.send(message).expect("there are receivers");
            }
            arrivals.complete.notified().await;
        }
        drop(sender);
        let sum = join_all(receivers).await;
        assert_eq!(sum, RECEIVERS * sum_below(batches * batch));
        meter.stop(RECEIVERS * batches * batch)
    })
}

/// One sender and four receivers, each of which sees each change.
pub(crate) fn watch(flavor: Flavor) -> Vec<Metric> {
    const RECEIVERS: u64 = 4;
    const CHANGES: u64 = 10_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let (sender, receiver) = rt::sync::watch::channel(0);
        let arrivals = Arrivals::new(RECEIVERS);
        let one = |mut receiver: rt::sync::watch::Receiver<u64>, arrivals: Arc<Arrivals>| async move {
            let mut sum = 0;
            while receiver.changed().await.is_ok() {
                sum += *receiver.borrow_and_update();
                arrivals.arrive();
            }
            sum
        };
        let receivers = (0..RECEIVERS).map(|_| rt::spawn(one(receiver.clone(), arrivals.clone())));
        let receivers: Vec<_> = receivers.collect();
        drop(receiver);
        for number in 1..=CHANGES {
            sender.send(number).expect("there are receivers");
            arrivals.complete.notified().await;
        }
        drop(sender);
        let sum = join_all(receivers).await;
        assert_eq!(sum, RECEIVERS * (sum_below(CHANGES) + CHANGES));
        meter.stop(RECEIVERS * CHANGES)
    })
}

/// Time-outs of what is ready at once.
pub(crate) fn timeout_ready(flavor: Flavor) -> Vec<Metric> {
    const TIMEOUTS: u64 = 200_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let mut sum = 0;
        for number in 0..TIMEOUTS {
            let limit = Duration::from_secs(30);
            sum += rt::time::timeout(limit, ready(number))
                .await
                .expect("it is ready");
        }
        assert_eq!(sum, sum_below(TIMEOUTS));
        meter.stop(TIMEOUTS)
    })
}

/// Time-outs of what is never ready, polled once and dropped.
pub(crate) fn timeout_dropped(flavor: Flavor) -> Vec<Metric> {
    const TIMEOUTS: u64 = 100_000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let mut waited = 0;
        for number in 0..TIMEOUTS {
            let limit = Duration::from_secs(30) + Duration::from_micros(number);
            let mut timeout = pin!(rt::time::timeout(limit, pending::<()>()));
            let waits = poll_fn(|cx| Poll::Ready(timeout.as_mut().poll(cx).is_pending())).await;
            waited += u64::from(waits);
        }
        assert_eq!(waited, TIMEOUTS);
        meter.stop(TIMEOUTS)
    })
}

/// Time-outs of what is ready at the second poll, in many tasks at once.
pub(crate) fn timeout_then_ready(flavor: Flavor) -> Vec<Metric> {
    const AT_ONCE: u64 = 50;
    const TIMEOUTS: u64 = 2000;
    run_as_task(&runtime(flavor), async {
        let meter = Meter::start();
        let one = || async {
            let mut passed = 0;
            for _ in 0..TIMEOUTS {
                let yielding = rt::task::yield_now();
                let in_time = rt::time::timeout(Duration::from_secs(30), yielding).await;
                passed += u64::from(in_time.is_ok());
            }
            passed
        };
        let passed = join_all((0..AT_ONCE).map(|_| rt::spawn(one())).collect()).await;
        assert_eq!(passed, AT_ONCE * TIMEOUTS);
        meter.stop(passed)
    })
}
