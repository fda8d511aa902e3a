//! Each pair of operations that can race. A block has three slots here, so that a few values meet
//! its end.

use super::error::{TryRecvError, TrySendError};
use super::*;
use crate::modeling::{Ledger, Value, poll_once, with_another_waker};
use std::task::{Context, Waker};
use zokio_base::sync::block_on;
use zokio_base::sync::{Arc, model, thread};

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
        assert_eq!(with_another_waker(receiver.recv()).unwrap().take(), 1);
        other.join().unwrap();
    });
}

// ---- Waits that are given up ----

#[test]
fn a_receive_that_is_cancelled_loses_nothing() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let other = thread::spawn(move || assert!(block_on(sender.send(Value::new(1))).is_ok()));
        let value = match poll_once(receiver.recv()) {
            Some(value) => value,
            None => block_on(receiver.recv()),
        };
        assert_eq!(value.unwrap().take(), 1);
        assert!(block_on(receiver.recv()).is_none());
        other.join().unwrap();
    });
}

#[test]
fn a_receive_of_many_that_is_cancelled_loses_nothing() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let other = thread::spawn(move || {
            for number in 1..=3 {
                assert!(sender.send(Value::new(number)).is_ok());
            }
        });
        let mut buffer = Vec::new();
        let count = poll_once(receiver.recv_many(&mut buffer, 4)).unwrap_or(0);
        assert_eq!(count, buffer.len());
        while block_on(receiver.recv_many(&mut buffer, 4)) > 0 {}
        let values: Vec<_> = buffer.into_iter().map(Value::take).collect();
        assert_eq!(values, [1, 2, 3]);
        other.join().unwrap();
    });
}

#[test]
fn a_send_that_is_cancelled_leaves_its_room_to_the_next() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = channel(1);
        assert!(sender.try_send(ledger.value(1)).is_ok());
        let mut given_up = Box::pin(sender.send(ledger.value(2)));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(given_up.as_mut().poll(&mut nobody).is_pending());
        let other = thread::spawn(move || {
            let first = block_on(receiver.recv()).unwrap().take();
            let second = block_on(receiver.recv()).unwrap().take();
            (first, second)
        });
        // The room may have been given to it already.
        drop(given_up);
        assert!(block_on(sender.send(ledger.value(3))).is_ok());
        assert_eq!(other.join().unwrap(), (1, 3));
        drop(sender);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn a_wait_for_the_close_that_is_cancelled() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>(1);
        let second = sender.clone();
        let other = thread::spawn(move || {
            let _ = poll_once(sender.closed());
        });
        let third = thread::spawn(move || block_on(second.closed()));
        receiver.close();
        assert!(block_on(receiver.recv()).is_none());
        other.join().unwrap();
        third.join().unwrap();
    });
}

// ---- Room ----

#[test]
fn two_sends_wait_for_room() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let second = sender.clone();
        let others = [(sender, 1), (second, 2)].map(|(sender, number)| {
            thread::spawn(move || assert!(block_on(sender.send(Value::new(number))).is_ok()))
        });
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
fn a_send_waits_while_its_waker_changes() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        assert!(sender.try_send(Value::new(1)).is_ok());
        let other =
            thread::spawn(move || assert!(with_another_waker(sender.send(Value::new(2))).is_ok()));
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 2);
        other.join().unwrap();
    });
}

#[test]
fn try_send_and_receive() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = channel(1);
        assert!(sender.try_send(ledger.value(1)).is_ok());
        let value = ledger.value(2);
        let other = thread::spawn(move || match sender.try_send(value) {
            Ok(()) => true,
            Err(TrySendError::Full(value)) => {
                assert_eq!(value.take(), 2);
                false
            }
            Err(TrySendError::Closed(_)) => panic!("nobody closes"),
        });
        let first = receiver.try_recv().unwrap().take();
        assert_eq!(first, 1);
        let second = block_on(receiver.recv());
        assert_eq!(second.is_some(), other.join().unwrap());
        drop(second);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn a_permit_is_dropped_and_a_send_waits_for_it() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let permit = sender.clone().try_reserve_owned().unwrap();
        let other = thread::spawn(move || drop(permit));
        let third = thread::spawn(move || assert!(block_on(sender.send(Value::new(1))).is_ok()));
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        assert!(block_on(receiver.recv()).is_none());
        other.join().unwrap();
        third.join().unwrap();
    });
}

#[test]
fn a_permit_is_released_and_its_sender_is_the_last() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>(1);
        let permit = sender.try_reserve_owned().unwrap();
        let other = thread::spawn(move || drop(permit.release()));
        assert!(block_on(receiver.recv()).is_none());
        other.join().unwrap();
    });
}

#[test]
fn permits_in_number_against_a_receiver() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        assert!(sender.try_send(Value::new(1)).is_ok());
        let other = thread::spawn(move || {
            let mut permits = block_on(sender.reserve_many(2)).unwrap();
            permits.next().unwrap().send(Value::new(2));
            // The other is dropped with the iterator.
        });
        let mut sum = 0;
        while let Some(value) = block_on(receiver.recv()) {
            sum += value.take();
        }
        assert_eq!(sum, 3);
        assert_eq!(receiver.capacity(), 2);
        other.join().unwrap();
    });
}

