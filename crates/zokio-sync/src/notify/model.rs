//! Each pair of operations that can race.

use super::*;
use loom::future::block_on;
use std::future::poll_fn;
use std::pin::pin;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{UnsafeCell, model, thread};

/// Polls once and drops: a wait that is cancelled. True if it was notified.
fn poll_once(notify: &Notify) -> bool {
    let mut future = pin!(notify.notified());
    block_on(poll_fn(|cx| {
        Poll::Ready(future.as_mut().poll(cx).is_ready())
    }))
}

#[test]
#[allow(unsafe_code)]
fn one_notifies_and_orders_memory() {
    model(|| {
        let shared = Arc::new((Notify::new(), UnsafeCell::new(0)));
        let other = shared.clone();
        let other = thread::spawn(move || {
            // SAFETY: the other thread reads after it was notified.
            other.1.with_mut(|value| unsafe { *value = 1 });
            other.0.notify_one();
        });
        block_on(shared.0.notified());
        // SAFETY: we were notified after the write.
        assert_eq!(shared.1.with(|value| unsafe { *value }), 1);
        other.join().unwrap();
    });
}

#[test]
fn two_wait_and_two_notify() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let others: Vec<_> = (0..2)
            .map(|_| {
                let notify = notify.clone();
                thread::spawn(move || {
                    block_on(notify.notified());
                    notify.notify_one();
                })
            })
            .collect();
        notify.notify_one();
        block_on(notify.notified());
        notify.notify_one();
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn a_cancelled_wait_hands_on() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let (second, third) = (notify.clone(), notify.clone());
        let cancelled = thread::spawn(move || {
            if poll_once(&second) {
                second.notify_one();
            }
        });
        let notifier = thread::spawn(move || third.notify_one());
        block_on(notify.notified());
        cancelled.join().unwrap();
        notifier.join().unwrap();
    });
}

#[test]
fn all_are_notified_that_came_before() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let made = Arc::new(AtomicUsize::new(0));
        let (other, seen) = (notify.clone(), made.clone());
        let other = thread::spawn(move || {
            let waiting = other.notified();
            seen.store(1, Ordering::Release);
            block_on(waiting);
        });
        let waiting = notify.notified();
        while made.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        notify.notify_waiters();
        block_on(waiting);
        other.join().unwrap();
    });
}

#[test]
fn notify_waiters_and_cancel() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let other = notify.clone();
        let other = thread::spawn(move || {
            poll_once(&other);
        });
        let mut waiting = Box::pin(notify.notified());
        waiting.as_mut().enable();
        notify.notify_waiters();
        drop(waiting);
        other.join().unwrap();
        assert!(!poll_once(&notify));
    });
}

#[test]
fn notify_waiters_and_notify_one() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let other = notify.clone();
        let mut early = Box::pin(notify.notified());
        early.as_mut().enable();
        let thread = thread::spawn(move || other.notify_waiters());
        notify.notify_one();
        block_on(early);
        thread.join().unwrap();
        // Who waited had the round or the one. If it was the round, the one was kept, or it came
        // first and was taken: then nothing is left.
        poll_once(&notify);
        assert!(!poll_once(&notify));
    });
}

#[test]
fn two_rounds_at_once() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let mut early = Box::pin(notify.notified());
        early.as_mut().enable();
        let other = notify.clone();
        let thread = thread::spawn(move || other.notify_waiters());
        let mut late = Box::pin(notify.notified());
        late.as_mut().enable();
        notify.notify_waiters();
        block_on(early);
        block_on(late);
        thread.join().unwrap();
    });
}

#[test]
fn the_waker_changes_while_the_notification_comes() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let other = notify.clone();
        let thread = thread::spawn(move || other.notify_one());
        let mut waiting = pin!(notify.notified());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        if waiting.as_mut().poll(&mut cx).is_pending() {
            block_on(waiting);
        }
        thread.join().unwrap();
    });
}
