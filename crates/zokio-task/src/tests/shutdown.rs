//! Shutting a shard down: what it reaches, and what the futures it drops may do.

use super::{Forever, OnDrop, YieldOnce, bind, spawn};
use crate::testing::{Ledger, Queue, join_now, poll_join};
use crate::{AbortHandle, JoinHandle, SpawnMeta};
use std::future::pending;
use std::sync::Arc;
use std::task::{Poll, Waker};
use zokio_base::sync::{Mutex, thread};

#[test]
fn every_task_is_cancelled() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    // More than a batch and more than a segment; some idle, some queued, some detached.
    let mut joins = Vec::new();
    for number in 0..1_000 {
        let join = spawn(&queue, &shard, Forever(ledger.entry()));
        if number < 500 {
            queue.run_all();
        }
        if number % 3 != 0 {
            joins.push(join);
        }
    }
    assert_eq!((shard.alive(), ledger.alive()), (1_000, 1_000));
    shard.shutdown_all();
    assert_eq!((shard.alive(), ledger.alive()), (0, 0));
    shard.shutdown_all();
    for join in joins {
        assert!(join_now(join).unwrap_err().is_cancelled());
    }
    // Queued tasks find that they were overtaken.
    assert_eq!(queue.len(), 500);
    queue.run_all();
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn a_closed_shard_refuses() {
    let (_queue, shard) = Queue::with_shard();
    shard.shutdown_all();
    let ledger = Arc::new(Ledger::default());
    let (join, notified) = shard.bind(Forever(ledger.entry()), SpawnMeta::new());
    assert!(notified.is_none());
    assert_eq!((ledger.alive(), shard.alive()), (0, 0));
    assert!(join.is_finished());
    assert!(join_now(join).unwrap_err().is_cancelled());
    // Detached at once, with a drop that panics.
    let bomb = OnDrop(|| panic!("refused"));
    let (join, _) = shard.bind(async move { drop(bomb) }, SpawnMeta::new());
    assert!(join_now(join).unwrap_err().is_panic());
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn a_task_that_is_being_polled_ends_when_its_poll_returns() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let (entry, inside) = (ledger.entry(), shard.clone());
    let join = spawn(&queue, &shard, async move {
        inside.shutdown_all();
        drop(inside);
        assert!(!std::thread::panicking());
        YieldOnce::default().await;
        drop(entry);
        unreachable!("shut down") as ()
    });
    assert_eq!(ledger.alive(), 1);
    queue.run_one();
    assert_eq!((ledger.alive(), shard.alive()), (0, 0));
    assert!(join_now(join).unwrap_err().is_cancelled());

    // One that ends in the same poll keeps its output.
    let (queue, shard) = Queue::with_shard();
    let inside = shard.clone();
    let join = spawn(&queue, &shard, async move {
        inside.shutdown_all();
        6
    });
    queue.run_one();
    assert_eq!(join_now(join).unwrap(), 6);
}

#[test]
fn a_dropped_future_may_spawn_wake_abort_join_and_shut_down() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let victims: Vec<JoinHandle<_>> = (0..10)
        .map(|_| spawn(&queue, &shard, Forever(ledger.entry())))
        .collect();
    let aborts: Vec<AbortHandle> = victims.iter().map(JoinHandle::abort_handle).collect();
    let stored = Arc::new(Mutex::new(None::<Waker>));
    let (store, inside) = (stored.clone(), shard.clone());
    let refused = Arc::new(Mutex::new(Vec::new()));
    let note = refused.clone();
    let entries = ledger.clone();
    let mut victims = Some(victims);
    let restless = OnDrop(move || {
        let (join, task) = inside.bind(Forever(entries.entry()), SpawnMeta::new());
        assert!(task.is_none());
        note.lock().push(join);
        if let Some(waker) = stored.lock().take() {
            waker.wake();
        }
        aborts.iter().for_each(AbortHandle::abort);
        for mut victim in victims.take().into_iter().flatten() {
            let _ = poll_join(&mut victim, Waker::noop());
        }
        inside.shutdown_all();
    });
    let join = spawn(&queue, &shard, async move {
        let _restless = restless;
        std::future::poll_fn(|cx| {
            *store.lock() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    });
    queue.run_all();
    shard.shutdown_all();
    assert!(join_now(join).unwrap_err().is_cancelled());
    for join in refused.lock().drain(..) {
        assert!(join_now(join).unwrap_err().is_cancelled());
    }
    queue.run_all();
    assert_eq!((ledger.alive(), shard.alive()), (0, 0));
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn slots_are_reused() {
    let (_queue, shard) = Queue::with_shard();
    for _ in 0..10 {
        let joins: Vec<_> = (0..300).map(|_| bind(&shard, async {})).collect();
        assert_eq!(shard.alive(), 300);
        joins.into_iter().for_each(|(_join, task)| task.run());
        assert_eq!(shard.alive(), 0);
    }
}

#[test]
fn tasks_bound_by_others_during_a_shutdown_all_end() {
    for _ in 0..50 {
        let (queue, shard) = Queue::with_shard();
        let ledger = Arc::new(Ledger::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (queue, shard, ledger) = (queue.clone(), shard.clone(), ledger.clone());
                thread::spawn(move || {
                    let joins: Vec<_> = (0..200)
                        .map(|_| spawn(&queue, &shard, Forever(ledger.entry())))
                        .collect();
                    queue.run_all();
                    joins
                })
            })
            .collect();
        shard.shutdown_all();
        let joins: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        queue.run_all();
        assert_eq!((ledger.alive(), shard.alive()), (0, 0));
        assert!(joins.iter().all(JoinHandle::is_finished));
        drop(joins);
        assert_eq!(Arc::strong_count(&shard), 1);
    }
    // Something to drop that is not Tracked.
    let (_queue, shard) = Queue::with_shard();
    drop(bind(&shard, pending::<()>()));
    shard.shutdown_all();
}