#[test]
fn a_reservation_that_has_a_part_of_its_room_is_cancelled() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        assert!(sender.try_send(Value::new(1)).is_ok());
        let mut nobody = Context::from_waker(Waker::noop());
        let mut given_up = Box::pin(sender.reserve_many(2));
        assert!(given_up.as_mut().poll(&mut nobody).is_pending());
        let other = thread::spawn(move || {
            let first = block_on(receiver.recv()).unwrap().take();
            let second = block_on(receiver.recv()).unwrap().take();
            (first, second, receiver)
        });
        // It has one permit, and perhaps the other by now.
        drop(given_up);
        assert!(block_on(sender.send(Value::new(2))).is_ok());
        let (first, second, receiver) = other.join().unwrap();
        assert_eq!((first, second, receiver.capacity()), (1, 2, 2));
    });
}

#[test]
fn capacity_is_never_more_than_there_is() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        let second = sender.clone();
        let other = thread::spawn(move || {
            drop(second.try_reserve().unwrap());
            assert!(second.try_send(Value::new(1)).is_ok());
        });
        assert!(sender.capacity() <= 2);
        assert!(receiver.len() <= 1);
        drop(sender);
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        assert!(receiver.is_empty());
        other.join().unwrap();
        assert_eq!(receiver.capacity(), 2);
    });
}

// ---- Close and drop ----

#[test]
fn a_send_that_waits_and_close() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = channel(1);
        assert!(sender.try_send(ledger.value(1)).is_ok());
        let value = ledger.value(1);
        let other = thread::spawn(move || u32::from(block_on(sender.send(value)).is_ok()));
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        receiver.close();
        let mut received = 0;
        while let Some(value) = block_on(receiver.recv()) {
            received += value.take();
        }
        assert_eq!(other.join().unwrap(), received);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn try_send_and_close() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = channel(2);
        let value = ledger.value(1);
        let other = thread::spawn(move || u32::from(sender.try_send(value).is_ok()));
        receiver.close();
        let mut received = 0;
        while let Some(value) = block_on(receiver.recv()) {
            received += value.take();
        }
        assert_eq!(other.join().unwrap(), received);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn close_and_try_recv_until_all_is_over() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let permit = sender.try_reserve_owned().unwrap();
        let other = thread::spawn(move || drop(permit.send(Value::new(1))));
        receiver.close();
        let mut received = 0;
        loop {
            match receiver.try_recv() {
                Ok(value) => received += value.take(),
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        assert_eq!(received, 1);
        other.join().unwrap();
    });
}

/// The weak sender keeps the channel until the threads have met: the last handle's drop relies on
/// `Arc`, which loom does not see into.
#[test]
fn values_are_dropped_once_when_both_halves_go() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel(2);
        let weak = sender.downgrade();
        let values = [ledger.value(1), ledger.value(2)];
        let other = thread::spawn(move || {
            for value in values {
                drop(sender.try_send(value));
            }
        });
        drop(receiver);
        other.join().unwrap();
        drop(weak);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn values_of_two_blocks_are_dropped_once_when_both_halves_go() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = unbounded_channel();
        let weak = sender.downgrade();
        for number in 0..2 {
            assert!(sender.send(ledger.value(number)).is_ok());
        }
        let values = [ledger.value(1), ledger.value(2)];
        let other = thread::spawn(move || {
            for value in values {
                drop(sender.send(value));
            }
        });
        drop(receiver.try_recv());
        drop(receiver);
        other.join().unwrap();
        drop(weak);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn the_last_sender_goes_while_the_receiver_closes() {
    model(|| {
        let (sender, mut receiver) = channel::<Value>(1);
        let other = thread::spawn(move || drop(sender));
        receiver.close();
        assert!(block_on(receiver.recv()).is_none());
        assert!(receiver.is_closed());
        other.join().unwrap();
    });
}

#[test]
fn the_last_sender_goes_while_the_receiver_looks() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let other = thread::spawn(move || {
            assert!(sender.send(Value::new(1)).is_ok());
        });
        let mut received = 0;
        loop {
            match receiver.try_recv() {
                Ok(value) => received += value.take(),
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        assert_eq!(received, 1);
        other.join().unwrap();
    });
}

