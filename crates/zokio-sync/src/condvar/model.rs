//! Each pair of operations that can race.

use super::*;
use crate::Mutex;
use std::future::poll_fn;
use zokio_base::sync::block_on;
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

/// Polled once, so that it waits.
fn begin<F: Future>(mut future: Pin<&mut F>) {
    let mut nobody = Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut nobody).is_pending());
}

#[test]
fn chosen_and_cancelled_while_it_waits_for_the_lock() {
    model(|| {
        let here = shared();
        let mut first = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(first.as_mut());
        let mut second = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(second.as_mut());
        let guard = block_on(here.0.lock());
        here.1.notify_one();
        // It was chosen, and stands in the queue for the lock.
        begin(first.as_mut());
        let other = here.clone();
        let other = thread::spawn(move || drop(block_on(other.0.lock())));
        drop(guard);
        drop(first);
        drop(block_on(second));
        other.join().unwrap();
        assert!(here.0.try_lock().is_ok());
    });
}

#[test]
fn notify_one_and_notify_all() {
    model(|| {
        let here = shared();
        let mut first = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(first.as_mut());
        let mut second = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(second.as_mut());
        let other = here.clone();
        let other = thread::spawn(move || other.1.notify_all());
        here.1.notify_one();
        drop(block_on(first));
        drop(block_on(second));
        other.join().unwrap();
        // Neither of them is kept.
        let mut late = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(late.as_mut());
    });
}

#[test]
fn cancel_and_notify_all() {
    model(|| {
        let here = shared();
        let mut first = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(first.as_mut());
        let mut second = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(second.as_mut());
        let other = here.clone();
        let other = thread::spawn(move || other.1.notify_all());
        drop(first);
        drop(block_on(second));
        other.join().unwrap();
        assert!(here.0.try_lock().is_ok());
    });
}

#[test]
fn two_notifications_reach_two() {
    model(|| {
        let here = shared();
        let mut first = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(first.as_mut());
        let mut second = Box::pin(here.1.wait(block_on(here.0.lock())));
        begin(second.as_mut());
        let other = here.clone();
        let other = thread::spawn(move || other.1.notify_one());
        here.1.notify_one();
        drop(block_on(second));
        drop(block_on(first));
        other.join().unwrap();
    });
}
