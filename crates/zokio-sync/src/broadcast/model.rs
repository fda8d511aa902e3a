//! Each pair of operations that can race.

use super::*;
use crate::modeling::{Ledger, Value, poll_once, with_another_waker};
use std::pin::pin;
use zokio_base::sync::block_on;
use zokio_base::sync::{model, thread};

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

/// Everything that is still to come, and how much was lost.
fn drain(receiver: &mut Receiver<Value>) -> (Vec<u32>, u64) {
    let (mut seen, mut lost) = (Vec::new(), 0);
    loop {
        match block_on(receiver.recv()) {
            Ok(value) => seen.push(value.take()),
            Err(RecvError::Lagged(missed)) => lost += missed,
            Err(RecvError::Closed) => return (seen, lost),
        }
    }
}

#[test]
fn two_senders_are_seen_in_one_order() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = channel(2);
        let mut second = sender.subscribe();
        let others = [(sender.clone(), 1), (sender, 2)].map(|(sender, number)| {
            let value = ledger.value(number);
            thread::spawn(move || assert!(sender.send(value).is_ok()))
        });
        let (here, _) = drain(&mut receiver);
        let (there, _) = drain(&mut second);
        assert_eq!(here.len(), 2);
        assert_eq!(here, there);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(ledger.alive(), 0);
    });
}

/// RUSTSEC-2025-0023: clones of one value never overlap.
#[test]
fn two_receivers_clone_one_value_that_is_not_sync() {
    /// Cloning it is an exclusive use.
    struct Fragile(zokio_base::sync::UnsafeCell<u32>);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            self.0.with_mut(|_| ());
            Self(zokio_base::sync::UnsafeCell::new(1))
        }
    }
    model(|| {
        let (sender, mut receiver) = channel(1);
        let mut second = sender.subscribe();
        assert!(
            sender
                .send(Fragile(zokio_base::sync::UnsafeCell::new(1)))
                .is_ok()
        );
        let other = thread::spawn(move || assert!(block_on(second.recv()).is_ok()));
        assert!(block_on(receiver.recv()).is_ok());
        other.join().unwrap();
    });
}

#[test]
fn a_value_is_read_while_it_is_overwritten() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = channel(1);
        let mut second = sender.subscribe();
        assert!(sender.send(ledger.value(1)).is_ok());
        let value = ledger.value(2);
        let other = thread::spawn(move || assert!(sender.send(value).is_ok()));
        let third = thread::spawn(move || drain(&mut second));
        for (seen, lost) in [drain(&mut receiver), third.join().unwrap()] {
            assert_eq!(seen.len() as u64 + lost, 2);
            assert_eq!(seen.last(), Some(&2));
        }
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn try_recv_and_send() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let other = thread::spawn(move || assert!(sender.send(Value::new(1)).is_ok()));
        let mut seen = 0;
        loop {
            match receiver.try_recv() {
                Ok(value) => seen += value.take(),
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Lagged(_)) => panic!("nothing was overwritten"),
                Err(TryRecvError::Closed) => break,
            }
        }
        assert_eq!(seen, 1);
        other.join().unwrap();
    });
}

#[test]
fn subscribe_and_send() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = channel(2);
        let second = sender.clone();
        let value = ledger.value(1);
        let other = thread::spawn(move || assert!(second.send(value).is_ok()));
        let mut late = sender.subscribe();
        let before = sender.len();
        assert!(before <= 1);
        drop(sender);
        assert_eq!(drain(&mut receiver).0, [1]);
        let (seen, lost) = drain(&mut late);
        assert!(seen.len() <= 1 && lost == 0);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn resubscribe_and_send() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel(2);
        let value = ledger.value(1);
        let other = thread::spawn(move || assert!(sender.send(value).is_ok()));
        let mut late = receiver.resubscribe();
        drop(receiver);
        assert!(drain(&mut late).0.len() <= 1);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn the_last_receiver_goes_while_a_value_is_sent() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel(2);
        let value = ledger.value(1);
        let other = thread::spawn(move || {
            drop(sender.send(value));
            block_on(sender.closed());
            assert_eq!(sender.receiver_count(), 0);
        });
        drop(receiver);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn a_receiver_goes_while_its_values_are_overwritten() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel(1);
        assert!(sender.send(ledger.value(1)).is_ok());
        let value = ledger.value(2);
        let other = thread::spawn(move || drop(receiver));
        let mut second = sender.subscribe();
        assert!(sender.send(value).is_ok());
        drop(sender);
        assert_eq!(drain(&mut second).0, [2]);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn one_receiver_goes_and_another_takes_the_last_value() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel(2);
        let mut second = sender.subscribe();
        for number in 1..=2 {
            assert!(sender.send(ledger.value(number)).is_ok());
        }
        drop(sender);
        let other = thread::spawn(move || drop(receiver));
        assert_eq!(drain(&mut second).0, [1, 2]);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn a_value_and_the_end_come_to_a_waker_that_changes() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let other = thread::spawn(move || assert!(sender.send(Value::new(1)).is_ok()));
        assert_eq!(with_another_waker(receiver.recv()).unwrap().take(), 1);
        assert!(with_another_waker(receiver.recv()).is_err());
        other.join().unwrap();
    });
}

