//! Readers and writers against one another. The queue itself is modelled with the semaphore.
#![allow(unsafe_code)]

use super::*;
use crate::modeling::{poll_once, with_another_waker};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::block_on;
use zokio_base::sync::{UnsafeCell, model, thread};

struct Checked(UnsafeCell<u32>);

// SAFETY: the models share it under the lock only.
unsafe impl Sync for Checked {}

impl Checked {
    fn read(&self) -> u32 {
        // SAFETY: the lock keeps writers away.
        self.0.with(|value| unsafe { *value })
    }

    fn increment(&mut self) {
        // SAFETY: the lock keeps all others away.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }
}

fn lock() -> Arc<RwLock<Checked>> {
    Arc::new(RwLock::with_max_readers(Checked(UnsafeCell::new(0)), 2))
}

#[test]
fn read_and_write() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.write()).increment());
        assert!(block_on(shared.read()).read() <= 1);
        other.join().unwrap();
        assert_eq!(block_on(shared.read()).read(), 1);
    });
}

#[test]
fn write_and_write() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.write_owned()).increment());
        block_on(shared.write()).increment();
        other.join().unwrap();
        assert_eq!(block_on(shared.read()).read(), 2);
    });
}

#[test]
fn downgrade_and_write() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.write()).increment());
        let mut guard = block_on(shared.write());
        guard.increment();
        let written = guard.read();
        assert_eq!(guard.downgrade().read(), written);
        other.join().unwrap();
        assert_eq!(block_on(shared.read()).read(), 2);
    });
}

#[test]
fn two_readers_and_a_writer_that_gives_up() {
    model(|| {
        let shared = lock();
        let (second, third) = (shared.clone(), shared.clone());
        let second = thread::spawn(move || block_on(second.read_owned()).read());
        let third = thread::spawn(move || {
            let mut future = pin!(third.write());
            block_on(poll_fn(|cx| {
                if let Poll::Ready(mut guard) = future.as_mut().poll(cx) {
                    guard.increment();
                }
                Poll::Ready(())
            }));
        });
        block_on(shared.read()).read();
        second.join().unwrap();
        third.join().unwrap();
        assert!(shared.try_write().is_ok());
    });
}

#[test]
fn try_read_and_write() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.write()).increment());
        if let Ok(guard) = shared.try_read() {
            assert!(guard.read() <= 1);
        }
        other.join().unwrap();
        assert_eq!(shared.try_read().unwrap().read(), 1);
    });
}

#[test]
fn try_write_and_read() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.read()).read());
        let written = match shared.try_write() {
            Ok(mut guard) => {
                guard.increment();
                1
            }
            Err(_) => 0,
        };
        assert!(other.join().unwrap() <= written);
        assert_eq!(shared.try_read().unwrap().read(), written);
    });
}

#[test]
fn a_downgrade_lets_waiting_readers_in() {
    model(|| {
        let shared = lock();
        let mut guard = shared.clone().try_write_owned().unwrap();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.read()).read());
        guard.increment();
        let guard = guard.downgrade();
        // It needs the other reader only to be let in beside this one.
        assert_eq!(other.join().unwrap(), 1);
        assert_eq!(guard.read(), 1);
        drop(guard);
        assert!(shared.try_write().is_ok());
    });
}

#[test]
fn parts_of_owned_guards() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || {
            let guard = block_on(other.write_owned());
            OwnedRwLockWriteGuard::map(guard, |value| value).increment();
        });
        let guard = block_on(shared.clone().read_owned());
        assert!(OwnedRwLockReadGuard::map(guard, |value| value).read() <= 1);
        other.join().unwrap();
        assert_eq!(block_on(shared.read()).read(), 1);
    });
}

#[test]
fn parts_of_guards() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || {
            let guard = block_on(other.write());
            RwLockWriteGuard::map(guard, |value| value).increment();
        });
        let guard = RwLockReadGuard::map(block_on(shared.read()), |value| value);
        assert!(guard.read() <= 1);
        drop(guard);
        other.join().unwrap();
        assert_eq!(block_on(shared.read()).read(), 1);
    });
}

#[test]
fn a_part_is_downgraded_against_a_writer() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.write()).increment());
        let mut guard = block_on(shared.write());
        guard.increment();
        let written = guard.read();
        let guard = RwLockWriteGuard::downgrade_map(guard, |value| value);
        assert_eq!(guard.read(), written);
        drop(guard);
        other.join().unwrap();
        assert_eq!(block_on(shared.read()).read(), 2);
    });
}

#[test]
fn a_read_that_is_cancelled_passes_on() {
    model(|| {
        let shared = lock();
        let guard = block_on(shared.write());
        let (second, third) = (shared.clone(), shared.clone());
        let second = thread::spawn(move || drop(poll_once(second.read_owned())));
        let third = thread::spawn(move || block_on(third.write()).increment());
        drop(guard);
        second.join().unwrap();
        third.join().unwrap();
        assert!(shared.try_write().is_ok());
    });
}

#[test]
fn a_write_that_is_cancelled_lets_readers_in() {
    model(|| {
        let shared = lock();
        let held = block_on(shared.read());
        let (second, third) = (shared.clone(), shared.clone());
        let second = thread::spawn(move || drop(poll_once(second.write())));
        // It may stand behind the writer, which goes away.
        let third = thread::spawn(move || block_on(third.read()).read());
        third.join().unwrap();
        second.join().unwrap();
        drop(held);
        assert!(shared.try_write().is_ok());
    });
}

#[test]
fn a_write_comes_to_a_waker_that_changes() {
    model(|| {
        let shared = lock();
        let other = shared.clone();
        let other = thread::spawn(move || block_on(other.read()).read());
        with_another_waker(shared.write()).increment();
        assert!(other.join().unwrap() <= 1);
        assert_eq!(shared.try_read().unwrap().read(), 1);
    });
}
