//! Each pair of operations on the two halves that can race.

use super::*;
use crate::modeling::{Ledger, Value, poll_once, with_another_waker};
use std::future::poll_fn;
use zokio_base::sync::block_on;
use zokio_base::sync::{model, thread};

fn value() -> Value {
    Value::new(7)
}

fn check(value: Value) {
    assert_eq!(value.take(), 7);
}

#[test]
fn send_and_receive() {
    model(|| {
        let (sender, receiver) = channel();
        let other = thread::spawn(move || assert!(sender.send(value()).is_ok()));
        check(block_on(receiver).unwrap());
        other.join().unwrap();
    });
}

#[test]
fn drop_sender_and_receive() {
    model(|| {
        let (sender, receiver) = channel::<Value>();
        let other = thread::spawn(move || drop(sender));
        assert!(block_on(receiver).is_err());
        other.join().unwrap();
    });
}

#[test]
fn send_and_drop_receiver_that_was_polled() {
    model(|| {
        let (sender, mut receiver) = channel();
        let other = thread::spawn(move || {
            if let Err(value) = sender.send(value()) {
                check(value);
            }
        });
        block_on(poll_fn(|cx| {
            if let Poll::Ready(value) = Pin::new(&mut receiver).poll(cx) {
                check(value.unwrap());
            }
            Poll::Ready(())
        }));
        drop(receiver);
        other.join().unwrap();
    });
}

#[test]
fn drop_sender_and_drop_receiver_that_both_wait() {
    model(|| {
        let (mut sender, mut receiver) = channel::<Value>();
        let other = thread::spawn(move || {
            block_on(poll_fn(|cx| {
                let _ = sender.poll_closed(cx);
                Poll::Ready(())
            }));
            drop(sender);
        });
        block_on(poll_fn(|cx| {
            let _ = Pin::new(&mut receiver).poll(cx);
            Poll::Ready(())
        }));
        drop(receiver);
        other.join().unwrap();
    });
}

#[test]
fn closed_and_close() {
    model(|| {
        let (mut sender, mut receiver) = channel::<Value>();
        let other = thread::spawn(move || {
            block_on(sender.closed());
            assert!(sender.send(value()).is_err());
        });
        receiver.close();
        assert!(receiver.try_recv().is_err());
        other.join().unwrap();
    });
}

#[test]
fn closed_and_drop_receiver() {
    model(|| {
        let (mut sender, receiver) = channel::<Value>();
        let other = thread::spawn(move || block_on(sender.closed()));
        drop(receiver);
        other.join().unwrap();
    });
}

#[test]
fn send_and_close_and_try_recv() {
    model(|| {
        let (sender, mut receiver) = channel();
        let other = thread::spawn(move || sender.send(value()));
        receiver.close();
        let received = receiver.try_recv();
        let sent = other.join().unwrap();
        match (received, sent) {
            (Ok(value), Ok(())) | (Err(_), Err(value)) => check(value),
            (Ok(_), Err(_)) | (Err(_), Ok(())) => panic!("received exactly if it was sent"),
        }
    });
}

#[test]
fn the_receiver_changes_its_waker_while_the_value_comes() {
    model(|| {
        let (sender, mut receiver) = channel();
        let other = thread::spawn(move || assert!(sender.send(value()).is_ok()));
        let early = block_on(poll_fn(|_| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            Poll::Ready(Pin::new(&mut receiver).poll(&mut cx))
        }));
        match early {
            Poll::Ready(value) => check(value.unwrap()),
            Poll::Pending => check(block_on(receiver).unwrap()),
        }
        other.join().unwrap();
    });
}

#[test]
fn the_sender_changes_its_waker_while_the_receiver_goes() {
    model(|| {
        let (mut sender, receiver) = channel::<Value>();
        let other = thread::spawn(move || drop(receiver));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let _ = sender.poll_closed(&mut cx);
        block_on(sender.closed());
        other.join().unwrap();
    });
}

#[test]
fn send_and_drop_receiver_that_was_not_polled() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel();
        let value = ledger.value(7);
        let other = thread::spawn(move || {
            if let Err(value) = sender.send(value) {
                check(value);
            }
        });
        drop(receiver);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

