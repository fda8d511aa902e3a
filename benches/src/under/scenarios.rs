//! Small programs, each about a tenth of a second.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::rt;
use super::rt::io::{AsyncReadExt, AsyncSeekExt};
use super::{run_as_task, runtime};
use crate::measure::{Flavor, Metric};
use crate::{metric, os};

fn per(started: Instant, operations: usize) -> f64 {
    started.elapsed().as_nanos() as f64 / operations as f64
}

fn wall(started: Instant, operations: usize) -> Vec<Metric> {
    vec![metric("wall", "ns", per(started, operations))]
}

/// Batches of tasks that do nothing, spawned and joined.
pub(crate) fn spawn(flavor: Flavor) -> Vec<Metric> {
    const BATCHES: usize = 200;
    const BATCH: usize = 1000;
    let runtime = runtime(flavor);
    run_as_task(&runtime, async {
        let started = Instant::now();
        let mut handles = Vec::with_capacity(BATCH);
        for _ in 0..BATCHES {
            handles.extend((0..BATCH).map(|_| rt::spawn(async {})));
            for handle in handles.drain(..) {
                handle.await.expect("an empty task does not panic");
            }
        }
        wall(started, BATCHES * BATCH)
    })
}

/// Tasks that give way again and again.
pub(crate) fn yield_now(flavor: Flavor) -> Vec<Metric> {
    const TASKS: usize = 200;
    const YIELDS: usize = 2000;
    let runtime = runtime(flavor);
    run_as_task(&runtime, async {
        let started = Instant::now();
        let one = || async {
            for _ in 0..YIELDS {
                rt::task::yield_now().await;
            }
        };
        let handles: Vec<_> = (0..TASKS).map(|_| rt::spawn(one())).collect();
        for handle in handles {
            handle.await.expect("yielding does not panic");
        }
        wall(started, TASKS * YIELDS)
    })
}

/// Two tasks and two oneshot channels: there and back.
pub(crate) fn ping_pong(flavor: Flavor) -> Vec<Metric> {
    const ROUNDS: usize = 50_000;
    let runtime = runtime(flavor);
    run_as_task(&runtime, async {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            let (ping, pinged) = rt::sync::oneshot::channel();
            let (pong, ponged) = rt::sync::oneshot::channel();
            rt::spawn(async move {
                let value: u64 = pinged.await.expect("the ping is sent");
                let _ = pong.send(value + 1);
            });
            ping.send(1).expect("the peer waits");
            assert_eq!(ponged.await, Ok(2));
        }
        wall(started, ROUNDS)
    })
}

/// Each task spawns the next.
pub(crate) fn chained(flavor: Flavor) -> Vec<Metric> {
    const CHAINS: usize = 100;
    const LENGTH: usize = 1000;
    fn link(left: usize, done: rt::sync::oneshot::Sender<()>) {
        if left == 0 {
            let _ = done.send(());
        } else {
            rt::spawn(async move { link(left - 1, done) });
        }
    }
    let runtime = runtime(flavor);
    run_as_task(&runtime, async {
        let started = Instant::now();
        for _ in 0..CHAINS {
            let (done, finished) = rt::sync::oneshot::channel();
            link(LENGTH, done);
            finished.await.expect("the last link answers");
        }
        wall(started, CHAINS * LENGTH)
    })
}

/// Two threads outside of the runtime spawn tasks.
pub(crate) fn remote(flavor: Flavor) -> Vec<Metric> {
    const THREADS: usize = 2;
    const TASKS: usize = 50_000;
    let runtime = runtime(flavor);
    let ran = Arc::new(AtomicUsize::new(0));
    let (done, finished) = rt::sync::oneshot::channel();
    let done = Arc::new(std::sync::Mutex::new(Some(done)));
    let started = Instant::now();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (handle, ran, done) = (runtime.handle().clone(), ran.clone(), done.clone());
            std::thread::spawn(move || {
                for _ in 0..TASKS {
                    let (ran, done) = (ran.clone(), done.clone());
                    handle.spawn(async move {
                        if ran.fetch_add(1, Ordering::AcqRel) + 1 == THREADS * TASKS {
                            let sender = done.lock().expect("no panic under the lock").take();
                            let _ = sender.expect("taken once").send(());
                        }
                    });
                }
            })
        })
        .collect();
    runtime.block_on(finished).expect("the last task answers");
    let metrics = wall(started, THREADS * TASKS);
    for thread in threads {
        thread.join().expect("a spawning thread does not panic");
    }
    metrics
}

