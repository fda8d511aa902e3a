//! Models of the queue of ended tasks: ends against everything that a set can do meanwhile.

use super::{JoinSet, Ready};
use crate::local_set::LocalSet;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use zokio_base::slab::Slab;
use zokio_base::sync::{Arc, model, thread};
use zokio_task::block_on::block_on;
use zokio_task::{JoinHandle, Notified, Schedule, Shard, SpawnMeta};

/// Tasks that are run by hand, once.
struct ByHand;

impl Schedule for ByHand {
    fn schedule(&self, task: Notified) {
        task.shutdown();
    }
}

/// A task that ends when it is run, and counts as alive until it is freed.
fn task(output: u32, alive: &Arc<()>) -> (JoinHandle<u32>, Notified) {
    let shard = Shard::new(Arc::new(ByHand), 0);
    let alive = alive.clone();
    let future = async move {
        drop(alive);
        output
    };
    shard.bind_untracked(future, SpawnMeta::new())
}

#[test]
fn every_end_reaches_the_one_who_waits() {
    model(|| {
        let mut slab = Slab::new();
        let keys = [slab.insert(()), slab.insert(())];
        let ready = Ready::new();
        let others = keys.map(|key| {
            let waker = Arc::new(ready.waker(key));
            thread::spawn(move || waker.wake_by_ref())
        });
        let mut seen = Vec::new();
        block_on(poll_fn(|cx| {
            let mut ended = VecDeque::new();
            loop {
                ready.take_or_wait(&mut ended, cx.waker());
                if ended.is_empty() {
                    return Poll::Pending;
                }
                for key in ended.drain(..) {
                    assert!(!seen.contains(&key), "each once");
                    seen.push(key);
                }
                if seen.len() == 2 {
                    return Poll::Ready(());
                }
            }
        }));
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn a_task_that_ends_while_it_is_inserted_is_found() {
    model(|| {
        let local = LocalSet::new();
        let task = local.spawn_local(async { 1 });
        // The set is on another thread than the task.
        let other = thread::spawn(move || {
            let mut set = JoinSet::new();
            set.insert(task);
            block_on(set.join_next()).unwrap().unwrap()
        });
        block_on(local);
        assert_eq!(other.join().unwrap(), 1);
    });
}

#[test]
fn ends_and_waits() {
    model(|| {
        let alive = Arc::new(());
        let mut set = JoinSet::new();
        let others = [1, 2].map(|output| {
            let (handle, task) = task(output, &alive);
            set.insert(handle);
            thread::spawn(move || task.run())
        });
        let mut sum = 0;
        while let Some(output) = block_on(set.join_next()) {
            sum += output.unwrap();
        }
        assert_eq!(sum, 3);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(Arc::strong_count(&alive), 1);
    });
}

#[test]
fn a_wait_is_cancelled_and_another_waker_comes() {
    model(|| {
        let alive = Arc::new(());
        let (handle, task) = task(1, &alive);
        let mut set = JoinSet::new();
        set.insert(handle);
        let other = thread::spawn(move || task.run());
        let early = {
            let mut nobody = Context::from_waker(Waker::noop());
            pin!(set.join_next()).poll(&mut nobody)
        };
        let outcome = match early {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => block_on(set.join_next()),
        };
        assert_eq!(outcome.unwrap().unwrap(), 1);
        other.join().unwrap();
    });
}

#[test]
fn an_end_and_a_look() {
    model(|| {
        let alive = Arc::new(());
        let (handle, task) = task(1, &alive);
        let mut set = JoinSet::new();
        set.insert(handle);
        let other = thread::spawn(move || task.run());
        let early = set.try_join_next();
        other.join().unwrap();
        let outcome = early.or_else(|| set.try_join_next());
        assert_eq!(outcome.unwrap().unwrap(), 1);
        assert!(set.try_join_next().is_none() && set.is_empty());
    });
}

#[test]
fn an_end_while_the_task_is_inserted() {
    model(|| {
        let alive = Arc::new(());
        let (handle, task) = task(1, &alive);
        let other = thread::spawn(move || task.run());
        let mut set = JoinSet::new();
        set.insert(handle);
        assert_eq!(block_on(set.join_next()).unwrap().unwrap(), 1);
        other.join().unwrap();
    });
}

#[test]
fn an_end_and_an_abort_of_all() {
    model(|| {
        let alive = Arc::new(());
        let (handle, task) = task(1, &alive);
        let mut set = JoinSet::new();
        set.insert(handle);
        let other = thread::spawn(move || task.run());
        set.abort_all();
        match block_on(set.join_next()).unwrap() {
            Ok(output) => assert_eq!(output, 1),
            Err(error) => assert!(error.is_cancelled()),
        }
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&alive), 1);
    });
}

#[test]
fn an_end_and_a_shutdown() {
    model(|| {
        let alive = Arc::new(());
        let (handle, task) = task(1, &alive);
        let mut set = JoinSet::new();
        set.insert(handle);
        let other = thread::spawn(move || task.run());
        block_on(set.shutdown());
        assert!(set.is_empty());
        assert_eq!(Arc::strong_count(&alive), 1);
        other.join().unwrap();
    });
}

#[test]
fn an_end_and_the_sets_drop() {
    model(|| {
        let alive = Arc::new(());
        let (handle, task) = task(1, &alive);
        let mut set = JoinSet::new();
        set.insert(handle);
        let ready = Arc::downgrade(&set.ready);
        let other = thread::spawn(move || task.run());
        {
            let mut nobody = Context::from_waker(Waker::noop());
            let _ = pin!(set.join_next()).poll(&mut nobody);
        }
        drop(set);
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&alive), 1);
        assert_eq!(ready.strong_count(), 0, "a waker keeps the queue");
    });
}

#[test]
fn an_end_and_a_detach_and_the_next_task() {
    model(|| {
        let alive = Arc::new(());
        let (first, first_task) = task(1, &alive);
        let mut set = JoinSet::new();
        set.insert(first);
        let other = thread::spawn(move || first_task.run());
        set.detach_all();
        // It may get the place of the first, whose end is perhaps still on the way.
        let (second, second_task) = task(2, &alive);
        set.insert(second);
        assert!(set.try_join_next().is_none());
        second_task.run();
        assert_eq!(block_on(set.join_next()).unwrap().unwrap(), 2);
        assert!(set.is_empty());
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&alive), 1);
    });
}

#[test]
fn an_abort_from_elsewhere_and_a_wait() {
    model(|| {
        let alive = Arc::new(());
        let (handle, task) = task(1, &alive);
        let mut set = JoinSet::new();
        let abort = set.insert(handle);
        let other = thread::spawn(move || abort.abort());
        let runs = thread::spawn(move || task.run());
        match block_on(set.join_next()).unwrap() {
            Ok(output) => assert_eq!(output, 1),
            Err(error) => assert!(error.is_cancelled()),
        }
        other.join().unwrap();
        runs.join().unwrap();
    });
}