/// RUSTSEC-2026-0005: the receiver looked at its waker after the sender had freed the memory.
#[test]
fn a_receive_is_cancelled_while_the_value_comes() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel();
        let value = ledger.value(7);
        let other = thread::spawn(move || sender.send(value).is_ok());
        if let Some(value) = poll_once(receiver) {
            check(value.unwrap());
        }
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn a_receive_is_cancelled_while_the_sender_goes() {
    model(|| {
        let (sender, receiver) = channel::<Value>();
        let other = thread::spawn(move || drop(sender));
        assert!(!matches!(poll_once(receiver), Some(Ok(_))));
        other.join().unwrap();
    });
}

/// RUSTSEC-2021-0124, where the receiver is awaited after the close.
#[test]
fn send_and_close_and_receive() {
    model(|| {
        let (sender, mut receiver) = channel();
        let other = thread::spawn(move || sender.send(value()));
        receiver.close();
        let received = block_on(receiver);
        match (received, other.join().unwrap()) {
            (Ok(value), Ok(())) | (Err(_), Err(value)) => check(value),
            (Ok(_), Err(_)) | (Err(_), Ok(())) => panic!("received exactly if it was sent"),
        }
    });
}

#[test]
fn send_and_close_of_a_receiver_that_waits() {
    model(|| {
        let (sender, mut receiver) = channel();
        let other = thread::spawn(move || sender.send(value()));
        let early = poll_once(&mut receiver);
        if let Some(received) = early {
            check(received.unwrap());
            assert!(other.join().unwrap().is_ok());
            return;
        }
        receiver.close();
        let received = block_on(receiver);
        match (received, other.join().unwrap()) {
            (Ok(value), Ok(())) | (Err(_), Err(value)) => check(value),
            (Ok(_), Err(_)) | (Err(_), Ok(())) => panic!("received exactly if it was sent"),
        }
    });
}

#[test]
fn drop_sender_and_close_of_a_receiver_that_waits() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>();
        let other = thread::spawn(move || drop(sender));
        assert!(!matches!(poll_once(&mut receiver), Some(Ok(_))));
        receiver.close();
        assert!(receiver.try_recv().is_err());
        drop(receiver);
        other.join().unwrap();
    });
}

#[test]
fn send_and_try_recv() {
    model(|| {
        let (sender, mut receiver) = channel();
        let other = thread::spawn(move || assert!(sender.send(value()).is_ok()));
        let was_empty = receiver.is_empty();
        match receiver.try_recv() {
            Ok(value) => check(value),
            Err(error) => {
                assert_eq!(error, TryRecvError::Empty);
                assert!(was_empty);
                check(block_on(receiver).unwrap());
            }
        }
        other.join().unwrap();
    });
}

#[test]
fn drop_sender_and_try_recv() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>();
        let other = thread::spawn(move || drop(sender));
        while receiver.try_recv().err() == Some(TryRecvError::Empty) {
            thread::yield_now();
        }
        other.join().unwrap();
    });
}

#[test]
fn drop_sender_and_a_receiver_that_changes_its_waker() {
    model(|| {
        let (sender, receiver) = channel::<Value>();
        let other = thread::spawn(move || drop(sender));
        assert!(with_another_waker(receiver).is_err());
        other.join().unwrap();
    });
}

#[test]
fn a_wait_for_the_close_is_cancelled_and_the_value_sent() {
    model(|| {
        let (mut sender, receiver) = channel();
        let other = thread::spawn(move || {
            let _ = poll_once(sender.closed());
            sender.send(value()).is_ok()
        });
        check(block_on(receiver).unwrap());
        assert!(other.join().unwrap());
    });
}

#[test]
fn a_sender_that_waited_sends_while_the_receiver_goes() {
    model(|| {
        let ledger = Ledger::default();
        let (mut sender, mut receiver) = channel();
        let value = ledger.value(7);
        let other = thread::spawn(move || {
            let _ = poll_once(sender.closed());
            if let Err(value) = sender.send(value) {
                check(value);
            }
        });
        let early = poll_once(&mut receiver);
        drop(early);
        drop(receiver);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn a_sender_that_waited_goes_while_the_receiver_closes() {
    model(|| {
        let (mut sender, mut receiver) = channel::<Value>();
        let other = thread::spawn(move || {
            let _ = poll_once(sender.closed());
        });
        receiver.close();
        assert!(block_on(receiver).is_err());
        other.join().unwrap();
    });
}
