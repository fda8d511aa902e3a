//! Each pair of operations that can race.

use super::*;
use loom::future::block_on;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::{model, thread};

#[test]
fn send_and_changed() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        block_on(receiver.changed()).unwrap();
        assert_eq!(*receiver.borrow(), 1);
        other.join().unwrap();
        assert!(block_on(receiver.changed()).is_err());
    });
}

#[test]
fn drop_sender_and_changed() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || drop(sender));
        assert!(block_on(receiver.changed()).is_err());
        other.join().unwrap();
    });
}

#[test]
fn two_senders_and_wait_for() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let second = sender.clone();
        let others = [
            thread::spawn(move || sender.send_modify(|value| *value += 1)),
            thread::spawn(move || second.send_modify(|value| *value += 1)),
        ];
        assert_eq!(
            *block_on(receiver.wait_for(|value| *value == 2)).unwrap(),
            2
        );
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn send_and_cancel_and_borrow() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        let changed = {
            let mut future = pin!(receiver.changed());
            block_on(poll_fn(|cx| {
                Poll::Ready(future.as_mut().poll(cx).is_ready())
            }))
        };
        let value = *receiver.borrow_and_update();
        assert!(!changed || value == 1);
        other.join().unwrap();
        assert_eq!(*receiver.borrow(), 1);
    });
}

#[test]
fn drop_receiver_and_closed() {
    model(|| {
        let (sender, receiver) = channel(0);
        let second = receiver.clone();
        let others = [
            thread::spawn(move || drop(receiver)),
            thread::spawn(move || drop(second)),
        ];
        block_on(sender.closed());
        assert!(sender.send(1).is_err());
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn two_receivers_and_a_send() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let mut second = receiver.clone();
        let other = thread::spawn(move || {
            block_on(second.changed()).unwrap();
            *second.borrow()
        });
        let third = thread::spawn(move || sender.send(1).unwrap());
        block_on(receiver.changed()).unwrap();
        assert_eq!(other.join().unwrap(), 1);
        third.join().unwrap();
    });
}

#[test]
fn subscribe_and_send() {
    model(|| {
        let sender = Arc::new(Sender::new(0));
        let other = sender.clone();
        let other = thread::spawn(move || other.send_replace(1));
        let receiver = sender.subscribe();
        // What it counts as seen is what it reads, or older.
        let changed = receiver.has_changed().unwrap();
        let value = *receiver.borrow();
        assert!(!changed || value == 1);
        other.join().unwrap();
    });
}
