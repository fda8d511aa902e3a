//! The channel by hand, and what once went wrong in channels like it.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::testing::{Count, spawn};
use zokio_base::sync::Arc;
use zokio_base::sync::thread;

/// Counts how many values are alive.
struct Alive(Arc<()>);

#[test]
fn a_value_wakes_the_receiver_once() {
    let (sender, receiver) = channel();
    let mut receiver = spawn(receiver);
    receiver.pending();
    receiver.pending();
    assert!(!receiver.is_woken());
    sender.send(1).unwrap();
    assert!(receiver.is_woken());
    assert_eq!(receiver.ready(), Ok(1));
    assert!(!receiver.is_woken());
}

#[test]
fn a_dropped_sender_wakes_the_receiver() {
    let (sender, receiver) = channel::<u32>();
    let mut receiver = spawn(receiver);
    receiver.pending();
    drop(sender);
    assert!(receiver.is_woken());
    assert_eq!(receiver.ready(), Err(RecvError(())));
}

#[test]
fn closing_and_dropping_wake_the_sender() {
    for close in [true, false] {
        let (mut sender, mut receiver) = channel::<u32>();
        {
            let mut closed = spawn(sender.closed());
            closed.pending();
            if close {
                receiver.close();
            } else {
                drop(receiver);
            }
            assert!(closed.is_woken());
            closed.ready();
        }
        assert!(sender.is_closed());
        assert_eq!(sender.send(1), Err(1));
    }
}

#[test]
fn only_the_last_waker_is_woken() {
    let (sender, mut receiver) = channel();
    let (first, first_count) = Count::waker();
    let (second, second_count) = Count::waker();
    for waker in [&first, &second] {
        let mut cx = Context::from_waker(waker);
        assert!(Pin::new(&mut receiver).poll(&mut cx).is_pending());
    }
    assert_eq!(Arc::strong_count(&first_count), 2);
    sender.send(1).unwrap();
    assert_eq!((first_count.get(), second_count.get()), (0, 1));
    assert_eq!(receiver.try_recv(), Ok(1));
    // The channel's memory, with the waker in it, is gone.
    assert_eq!(Arc::strong_count(&second_count), 2);
}

#[test]
fn a_value_sent_before_the_close_is_received() {
    let (sender, mut receiver) = channel();
    sender.send(1).unwrap();
    receiver.close();
    assert!(!receiver.is_empty());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert!(receiver.is_terminated());
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_value_that_nobody_receives_is_dropped_with_the_receiver() {
    let alive = Arc::new(());
    let (sender, receiver) = channel();
    assert!(sender.send(Alive(alive.clone())).is_ok());
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(receiver);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
#[should_panic(expected = "called after complete")]
fn a_receiver_is_not_polled_after_its_end() {
    let (sender, receiver) = channel();
    sender.send(1).unwrap();
    let mut receiver = spawn(receiver);
    assert_eq!(receiver.ready(), Ok(1));
    let _ = receiver.poll();
}

#[test]
fn a_unit_of_the_budget_is_taken() {
    let (sender, receiver) = channel::<()>();
    let mut receiver = spawn(receiver);
    drop(sender);
    coop::with_budget(coop::Budget::initial(), || {
        let before = zokio_task::context::budget();
        receiver.ready().unwrap_err();
        assert_ne!(zokio_task::context::budget(), before);
    });
}

/// RUSTSEC-2021-0124: a send that met a close wrote the value while the receiver read it.
#[test]
fn regression_send_and_receive_after_close_do_not_race() {
    for _ in 0..2_000 {
        let (sender, mut receiver) = channel();
        let other = thread::spawn(move || sender.send(Box::new(7)));
        receiver.close();
        let received = receiver.try_recv();
        let sent = other.join().unwrap();
        match received {
            Ok(value) => assert!(sent.is_ok() && *value == 7),
            // The send may have come before the close, and only its end after the look.
            Err(_) => drop(sent),
        }
    }
}

/// RUSTSEC-2026-0005: a receiver that was dropped while its value was on the way looked at its waker
/// after the sender had freed the memory. Nor may the sender be left with freed memory.
#[test]
fn regression_a_cancelled_receiver_leaves_the_sender_its_memory() {
    let alive = Arc::new(());
    for _ in 0..2_000 {
        let (sender, receiver) = channel();
        let mut receiver = spawn(receiver);
        receiver.pending();
        let value = Alive(alive.clone());
        let other = thread::spawn(move || {
            if let Err(Alive(back)) = sender.send(value) {
                drop(back);
            }
        });
        drop(receiver);
        other.join().unwrap();
    }
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// A waker is a handle to a task: it must not live as long as a sender that never sends.
#[test]
fn regression_a_receiver_that_goes_or_closes_releases_its_waker() {
    for close in [true, false] {
        let (sender, mut receiver) = channel::<u32>();
        let (waker, count) = Count::waker();
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut receiver).poll(&mut cx).is_pending());
        assert_eq!(Arc::strong_count(&count), 3);
        if close {
            receiver.close();
        } else {
            drop(receiver);
        }
        assert_eq!(Arc::strong_count(&count), 2);
        assert_eq!(sender.send(1), Err(1));
        assert_eq!(count.get(), 0);
    }
}

/// Dropping the waker may drop the sender, which then is the last to use the channel.
#[test]
fn regression_the_receivers_waker_holds_the_sender() {
    /// A waker that owns the other half.
    struct Holds(#[allow(dead_code)] std::sync::Mutex<Sender<u32>>);
    impl std::task::Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }
    for close in [true, false] {
        let (sender, mut receiver) = channel::<u32>();
        let holds = Arc::new(Holds(std::sync::Mutex::new(sender)));
        let weak = Arc::downgrade(&holds);
        let waker = holds.into();
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut receiver).poll(&mut cx).is_pending());
        drop(waker);
        assert!(weak.upgrade().is_some());
        if close {
            receiver.close();
            assert!(matches!(receiver.try_recv(), Err(TryRecvError::Closed)));
        }
        drop(receiver);
        assert!(weak.upgrade().is_none(), "the channel keeps itself");
    }
}

#[test]
fn blocking_works_outside_and_panics_inside() {
    let (sender, receiver) = channel();
    let other = thread::spawn(move || sender.send(1));
    assert_eq!(receiver.blocking_recv(), Ok(1));
    other.join().unwrap().unwrap();

    let (_sender, receiver) = channel::<()>();
    let result = thread::spawn(move || {
        let _inside = zokio_task::context::enter_runtime(false);
        let _ = receiver.blocking_recv();
    })
    .join();
    let payload = result.unwrap_err();
    let text = payload.downcast_ref::<&str>().unwrap();
    assert!(text.starts_with("Cannot block the current thread from within a runtime."));
}
