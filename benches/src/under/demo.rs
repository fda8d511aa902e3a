//! Programs that show one property each: memory, stalls, threads, wake-ups, lateness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::rt;
use super::{Echo, contain, run_as_task, runtime, serve_load, serve_load_with, serve_owned};
use crate::load::Load;
use crate::measure::{Flavor, quantile};
use crate::os;

/// Resident bytes before and with `count` tasks that wait for ever; with `again`, also after
/// aborting all of them and spawning as many anew.
pub(crate) fn idle_tasks(flavor: Flavor, count: usize, again: bool) -> (u64, u64, Option<u64>) {
    let runtime = runtime(flavor);
    let polled = Arc::new(AtomicUsize::new(0));
    run_as_task(&runtime, async {});
    let before = os::resident();
    let spawn_all = |goal: usize, keep: &mut Vec<rt::task::AbortHandle>| {
        let again_flag = again;
        runtime.block_on(async {
            for index in 0..count {
                let task = rt::spawn(std::future::pending::<()>());
                if again_flag {
                    keep.push(task.abort_handle());
                }
                drop(task);
                if index % 1000 == 999 {
                    rt::task::yield_now().await;
                }
            }
            let polled = polled.clone();
            rt::spawn(async move { polled.fetch_add(1, Ordering::Release) });
        });
        while polled.load(Ordering::Acquire) < goal {
            runtime.block_on(async { rt::time::sleep(Duration::from_millis(10)).await });
        }
        runtime.block_on(async { rt::time::sleep(Duration::from_millis(200)).await });
    };
    let mut handles = Vec::new();
    spawn_all(1, &mut handles);
    let with = os::resident();
    if !again {
        return (before, with, None);
    }
    handles.drain(..).for_each(|handle| handle.abort());
    while runtime.metrics().num_alive_tasks() > 0 {
        runtime.block_on(async { rt::time::sleep(Duration::from_millis(10)).await });
    }
    spawn_all(2, &mut handles);
    (before, with, Some(os::resident()))
}

/// The delays of 100 sleepers and 50 echo connections beside tasks that block their thread.
#[derive(Debug)]
pub(crate) struct Blocked {
    pub(crate) sleep_p99_ms: f64,
    pub(crate) sleep_max_ms: f64,
    pub(crate) echo: Echo,
}

/// Two workers; `blockers` tasks block their thread for 500 ms again and again.
pub(crate) fn blocked(blockers: usize, containment: bool) -> Blocked {
    let mut builder = rt::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    contain(&mut builder, containment);
    let runtime = builder.build().expect("a runtime can be built");
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..blockers {
        let stop = stop.clone();
        runtime.spawn(async move {
            while !stop.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(500));
                rt::task::yield_now().await;
            }
        });
    }
    let sleepers: Vec<_> = (0..100)
        .map(|_| runtime.spawn(lateness(stop.clone())))
        .collect();
    let pause = Some(Duration::from_millis(5));
    let load = Load {
        connections: 50,
        time: Duration::from_secs(5),
        bytes: 64,
        pause,
    };
    let echo = serve_load(&runtime, load);
    stop.store(true, Ordering::Release);
    let mut late = Vec::new();
    for sleeper in sleepers {
        late.extend(runtime.block_on(sleeper).expect("sleeping does not panic"));
    }
    Blocked {
        sleep_p99_ms: quantile(&late, 0.99),
        sleep_max_ms: quantile(&late, 1.0),
        echo,
    }
}

/// Sleeps 5 ms until told to stop; how late each was, in milliseconds.
async fn lateness(stop: Arc<AtomicBool>) -> Vec<f64> {
    let time = Duration::from_millis(5);
    let mut late = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let started = Instant::now();
        rt::time::sleep(time).await;
        late.push(started.elapsed().saturating_sub(time).as_secs_f64() * 1000.0);
    }
    late
}

/// Eight workers with eight tasks that only compute: the greatest number of threads seen.
pub(crate) fn run_away() -> usize {
    let runtime = runtime(Flavor::Multi(8));
    let tasks: Vec<_> = (0..8)
        .map(|_| runtime.spawn(async { spin(Duration::from_secs(3)) }))
        .collect();
    let mut threads = 0;
    while tasks.iter().any(|task| !task.is_finished()) {
        threads = threads.max(os::threads());
        std::thread::sleep(Duration::from_millis(10));
    }
    threads
}

fn spin(time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Two workers, and 64 paced connections that one of them has to itself, each message being 50 us of
/// work: enough to saturate one worker.
pub(crate) fn owned() -> Echo {
    let load = Load {
        connections: 64,
        time: Duration::from_secs(3),
        bytes: 64,
        pause: Some(Duration::from_millis(4)),
    };
    let work = || spin(Duration::from_micros(50));
    serve_load_with(&runtime(Flavor::Multi(2)), load, |listener| {
        serve_owned(listener, load.connections, work)
    })
}

/// Two workers, one of them kept busy by polls of 50 us, and 64 paced connections.
pub(crate) fn busy() -> Echo {
    let runtime = runtime(Flavor::Multi(2));
    let stop = Arc::new(AtomicBool::new(false));
    let spinning = stop.clone();
    runtime.spawn(async move {
        while !spinning.load(Ordering::Acquire) {
            spin(Duration::from_micros(50));
            rt::task::yield_now().await;
        }
    });
    let pause = Some(Duration::from_millis(5));
    let load = Load {
        connections: 64,
        time: Duration::from_secs(3),
        bytes: 64,
        pause,
    };
    let echo = serve_load(&runtime, load);
    stop.store(true, Ordering::Release);
    echo
}

/// A thousand sleepers of an hour: context switches of the runtime's threads in five seconds.
pub(crate) fn idle() -> (u64, usize) {
    let runtime = runtime(Flavor::Multi(2));
    for _ in 0..1000 {
        runtime.spawn(async { rt::time::sleep(Duration::from_secs(3600)).await });
    }
    std::thread::sleep(Duration::from_secs(1));
    let (before, _) = os::switches();
    std::thread::sleep(Duration::from_secs(5));
    let (after, threads) = os::switches();
    runtime.shutdown_background();
    (after - before, threads)
}

/// Seconds to build and drop a runtime of two workers, many times.
pub(crate) fn build_and_drop(times: usize) -> Vec<f64> {
    let one = || {
        let started = Instant::now();
        drop(runtime(Flavor::Multi(2)));
        started.elapsed().as_secs_f64()
    };
    (0..times).map(|_| one()).collect()
}

/// How late `sleep(1 ms)` is, in milliseconds, one sleep after another.
pub(crate) fn sleep_lateness(flavor: Flavor, times: usize) -> Vec<f64> {
    run_as_task(&runtime(flavor), async move {
        let time = Duration::from_millis(1);
        let mut late = Vec::with_capacity(times);
        for _ in 0..times {
            let started = Instant::now();
            rt::time::sleep(time).await;
            late.push(started.elapsed().saturating_sub(time).as_secs_f64() * 1000.0);
        }
        late
    })
}
