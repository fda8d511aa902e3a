//! Each pair of operations that can race.

use super::*;
use crate::modeling::{panicking, with_another_waker};
use std::future::poll_fn;
use std::pin::pin;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::block_on;
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
        // The waiter had the round or the one. If it was the round, the one was kept, or it came
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

#[test]
fn the_last_to_come_is_cancelled_and_hands_on() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let mut first = Box::pin(notify.notified());
        first.as_mut().enable();
        let mut last = Box::pin(notify.notified());
        last.as_mut().enable();
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_last());
        drop(last);
        block_on(first);
        other.join().unwrap();
        assert!(!poll_once(&notify));
    });
}

#[test]
fn the_first_and_the_last_are_two() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let mut waiting = [0; 2].map(|_| Box::pin(notify.notified()));
        for waiting in &mut waiting {
            waiting.as_mut().enable();
        }
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_last());
        notify.notify_one();
        other.join().unwrap();
        for mut waiting in waiting {
            assert!(waiting.as_mut().enable());
        }
        assert!(!poll_once(&notify));
    });
}

#[test]
fn two_notifications_that_nobody_waits_for_are_one() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_one());
        notify.notify_one();
        other.join().unwrap();
        assert!(poll_once(&notify));
        assert!(!poll_once(&notify));
    });
}

#[test]
fn a_stored_notification_is_taken_once() {
    model(|| {
        let notify = Arc::new(Notify::new());
        notify.notify_one();
        let other = notify.clone();
        let other = thread::spawn(move || poll_once(&other));
        let here = poll_once(&notify);
        // A waiter that is chosen and dropped in the same breath has had it.
        assert!(here != other.join().unwrap());
    });
}

#[test]
fn enable_and_notify_one() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_one());
        let mut waiting = pin!(notify.notified());
        let was_there = waiting.as_mut().enable();
        if was_there {
            assert!(waiting.as_mut().enable());
        }
        block_on(waiting);
        other.join().unwrap();
        assert!(!poll_once(&notify));
    });
}

#[test]
fn enable_and_notify_waiters() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let mut waiting = pin!(notify.notified());
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_waiters());
        waiting.as_mut().enable();
        // It was made before the round, so it ends.
        with_another_waker(waiting);
        other.join().unwrap();
        assert!(!poll_once(&notify));
    });
}

#[test]
fn chosen_and_dropped_while_all_are_notified() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let mut first = Box::pin(notify.notified());
        first.as_mut().enable();
        let mut second = Box::pin(notify.notified());
        second.as_mut().enable();
        notify.notify_one();
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_waiters());
        // The notification that it hands on goes to the second, if that has not been notified, or is kept.
        drop(first);
        block_on(second);
        other.join().unwrap();
        poll_once(&notify);
        assert!(!poll_once(&notify));
    });
}

#[test]
fn all_are_notified_while_two_are_dropped() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let others = [notify.clone(), notify.clone()].map(|notify| {
            thread::spawn(move || {
                let mut waiting = Box::pin(notify.notified_owned());
                waiting.as_mut().enable();
                drop(waiting);
            })
        });
        notify.notify_waiters();
        for other in others {
            other.join().unwrap();
        }
        assert!(!poll_once(&notify));
    });
}

/// A future that waits with a waker, so that notifying several of them takes several batches.
fn waiting(notify: &Notify) -> Pin<Box<Notified<'_>>> {
    let mut waiting = Box::pin(notify.notified());
    let mut nobody = Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut nobody).is_pending());
    waiting
}

#[test]
fn between_two_batches_one_is_dropped_and_one_polled_again() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let [first, second, third] = [(); 3].map(|()| waiting(&notify));
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_waiters());
        drop(second);
        block_on(third);
        block_on(first);
        other.join().unwrap();
        assert!(!poll_once(&notify));
    });
}

#[test]
fn between_two_batches_one_comes() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let early = [(); 2].map(|()| waiting(&notify));
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_waiters());
        let mut late = Box::pin(notify.notified());
        let is_over = late.as_mut().enable();
        other.join().unwrap();
        for mut early in early {
            assert!(early.as_mut().enable());
        }
        // It was made before the round, or stays for the next one.
        assert!(!is_over || late.as_mut().enable());
        notify.notify_waiters();
        assert!(late.as_mut().enable());
    });
}

#[test]
fn the_batches_of_two_rounds_at_once() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let early = [(); 2].map(|()| waiting(&notify));
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_waiters());
        notify.notify_waiters();
        for early in early {
            block_on(early);
        }
        other.join().unwrap();
        assert!(!poll_once(&notify));
    });
}

#[test]
fn between_two_batches_one_is_notified() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let early = [(); 2].map(|()| waiting(&notify));
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_waiters());
        notify.notify_one();
        other.join().unwrap();
        for mut early in early {
            assert!(early.as_mut().enable());
        }
        // Kept if it came after the round, or given to one of them before it.
        poll_once(&notify);
        assert!(!poll_once(&notify));
    });
}

/// The first batch holds a waker that panics: the second is still woken, while its waiter waits.
#[test]
fn a_waker_that_panics_between_two_batches_loses_no_waiter() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let bad = panicking();
        let mut first = Box::pin(notify.clone().notified_owned());
        let polled = first.as_mut().poll(&mut Context::from_waker(&bad));
        assert!(polled.is_pending());
        let mut second = Box::pin(notify.clone().notified_owned());
        second.as_mut().enable();
        let other = notify.clone();
        let other = thread::spawn(move || other.notify_waiters());
        block_on(second);
        block_on(first);
        other.join().unwrap();
    });
}
