//! Each pair of operations on the two halves that can race.

use super::*;
use loom::future::block_on;
use std::future::poll_fn;
use zokio_base::sync::{UnsafeCell, model, thread};

/// A value whose every use is an access that is checked.
struct Value(UnsafeCell<u32>);

impl Value {
    fn new() -> Self {
        Self(UnsafeCell::new(7))
    }

    #[allow(unsafe_code)]
    fn check(self) {
        // SAFETY: the value is ours.
        let value = self
            .0
            .with_mut(|value| unsafe { std::mem::replace(&mut *value, 0) });
        assert_eq!(value, 7);
    }
}

#[test]
fn send_and_receive() {
    model(|| {
        let (sender, receiver) = channel();
        let other = thread::spawn(move || assert!(sender.send(Value::new()).is_ok()));
        block_on(receiver).unwrap().check();
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
            if let Err(value) = sender.send(Value::new()) {
                value.check();
            }
        });
        block_on(poll_fn(|cx| {
            if let Poll::Ready(value) = Pin::new(&mut receiver).poll(cx) {
                value.unwrap().check();
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
            assert!(sender.send(Value::new()).is_err());
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
        let other = thread::spawn(move || sender.send(Value::new()));
        receiver.close();
        let received = receiver.try_recv();
        let sent = other.join().unwrap();
        match (received, sent) {
            (Ok(value), Ok(())) | (Err(_), Err(value)) => value.check(),
            (Ok(_), Err(_)) | (Err(_), Ok(())) => panic!("received exactly if it was sent"),
        }
    });
}

#[test]
fn the_receiver_changes_its_waker_while_the_value_comes() {
    model(|| {
        let (sender, mut receiver) = channel();
        let other = thread::spawn(move || assert!(sender.send(Value::new()).is_ok()));
        let early = block_on(poll_fn(|_| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            Poll::Ready(Pin::new(&mut receiver).poll(&mut cx))
        }));
        match early {
            Poll::Ready(value) => value.unwrap().check(),
            Poll::Pending => block_on(receiver).unwrap().check(),
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