/// Ten thousand sleepers at once: processor time for each, and how late they wake.
pub(crate) fn sleeps(flavor: Flavor) -> Vec<Metric> {
    const SLEEPERS: usize = 10_000;
    let runtime = runtime(flavor);
    run_as_task(&runtime, async {
        let before = os::processor_time();
        let one = |index: usize| async move {
            let time = Duration::from_micros(20_000 + (index as u64 * 7919) % 80_000);
            let started = Instant::now();
            rt::time::sleep(time).await;
            started.elapsed().saturating_sub(time).as_nanos() as f64 / 1000.0
        };
        let handles: Vec<_> = (0..SLEEPERS).map(|index| rt::spawn(one(index))).collect();
        let mut late = Vec::with_capacity(SLEEPERS);
        for handle in handles {
            late.push(handle.await.expect("sleeping does not panic"));
        }
        let used = os::processor_time().saturating_sub(before);
        vec![
            metric("cpu", "ns", used.as_nanos() as f64 / SLEEPERS as f64),
            metric("late p50", "us", crate::measure::median(&late)),
        ]
    })
}

/// Time-outs that never fire: armed, polled, cancelled.
pub(crate) fn timeouts(flavor: Flavor) -> Vec<Metric> {
    const TASKS: usize = 50;
    const TIMEOUTS: usize = 2000;
    let runtime = runtime(flavor);
    run_as_task(&runtime, async {
        let started = Instant::now();
        let one = || async {
            for _ in 0..TIMEOUTS {
                let inner = rt::task::yield_now();
                rt::time::timeout(Duration::from_secs(30), inner)
                    .await
                    .expect("far away");
            }
        };
        let handles: Vec<_> = (0..TASKS).map(|_| rt::spawn(one())).collect();
        for handle in handles {
            handle.await.expect("a time-out does not panic");
        }
        wall(started, TASKS * TIMEOUTS)
    })
}

/// Four producers, one consumer, a bounded channel.
pub(crate) fn mpsc(flavor: Flavor) -> Vec<Metric> {
    const PRODUCERS: usize = 4;
    const MESSAGES: usize = 50_000;
    let runtime = runtime(flavor);
    run_as_task(&runtime, async {
        let started = Instant::now();
        let (sender, mut receiver) = rt::sync::mpsc::channel::<usize>(256);
        for _ in 0..PRODUCERS {
            let sender = sender.clone();
            rt::spawn(async move {
                for message in 0..MESSAGES {
                    sender.send(message).await.expect("the receiver lives");
                }
            });
        }
        drop(sender);
        let mut received = 0;
        while receiver.recv().await.is_some() {
            received += 1;
        }
        assert_eq!(received, PRODUCERS * MESSAGES);
        wall(started, received)
    })
}

const FILE_BYTES: u64 = 64 << 20;
const BLOCK: usize = 4096;

/// A file that fills the page cache, made once.
fn cached_file() -> PathBuf {
    let path = std::env::temp_dir().join("zokio-bench-64MiB");
    let complete = std::fs::metadata(&path).is_ok_and(|meta| meta.len() == FILE_BYTES);
    if !complete {
        let mut file = std::fs::File::create(&path).expect("the temporary folder is writable");
        let block = vec![0x5a; 1 << 20];
        for _ in 0..FILE_BYTES >> 20 {
            file.write_all(&block).expect("there is room for 64 MiB");
        }
    }
    std::fs::read(&path).expect("the file was just written");
    path
}

/// Random reads of 4 KiB from a cached file, 32 at a time.
pub(crate) fn file(flavor: Flavor) -> Vec<Metric> {
    const READERS: usize = 32;
    const READS: usize = 400;
    let path = cached_file();
    let runtime = runtime(flavor);
    run_as_task(&runtime, async move {
        let (started, before) = (Instant::now(), os::processor_time());
        let one = |reader: u64, path: PathBuf| async move {
            let mut file = rt::fs::File::open(path).await.expect("the file is there");
            let (mut state, mut buffer) = (reader * 2 + 1, vec![0; BLOCK]);
            for _ in 0..READS {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = (state >> 33) % (FILE_BYTES / BLOCK as u64) * BLOCK as u64;
                file.seek(std::io::SeekFrom::Start(at))
                    .await
                    .expect("within the file");
                file.read_exact(&mut buffer).await.expect("within the file");
                assert_eq!(buffer[BLOCK - 1], 0x5a);
            }
        };
        let handles: Vec<_> = (0..READERS as u64)
            .map(|reader| rt::spawn(one(reader, path.clone())))
            .collect();
        for handle in handles {
            handle.await.expect("reading does not panic");
        }
        let used = os::processor_time().saturating_sub(before);
        let operations = READERS * READS;
        vec![
            metric("wall", "ns", per(started, operations)),
            metric("cpu", "ns", used.as_nanos() as f64 / operations as f64),
        ]
    })
}
