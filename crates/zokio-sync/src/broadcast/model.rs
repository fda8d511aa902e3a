//! Each pair of operations that can race.

use super::*;
use loom::future::block_on;
use std::future::poll_fn;
use std::pin::pin;
use zokio_base::sync::{model, thread};

fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    block_on(poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    }))
}

#[test]
fn send_and_receive() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        let other = thread::spawn(move || {
            sender.send(Box::new(1)).unwrap();
            sender.send(Box::new(2)).unwrap();
        });
        assert_eq!(*block_on(receiver.recv()).unwrap(), 1);
        assert_eq!(*block_on(receiver.recv()).unwrap(), 2);
        assert_eq!(block_on(receiver.recv()), Err(RecvError::Closed));
        other.join().unwrap();
    });
}

#[test]
fn two_receivers_share_a_value() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        let mut second = sender.subscribe();
        sender.send(Box::new(1)).unwrap();
        let other = thread::spawn(move || *block_on(second.recv()).unwrap());
        assert_eq!(*block_on(receiver.recv()).unwrap(), 1);
        assert_eq!(other.join().unwrap(), 1);
        assert!(sender.is_empty());
    });
}

#[test]
fn send_and_a_receiver_that_lags() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let other = thread::spawn(move || {
            sender.send(Box::new(1)).unwrap();
            sender.send(Box::new(2)).unwrap();
        });
        let mut seen = 0;
        loop {
            match block_on(receiver.recv()) {
                Ok(_) => seen += 1,
                Err(RecvError::Lagged(missed)) => seen += missed,
                Err(RecvError::Closed) => break,
            }
        }
        assert_eq!(seen, 2);
        other.join().unwrap();
    });
}

#[test]
fn send_and_cancel() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        let other = thread::spawn(move || sender.send(1).unwrap());
        let early = poll_once(receiver.recv());
        let value = match early {
            Some(value) => value.unwrap(),
            None => block_on(receiver.recv()).unwrap(),
        };
        assert_eq!(value, 1);
        other.join().unwrap();
    });
}

#[test]
fn send_and_drop_receiver() {
    model(|| {
        let (sender, receiver) = channel(2);
        let mut second = sender.subscribe();
        let other = thread::spawn(move || drop(receiver));
        sender.send(Box::new(1)).unwrap();
        assert_eq!(*block_on(second.recv()).unwrap(), 1);
        other.join().unwrap();
        assert!(sender.is_empty());
    });
}

#[test]
fn drop_two_senders_and_receive() {
    model(|| {
        let (sender, mut receiver) = channel::<u32>(2);
        let second = sender.clone();
        let others = [
            thread::spawn(move || drop(sender)),
            thread::spawn(move || drop(second)),
        ];
        assert_eq!(block_on(receiver.recv()), Err(RecvError::Closed));
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn closed_and_drop_receiver_and_subscribe() {
    model(|| {
        let (sender, receiver) = channel::<u32>(2);
        let second = sender.clone();
        let other = thread::spawn(move || block_on(second.closed()));
        drop(receiver);
        other.join().unwrap();
        assert_eq!(sender.subscribe().len(), 0);
    });
}

#[test]
fn two_receivers_wait_and_one_is_cancelled() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        let mut second = sender.subscribe();
        let other = thread::spawn(move || {
            let _ = poll_once(second.recv());
        });
        let third = thread::spawn(move || sender.send(1).unwrap());
        assert_eq!(block_on(receiver.recv()), Ok(1));
        other.join().unwrap();
        third.join().unwrap();
    });
}

#[test]
fn upgrade_and_drop_the_last_sender() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        let weak = sender.downgrade();
        let other = thread::spawn(move || drop(sender));
        let sent = match weak.upgrade() {
            Some(sender) => sender.send(1).is_ok(),
            None => false,
        };
        assert_eq!(block_on(receiver.recv()).is_ok(), sent);
        other.join().unwrap();
    });
}