#[test]
fn the_last_sender_goes_while_many_are_received() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        // The end takes the last slot of the block, or the one before it.
        assert!(sender.send(Value::new(1)).is_ok());
        let second = sender.clone();
        let others = [
            thread::spawn(move || assert!(sender.send(Value::new(2)).is_ok())),
            thread::spawn(move || drop(second)),
        ];
        let mut buffer = Vec::new();
        while block_on(receiver.recv_many(&mut buffer, 4)) > 0 {}
        assert_eq!(buffer.into_iter().map(Value::take).sum::<u32>(), 3);
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn a_send_at_the_end_of_a_block_and_close() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = unbounded_channel();
        for _ in 0..2 {
            assert!(sender.send(ledger.value(1)).is_ok());
        }
        let values = [ledger.value(1), ledger.value(1)];
        let other = thread::spawn(move || {
            let sent = values.map(|value| u32::from(sender.send(value).is_ok()));
            sent.iter().sum::<u32>()
        });
        receiver.close();
        let mut received = 0;
        while let Some(value) = block_on(receiver.recv()) {
            received += value.take();
        }
        assert_eq!(other.join().unwrap() + 2, received);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn closed_and_drop_receiver() {
    model(|| {
        let (sender, receiver) = unbounded_channel::<Value>();
        let other = thread::spawn(move || {
            with_another_waker(sender.closed());
            assert!(sender.is_closed());
            assert!(sender.send(Value::new(1)).is_err());
        });
        drop(receiver);
        other.join().unwrap();
    });
}

#[test]
fn a_reservation_and_drop_receiver() {
    model(|| {
        let (sender, receiver) = channel::<Value>(1);
        let other = thread::spawn(move || {
            if let Ok(permit) = block_on(sender.reserve()) {
                permit.send(Value::new(1));
            }
        });
        drop(receiver);
        other.join().unwrap();
    });
}

// ---- Weak senders ----

#[test]
fn bounded_upgrade_and_drop_the_last_sender() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let weak = sender.downgrade();
        let other = thread::spawn(move || drop(sender));
        let sent = match weak.upgrade() {
            Some(sender) => u32::from(sender.try_send(Value::new(1)).is_ok()),
            None => 0,
        };
        drop(weak);
        let mut received = 0;
        while let Some(value) = block_on(receiver.recv()) {
            received += value.take();
        }
        assert_eq!(sent, received);
        assert_eq!(receiver.sender_strong_count(), 0);
        assert_eq!(receiver.sender_weak_count(), 0);
        other.join().unwrap();
    });
}

#[test]
fn two_upgrades_and_drop_the_last_sender() {
    model(|| {
        let (sender, mut receiver) = channel(2);
        let weak = sender.downgrade();
        let others = [weak.clone(), weak].map(|weak| {
            thread::spawn(move || match weak.upgrade() {
                Some(sender) => u32::from(sender.try_send(Value::new(1)).is_ok()),
                None => 0,
            })
        });
        drop(sender);
        let mut received = 0;
        while let Some(value) = block_on(receiver.recv()) {
            received += value.take();
        }
        let sent = others.map(|other| other.join().unwrap());
        assert_eq!(sent.iter().sum::<u32>(), received);
    });
}

#[test]
fn upgrade_and_drop_receiver() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = unbounded_channel();
        let weak = sender.downgrade();
        let value = ledger.value(1);
        let other = thread::spawn(move || {
            if let Some(sender) = weak.upgrade() {
                drop(sender.send(value));
            }
        });
        drop(receiver);
        drop(sender);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn clone_and_drop_and_receive() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let sender = Arc::new(sender);
        let shared = sender.clone();
        let other = thread::spawn(move || {
            let clone = UnboundedSender::clone(&shared);
            drop(shared);
            assert!(clone.send(Value::new(1)).is_ok());
        });
        drop(sender);
        assert_eq!(block_on(receiver.recv()).unwrap().take(), 1);
        assert!(block_on(receiver.recv()).is_none());
        other.join().unwrap();
    });
}

/// Senders that sleep at the end of a lap: nobody spins in models, so each that meets the end while
/// another hangs in the next block has to be woken by it.
#[test]
fn senders_sleep_at_the_end_of_a_block_until_the_next_is_there() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        for _ in 0..2 {
            assert!(sender.send(Value::new(0)).is_ok());
        }
        let others = [(); 2].map(|()| {
            let sender = sender.clone();
            thread::spawn(move || assert!(sender.send(Value::new(1)).is_ok()))
        });
        assert!(sender.send(Value::new(1)).is_ok());
        for other in others {
            other.join().unwrap();
        }
        drop(sender);
        let mut sum = 0;
        while let Some(value) = block_on(receiver.recv()) {
            sum += value.take();
        }
        assert_eq!(sum, 3);
    });
}

/// `try_recv` sleeps where the first of two senders is still writing and the second may be done.
#[test]
fn try_recv_sleeps_while_the_first_sender_writes() {
    model(|| {
        let (sender, mut receiver) = unbounded_channel();
        let others = [(); 2].map(|()| {
            let sender = sender.clone();
            thread::spawn(move || assert!(sender.send(Value::new(1)).is_ok()))
        });
        let mut sum = receiver.try_recv().map_or(0, Value::take);
        for other in others {
            other.join().unwrap();
        }
        drop(sender);
        while let Ok(value) = receiver.try_recv() {
            sum += value.take();
        }
        assert_eq!(sum, 2);
    });
}
