//! Each pair of operations that can race. A block has three slots here, so that a few values meet
//! its end.

use super::error::TryRecvError;
use super::*;
use loom::future::block_on;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::{UnsafeCell, model, thread};

/// A value whose every use is an access that is checked.
struct Value(UnsafeCell<u32>);

impl Value {
    fn new(number: u32) -> Self {
        Self(UnsafeCell::new(number))
    }

    #[allow(unsafe_code)]
    fn take(self) -> u32 {
        // SAFETY: the value is ours.
        self.0
            .with_mut(|value| unsafe { std::mem::replace(&mut *value, 99) })
    }
}

/// Polls once and drops: a wait that is cancelled.
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
        let (sender, mut receiver) = unbounded_channel();
        let other = thread::spawn(move || {
            assert!(sender.send(Value::new(1)).is_ok());
            assert!(sender.send(Value::new(2)).is_ok());
        });
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 2);
        assert!(block_on(receiver.recv()).is_none());
        other.join().unwrap();
    });
}

#[test]
fn two_senders_and_the_end_of_a_block() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        for _ in 0..2 {
            assert!(sender.send(Value::new(0)).is_ok());
        }
        let second = sender.clone();
        let others = [
            thread::spawn(move || assert!(sender.send(Value::new(1)).is_ok())),
            thread::spawn(move || assert!(second.send(Value::new(2)).is_ok())),
        ];
        let mut sum = 0;
        while let Some(value) = block_on(receiver.recv()) {
            sum += value.take();
        }
        assert_eq!(sum, 3);
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn a_block_is_used_again_while_another_is_filled() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        for _ in 0..3 {
            assert!(sender.send(Value::new(1)).is_ok());
        }
        let other = thread::spawn(move || {
            for _ in 0..4 {
                assert!(sender.send(Value::new(1)).is_ok());
            }
        });
        let mut sum = 0;
        while let Some(value) = block_on(receiver.recv()) {
            sum += value.take();
        }
        assert_eq!(sum, 7);
        other.join().unwrap();
    });
}

#[test]
fn drop_two_senders_and_receive() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel::<Value>();
        let second = sender.clone();
        let others = [
            thread::spawn(move || drop(sender)),
            thread::spawn(move || drop(second)),
        ];
        assert!(block_on(receiver.recv()).is_none());
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn unbounded_send_and_close() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let other = thread::spawn(move || u32::from(sender.send(Value::new(1)).is_ok()));
        receiver.close();
        let mut received = 0;
        while let Some(value) = block_on(receiver.recv()) {
            received += value.take();
        }
        assert_eq!(other.join().unwrap(), received);
    });
}

#[test]
fn unbounded_send_and_drop_receiver() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let other = thread::spawn(move || {
            let _ = sender.send(Value::new(1));
            let _ = sender.send(Value::new(2));
        });
        let _ = poll_once(receiver.recv());
        drop(receiver);
        other.join().unwrap();
    });
}

#[test]
fn try_recv_finds_what_was_sent_before() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let second = sender.clone();
        let other = thread::spawn(move || assert!(second.send(Value::new(1)).is_ok()));
        assert!(sender.send(Value::new(2)).is_ok());
        // Ours is in the channel, whatever the other sender is doing.
        let mut sum = receiver.try_recv().unwrap().take();
        other.join().unwrap();
        sum += receiver.try_recv().unwrap().take();
        assert_eq!(sum, 3);
        assert_eq!(receiver.try_recv().err(), Some(TryRecvError::Empty));
    });
}

#[test]
fn bounded_send_waits_for_room() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let other = thread::spawn(move || {
            for number in 1..=2 {
                assert!(block_on(sender.send(Value::new(number))).is_ok());
            }
        });
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 2);
        other.join().unwrap();
    });
}

#[test]
fn bounded_send_and_drop_receiver() {
    model(|| {
        let (sender, receiver) = channel(1);
        assert!(sender.try_send(Value::new(1)).is_ok());
        let other = thread::spawn(move || assert!(block_on(sender.send(Value::new(2))).is_err()));
        drop(receiver);
        other.join().unwrap();
    });
}

#[test]
fn a_closed_receiver_and_permits_that_come_back() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>(2);
        let first = sender.clone().try_reserve_owned().unwrap();
        let second = sender.try_reserve_owned().unwrap();
        receiver.close();
        let others = [
            thread::spawn(move || drop(first)),
            thread::spawn(move || drop(second.send(Value::new(1)))),
        ];
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        assert!(block_on(receiver.recv()).is_none());
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn close_and_reserve_that_is_cancelled() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>(1);
        let keep = sender.clone();
        let other = thread::spawn(move || {
            let _ = poll_once(sender.reserve());
        });
        receiver.close();
        assert!(block_on(receiver.recv()).is_none());
        other.join().unwrap();
        drop(keep);
    });
}

#[test]
fn closed_and_close() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>(1);
        let other = thread::spawn(move || block_on(sender.closed()));
        receiver.close();
        other.join().unwrap();
    });
}

#[test]
fn upgrade_and_drop_the_last_sender() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let weak = sender.downgrade();
        let other = thread::spawn(move || drop(sender));
        let sent = match weak.upgrade() {
            Some(sender) => u32::from(sender.send(Value::new(1)).is_ok()),
            None => 0,
        };
        let mut received = 0;
        while let Some(value) = block_on(receiver.recv()) {
            received += value.take();
        }
        assert_eq!(sent, received);
        other.join().unwrap();
    });
}

#[test]
fn recv_many_and_send() {
    model(|| {
        let (sender, mut receiver) = channel(4);
        let other = thread::spawn(move || {
            for number in 1..=2 {
                assert!(sender.try_send(Value::new(number)).is_ok());
            }
        });
        let mut buffer = Vec::new();
        while block_on(receiver.recv_many(&mut buffer, 2)) > 0 {}
        let values: Vec<_> = buffer.into_iter().map(Value::take).collect();
        assert_eq!(values, [1, 2]);
        other.join().unwrap();
    });
}

#[test]
fn the_receiver_changes_its_waker_while_a_value_comes() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let other = thread::spawn(move || assert!(sender.send(Value::new(1)).is_ok()));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let value = match receiver.poll_recv(&mut cx) {
            Poll::Ready(value) => value,
            Poll::Pending => block_on(receiver.recv()),
        };
        assert_eq!(value.unwrap().take(), 1);
        other.join().unwrap();
    });
}
