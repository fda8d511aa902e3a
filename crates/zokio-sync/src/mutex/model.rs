//! Locking and unlocking against one another. The queue itself is modelled with the semaphore.

use super::*;
use crate::modeling::{poll_once, with_another_waker};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::block_on;
use zokio_base::sync::{UnsafeCell, model, thread};

struct Checked(UnsafeCell<u32>);

impl Checked {
    fn increment(&mut self) {
        *self.0.get_mut() += 1;
    }
}

fn lock() -> Arc<Mutex<Checked>> {
    Arc::new(Mutex::new(Checked(UnsafeCell::new(0))))
}

#[test]
fn lock_and_lock() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.lock()).increment());
        block_on(shared.lock()).increment();
        other.join().unwrap();
        assert_eq!(*block_on(shared.lock()).0.get_mut(), 2);
    });
}

#[test]
fn lock_and_try_lock_and_owned() {
    model(|| {
        let shared = lock();
        let (second, third) = (shared.clone(), shared.clone());
        let second = thread::spawn(move || block_on(second.lock_owned()).increment());
        let third = thread::spawn(move || {
            if let Ok(mut guard) = third.try_lock() {
                guard.increment();
                return 1;
            }
            0
        });
        block_on(shared.lock()).increment();
        second.join().unwrap();
        let expected = 2 + third.join().unwrap();
        assert_eq!(*block_on(shared.lock()).0.get_mut(), expected);
    });
}

#[test]
fn lock_and_cancel() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || {
            let mut future = pin!(other.lock());
            block_on(poll_fn(|cx| {
                if let Poll::Ready(mut guard) = future.as_mut().poll(cx) {
                    guard.increment();
                }
                Poll::Ready(())
            }));
        });
        block_on(shared.lock()).increment();
        other.join().unwrap();
        assert!(shared.try_lock().is_ok());
    });
}

#[test]
fn a_part_and_a_lock() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || {
            let guard = block_on(other.lock());
            *MutexGuard::map(guard, |value| value.0.get_mut()) += 1;
        });
        block_on(shared.lock()).increment();
        other.join().unwrap();
        assert_eq!(*block_on(shared.lock()).0.get_mut(), 2);
    });
}

#[test]
fn a_lock_that_is_cancelled_passes_on() {
    model(|| {
        let shared = lock();
        let guard = block_on(shared.lock());
        let (second, third) = (shared.clone(), shared.clone());
        let second = thread::spawn(move || {
            if let Some(mut guard) = poll_once(second.lock_owned()) {
                guard.increment();
            }
        });
        let third = thread::spawn(move || block_on(third.lock()).increment());
        // The first waiter in the queue gets it, and may be gone by then.
        drop(guard);
        second.join().unwrap();
        third.join().unwrap();
        assert!(shared.try_lock().is_ok());
    });
}

#[test]
fn two_wait_for_one_that_unlocks() {
    model(|| {
        let shared = lock();
        let guard = block_on(shared.lock());
        let others = [shared.clone(), shared.clone()]
            .map(|shared| thread::spawn(move || block_on(shared.lock()).increment()));
        drop(guard);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(*block_on(shared.lock()).0.get_mut(), 2);
    });
}

#[test]
fn try_lock_and_unlock() {
    model(|| {
        let shared = lock();
        let guard = shared.clone().try_lock_owned().unwrap();
        let other = shared.clone();
        let other = thread::spawn(move || match other.try_lock_owned() {
            Ok(mut guard) => {
                guard.increment();
                1
            }
            Err(_) => 0,
        });
        drop(guard);
        let expected = other.join().unwrap();
        assert_eq!(*block_on(shared.lock()).0.get_mut(), expected);
    });
}

#[test]
fn a_lock_comes_to_a_waker_that_changes() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.lock()).increment());
        with_another_waker(shared.lock()).increment();
        other.join().unwrap();
        assert_eq!(*block_on(shared.lock()).0.get_mut(), 2);
    });
}

#[test]
fn an_owned_part_and_a_lock() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || {
            let guard = block_on(other.lock_owned());
            *OwnedMutexGuard::map(guard, |value| value.0.get_mut()) += 1;
        });
        block_on(shared.lock()).increment();
        other.join().unwrap();
        assert_eq!(*block_on(shared.lock()).0.get_mut(), 2);
    });
}
