//! Models of the queue of ended tasks: ends against waits.

use super::{JoinSet, Ready};
use crate::local_set::LocalSet;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;
use zokio_base::slab::Slab;
use zokio_base::sync::{Arc, model, thread};
use zokio_task::block_on::block_on;

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