#[test]
fn a_receiver_waits_again_while_it_is_woken() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let mut second = sender.subscribe();
        let other = thread::spawn(move || {
            assert!(sender.send(Value::new(1)).is_ok());
        });
        {
            // It waits, is perhaps woken, and is polled again or dropped in the middle of that.
            let mut waiting = pin!(second.recv());
            let mut nobody = Context::from_waker(std::task::Waker::noop());
            for _ in 0..2 {
                if waiting.as_mut().poll(&mut nobody).is_ready() {
                    break;
                }
            }
        }
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        assert!(block_on(receiver.recv()).is_err());
        other.join().unwrap();
    });
}

#[test]
fn a_receive_is_cancelled_while_the_senders_go() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>(1);
        let mut second = sender.subscribe();
        let others = [
            thread::spawn(move || drop(sender)),
            thread::spawn(move || drop(poll_once(second.recv()))),
        ];
        assert!(block_on(receiver.recv()).is_err());
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn subscribe_and_drop_the_last_receiver() {
    model(|| {
        let (sender, receiver) = channel::<Value>(1);
        let other = thread::spawn(move || drop(receiver));
        let late = sender.subscribe();
        // It is there, so this does not end, or the last one went before it came.
        let _ = poll_once(sender.closed());
        drop(late);
        block_on(sender.closed());
        other.join().unwrap();
        assert!(sender.send(Value::new(1)).is_err());
    });
}

#[test]
fn the_last_sender_goes_while_another_receiver_comes() {
    model(|| {
        let (sender, receiver) = channel::<Value>(1);
        let other = thread::spawn(move || drop(sender));
        let mut late = receiver.resubscribe();
        assert!(block_on(late.recv()).is_err());
        assert!(late.is_closed());
        other.join().unwrap();
    });
}

#[test]
fn between_two_batches_one_is_dropped_and_one_polled_again() {
    model(|| {
        let (sender, mut first) = channel(1);
        let (mut second, mut third) = (sender.subscribe(), sender.subscribe());
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        let mut waiting = [&mut first, &mut second, &mut third].map(|receiver| {
            let mut waiting = Box::pin(receiver.recv());
            assert!(waiting.as_mut().poll(&mut nobody).is_pending());
            Some(waiting)
        });
        let other = thread::spawn(move || assert!(sender.send(Value::new(1)).is_ok()));
        drop(waiting[1].take());
        for waiting in waiting.into_iter().flatten() {
            assert_eq!(block_on(waiting).unwrap().take(), 1);
        }
        // It was woken, or not, and has lost nothing.
        assert_eq!(block_on(second.recv()).unwrap().take(), 1);
        other.join().unwrap();
    });
}

#[test]
fn the_batches_of_two_sends_at_once() {
    model(|| {
        let (sender, mut first) = channel(2);
        let mut second = sender.subscribe();
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        let waiting = [&mut first, &mut second].map(|receiver| {
            let mut waiting = Box::pin(receiver.recv());
            assert!(waiting.as_mut().poll(&mut nobody).is_pending());
            waiting
        });
        let clone = sender.clone();
        let other = thread::spawn(move || assert!(clone.send(Value::new(1)).is_ok()));
        assert!(sender.send(Value::new(1)).is_ok());
        for waiting in waiting {
            assert_eq!(block_on(waiting).unwrap().take(), 1);
        }
        other.join().unwrap();
    });
}
