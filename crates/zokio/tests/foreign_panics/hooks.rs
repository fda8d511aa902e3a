//! The builder's hooks: each panics at every call, and the runtime does all that it does without them.

use crate::support::{Host, Table, fall, falls, hide_expected, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use zokio::runtime::Builder;
use zokio::sync::{Semaphore, mpsc};

type Set = fn(&mut Builder, Arc<AtomicU64>);

/// Every hook of the builder.
const HOOKS: [(&str, Set); 10] = [
    ("on_thread_start", |builder, reached| {
        builder.on_thread_start(move || fall(&reached));
    }),
    ("on_thread_stop", |builder, reached| {
        builder.on_thread_stop(move || fall(&reached));
    }),
    ("on_thread_park", |builder, reached| {
        builder.on_thread_park(move || fall(&reached));
    }),
    ("on_thread_unpark", |builder, reached| {
        builder.on_thread_unpark(move || fall(&reached));
    }),
    ("on_task_spawn", |builder, reached| {
        builder.on_task_spawn(move |_| fall(&reached));
    }),
    ("on_task_terminate", |builder, reached| {
        builder.on_task_terminate(move |_| fall(&reached));
    }),
    ("on_before_task_poll", |builder, reached| {
        builder.on_before_task_poll(move |_| fall(&reached));
    }),
    ("on_after_task_poll", |builder, reached| {
        builder.on_after_task_poll(move |_| fall(&reached));
    }),
    ("on_stall", |builder, reached| {
        builder.stall_threshold(Duration::from_millis(5));
        builder.on_stall(move |_| fall(&reached));
    }),
    ("thread_name_fn", |builder, reached| {
        builder.thread_name_fn(move || fall(&reached));
    }),
];

/// A mix of all that a runtime does, with a ledger.
fn work(host: &Host, has_threads: bool) {
    const TASKS: usize = 20;
    let (sender, mut receiver) = mpsc::channel(2);
    let permits = Arc::new(Semaphore::new(1));
    for number in 0..TASKS {
        let (sender, permits) = (sender.clone(), permits.clone());
        host.runtime().spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            zokio::time::sleep(Duration::from_micros(100)).await;
            let number = zokio::task::spawn_blocking(move || number).await.unwrap();
            sender.send(number).await.unwrap();
        });
    }
    drop(sender);
    let mut sum = 0;
    host.runtime().block_on(async {
        while let Some(number) = receiver.recv().await {
            sum += number;
        }
    });
    assert_eq!(sum, TASKS * (TASKS - 1) / 2);
    assert_eq!(permits.available_permits(), 1);
    if has_threads {
        let task = host
            .runtime()
            .spawn(async { zokio::task::block_in_place(|| 7) });
        assert_eq!(host.runtime().block_on(task).unwrap(), 7);
    }
    let aborted = host.runtime().spawn(std::future::pending::<()>());
    aborted.abort();
    assert!(host.runtime().block_on(aborted).unwrap_err().is_cancelled());
    let panics = host.runtime().spawn(async { fall(&AtomicU64::new(0)) });
    let error = host.runtime().block_on(panics).unwrap_err();
    crate::support::expect(error.into_panic());
}

#[test]
fn hooks_that_panic_change_nothing() {
    hide_expected();
    let mut table = Table::default();
    for (name, set) in HOOKS {
        for (site, has_threads) in [("multi-thread", true), ("current-thread", false)] {
            let reached = Arc::new(AtomicU64::new(0));
            // A hang is named by the last line.
            println!("{name}, {site}");
            let mut builder = match has_threads {
                true => Builder::new_multi_thread(),
                false => Builder::new_current_thread(),
            };
            builder.worker_threads(2);
            set(&mut builder, reached.clone());
            let host = Host::with(&mut builder);
            work(&host, has_threads);
            if name == "on_stall" && has_threads {
                // Longer and longer, until the monitor has seen it twice: it lives on.
                let mut stall = Duration::from_millis(20);
                until(name, || {
                    let blocks = async move { std::thread::sleep(stall) };
                    host.runtime()
                        .block_on(host.runtime().spawn(blocks))
                        .unwrap();
                    stall *= 2;
                    reached.load(Ordering::SeqCst) >= 2
                });
            }
            if has_threads {
                host.is_alive();
            }
            assert!(!falls(|| host.end()), "{name}: the end");
            // A current-thread runtime has no monitor.
            if name != "on_stall" || has_threads {
                table.add(name, site, reached.load(Ordering::SeqCst));
            }
        }
    }
    table.show("hooks");
}
