//! Waiting, notifying and cancelling by hand.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::Mutex;
use crate::testing::spawn;
use std::collections::VecDeque;
use zokio_base::sync::{Arc, thread};

#[test]
fn a_wait_releases_the_lock_and_takes_it_again() {
    let (lock, condvar) = (Mutex::new(1), Condvar::new());
    let mut waiting = spawn(condvar.wait(lock.try_lock().unwrap()));
    waiting.pending();
    let mut guard = lock.try_lock().unwrap();
    *guard = 2;
    condvar.notify_one();
    assert!(waiting.is_woken());
    waiting.pending();
    drop(guard);
    assert!(waiting.is_woken());
    assert_eq!(*waiting.ready(), 2);
}

#[test]
fn a_notification_is_not_kept() {
    let (lock, condvar) = (Mutex::new(1), Condvar::new());
    condvar.notify_one();
    condvar.notify_all();
    let mut waiting = spawn(condvar.wait(lock.try_lock().unwrap()));
    waiting.pending();
    assert!(!waiting.is_woken());
}

#[test]
fn one_wakes_one_and_all_wake_all() {
    let (lock, condvar) = (Mutex::new(1), Condvar::new());
    let mut waiting: Vec<_> = (0..4)
        .map(|_| {
            let mut future = spawn(condvar.wait(lock.try_lock().unwrap()));
            future.pending();
            future
        })
        .collect();
    condvar.notify_one();
    let woken: Vec<_> = waiting.iter().map(|future| future.is_woken()).collect();
    assert_eq!(woken, [true, false, false, false]);
    condvar.notify_all();
    for future in &mut waiting {
        assert!(future.is_woken());
        drop(future.ready());
    }
}

#[test]
fn a_notification_that_is_cancelled_goes_to_another() {
    let (lock, condvar) = (Mutex::new(1), Condvar::new());
    for poll_again in [false, true] {
        let mut first = spawn(condvar.wait(lock.try_lock().unwrap()));
        first.pending();
        let mut second = spawn(condvar.wait(lock.try_lock().unwrap()));
        second.pending();
        let guard = lock.try_lock().unwrap();
        condvar.notify_one();
        assert!(first.is_woken() && !second.is_woken());
        if poll_again {
            // It saw the notification and now waits for the lock.
            first.pending();
        }
        drop(first);
        assert!(second.is_woken());
        drop(guard);
        drop(second.ready());
    }
}

#[test]
fn wait_while_checks_first() {
    let (lock, condvar) = (Mutex::new(1), Condvar::new());
    let guard = spawn(condvar.wait_while(lock.try_lock().unwrap(), |value| *value > 1)).ready();
    let mut waiting = spawn(condvar.wait_while(guard, |value| *value < 3));
    waiting.pending();
    for value in 2..=3 {
        *lock.try_lock().unwrap() = value;
        condvar.notify_all();
        assert!(waiting.is_woken());
        if value < 3 {
            waiting.pending();
        }
    }
    assert_eq!(*waiting.ready(), 3);
}

#[test]
fn stress_a_queue_with_two_conditions() {
    struct Shared {
        queue: Mutex<VecDeque<u32>>,
        filled: Condvar,
        emptied: Condvar,
    }
    let shared = Arc::new(Shared {
        queue: Mutex::new(VecDeque::new()),
        filled: Condvar::new(),
        emptied: Condvar::new(),
    });
    let producers: Vec<_> = (0..2)
        .map(|_| {
            let shared = shared.clone();
            thread::spawn(move || {
                zokio_task::block_on::block_on(async {
                    for value in 1..=2_000 {
                        let guard = shared.queue.lock().await;
                        let full = |queue: &mut VecDeque<u32>| queue.len() >= 2;
                        let mut guard = shared.emptied.wait_while(guard, full).await;
                        guard.push_back(value);
                        shared.filled.notify_one();
                    }
                });
            })
        })
        .collect();
    let sum: u32 = zokio_task::block_on::block_on(async {
        let mut sum = 0;
        for _ in 0..4_000 {
            let guard = shared.queue.lock().await;
            let empty = |queue: &mut VecDeque<u32>| queue.is_empty();
            let mut guard = shared.filled.wait_while(guard, empty).await;
            sum += guard.pop_front().unwrap();
            shared.emptied.notify_one();
        }
        sum
    });
    assert_eq!(sum, 2 * 2_000 * 2_001 / 2);
    for producer in producers {
        producer.join().unwrap();
    }
}
