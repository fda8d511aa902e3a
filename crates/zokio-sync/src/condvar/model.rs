//! Each pair of operations that can race.

use super::*;
use crate::Mutex;
use loom::future::block_on;
use std::future::poll_fn;
use zokio_base::sync::{Arc, model, thread};

fn shared() -> Arc<(Mutex<u32>, Condvar)> {
    Arc::new((Mutex::new(0), Condvar::new()))
}

#[test]
fn wait_and_notify_one() {
    model(|| {
        let here = shared();
        let other = here.clone();
        let other = thread::spawn(move || {
            *block_on(other.0.lock()) = 1;
            other.1.notify_one();
        });
        block_on(async {
            let guard = here.0.lock().await;
            let guard = here.1.wait_while(guard, |value| *value == 0).await;
            assert_eq!(*guard, 1);
        });
        other.join().unwrap();
    });
}

#[test]
fn two_wait_and_one_notifies_all() {
    model(|| {
        let here = shared();
        let guard = block_on(here.0.lock());
        let mut mine = pin!(here.1.wait_while(guard, |value| *value == 0));
        block_on(poll_fn(|cx| {
            assert!(mine.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        let other = here.clone();
        let other = thread::spawn(move || {
            block_on(async {
                let guard = other.0.lock().await;
                drop(other.1.wait_while(guard, |value| *value == 0).await);
            });
        });
        *block_on(here.0.lock()) = 1;
        here.1.notify_all();
        drop(block_on(mine));
        other.join().unwrap();
    });
}

#[test]
fn cancel_and_notify_one() {
    model(|| {
        let here = shared();
        let guard = block_on(here.0.lock());
        let mut first = Box::pin(here.1.wait(guard));
        block_on(poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        let guard = block_on(here.0.lock());
        let mut second = pin!(here.1.wait_while(guard, |value| *value == 0));
        block_on(poll_fn(|cx| {
            assert!(second.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        let other = here.clone();
        let other = thread::spawn(move || {
            *block_on(other.0.lock()) = 1;
            other.1.notify_one();
        });
        // Whichever of them was chosen: the one that stays is woken in the end.
        drop(first);
        drop(block_on(second));
        other.join().unwrap();
    });
}

#[test]
fn a_cancelled_wait_hands_on_to_one_that_just_begins() {
    model(|| {
        let here = shared();
        let guard = block_on(here.0.lock());
        let mut first = Box::pin(here.1.wait(guard));
        block_on(poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        let other = here.clone();
        let other = thread::spawn(move || {
            block_on(async {
                let guard = other.0.lock().await;
                drop(other.1.wait_while(guard, |value| *value == 0).await);
            });
        });
        *block_on(here.0.lock()) = 1;
        here.1.notify_one();
        drop(first);
        other.join().unwrap();
    });
}
