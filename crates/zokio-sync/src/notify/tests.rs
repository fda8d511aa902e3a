//! The right waiters are woken, in the right order, and by the right call.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::testing::{Count, calling, spawn};
use std::task::Waker;
use zokio_base::sync::{Mutex, thread};
use zokio_base::wake_list::WAKE_LIST_LEN;

#[test]
fn a_permit_is_kept_and_does_not_count() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    spawn(notify.notified()).ready();
    let mut waiting = spawn(notify.notified());
    waiting.pending();
    notify.notify_one();
    assert!(waiting.is_woken());
    waiting.ready();
}

#[test]
fn one_wakes_the_first_and_last_the_last() {
    let notify = Notify::new();
    let mut waiting: Vec<_> = (0..3).map(|_| spawn(notify.notified())).collect();
    for future in &mut waiting {
        future.pending();
    }
    notify.notify_last();
    let woken: Vec<_> = waiting.iter().map(|future| future.is_woken()).collect();
    assert_eq!(woken, [false, false, true]);
    notify.notify_one();
    let woken: Vec<_> = waiting.iter().map(|future| future.is_woken()).collect();
    assert_eq!(woken, [true, false, true]);
    waiting[0].ready();
    waiting[1].pending();
    waiting[2].ready();
}

#[test]
fn all_are_woken_and_no_permit_stays() {
    let notify = Notify::new();
    let mut unpolled = spawn(notify.notified());
    let mut waiting: Vec<_> = (0..100).map(|_| spawn(notify.notified())).collect();
    for future in &mut waiting {
        future.pending();
    }
    notify.notify_waiters();
    let mut later = spawn(notify.notified());
    later.pending();
    for future in &mut waiting {
        assert!(future.is_woken());
        future.ready();
    }
    unpolled.ready();
    later.pending();
    assert!(!later.is_woken());
}

#[test]
fn a_stored_permit_survives_a_round() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_waiters();
    spawn(notify.notified()).ready();
    spawn(notify.notified()).pending();
}

#[test]
fn who_saw_a_round_leaves_the_permit_to_others() {
    let notify = Notify::new();
    let mut early = spawn(notify.notified());
    notify.notify_waiters();
    notify.notify_one();
    early.ready();
    spawn(notify.notified()).ready();
    spawn(notify.notified()).pending();
}

#[test]
fn a_notification_that_was_not_seen_is_handed_on_from_its_end() {
    let notify = Notify::new();
    let mut waiting: Vec<_> = (0..3).map(|_| spawn(notify.notified())).collect();
    for future in &mut waiting {
        future.pending();
    }
    notify.notify_last();
    assert!(waiting[2].is_woken());
    waiting.pop();
    assert!(!waiting[0].is_woken() && waiting[1].is_woken());
    waiting.pop();
    assert!(waiting[0].is_woken());
    waiting.pop();
    spawn(notify.notified()).ready();
}

#[test]
fn a_round_that_was_not_seen_is_not_handed_on() {
    let notify = Notify::new();
    let mut waiting = spawn(notify.notified());
    waiting.pending();
    notify.notify_waiters();
    drop(waiting);
    spawn(notify.notified()).pending();
}

#[test]
fn a_dropped_future_leaves_the_queue() {
    let notify = Notify::new();
    let mut first = spawn(notify.notified());
    let mut second = spawn(notify.notified());
    first.pending();
    second.pending();
    drop(first);
    notify.notify_one();
    assert!(second.is_woken());
    drop(second);
    spawn(notify.notified()).ready();
}

#[test]
fn enable_joins_the_queue_without_a_waker() {
    let notify = Arc::new(Notify::new());
    let mut first = spawn(notify.notified());
    let mut second = spawn(notify.clone().notified_owned());
    assert!(!first.get().enable());
    assert!(!second.get().enable());
    assert!(!first.get().enable());
    notify.notify_one();
    assert!(!first.is_woken());
    assert!(first.get().enable());
    first.ready();
    second.pending();
    notify.notify_waiters();
    assert!(second.is_woken());
    assert!(second.get().enable());
    second.ready();
}

#[test]
fn a_waker_may_come_back_to_the_notify() {
    struct Again(Arc<Notify>);
    impl std::task::Wake for Again {
        fn wake(self: Arc<Self>) {
            self.0.notify_waiters();
            self.0.notify_one();
        }
    }
    let notify = Arc::new(Notify::new());
    let waker = Arc::new(Again(notify.clone())).into();
    let mut waiting: Vec<_> = (0..70).map(|_| Box::pin(notify.notified())).collect();
    for future in &mut waiting {
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    notify.notify_waiters();
    for future in &mut waiting {
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_ready());
    }
}

/// Has `first` run while the first batch of many is woken, and the last of them in its hands.
fn between_two_batches(
    first: impl Fn(Pin<Box<OwnedNotified>>) + Send + Sync + 'static,
) -> Arc<Notify> {
    let notify = Arc::new(Notify::new());
    let last = Arc::new(Mutex::new(None));
    let (waker, count) = Count::waker();
    let waker_of_first = {
        let (last, count) = (last.clone(), count.clone());
        calling(move || {
            assert_eq!(count.get(), 0, "the first is woken first");
            let future = { last.lock().take() };
            first(future.expect("it is woken once"));
        })
    };
    let mut waiting: Vec<_> = (0..=2 * WAKE_LIST_LEN)
        .map(|_| Box::pin(notify.clone().notified_owned()))
        .collect();
    for (number, future) in waiting.iter_mut().enumerate() {
        let waker = if number == 0 { &waker_of_first } else { &waker };
        let polled = future.as_mut().poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    }
    *last.lock() = waiting.pop();
    notify.notify_waiters();
    assert_eq!(count.get(), 2 * WAKE_LIST_LEN - 1, "all others are woken");
    for mut future in waiting {
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_ready());
    }
    notify
}

#[test]
fn who_looks_before_it_is_woken_is_notified_already() {
    let notify = between_two_batches(|mut future| {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
    });
    spawn(notify.notified()).pending();
}

#[test]
fn who_goes_before_it_is_woken_is_not_woken() {
    let notify = between_two_batches(drop);
    spawn(notify.notified()).pending();
}

#[test]
fn wakers_are_not_kept() {
    let notify = Notify::new();
    let (waker, count) = Count::waker();
    {
        let mut waiting = std::pin::pin!(notify.notified());
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(Arc::strong_count(&count), 3);
    }
    assert_eq!(Arc::strong_count(&count), 2);
}

#[test]
fn stress_every_notification_reaches_one() {
    let notify = Arc::new(Notify::new());
    let turn = Arc::new(Notify::new());
    let (other, other_turn) = (notify.clone(), turn.clone());
    let thread = thread::spawn(move || {
        for _ in 0..20_000 {
            zokio_task::block_on::block_on(other.notified());
            other_turn.notify_one();
        }
    });
    for _ in 0..20_000 {
        notify.notify_one();
        zokio_task::block_on::block_on(turn.notified());
    }
    thread.join().unwrap();
}
