//! Readers and writers against one another. The queue itself is modelled with the semaphore.
#![allow(unsafe_code)]

use super::*;
use loom::future::block_on;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
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
