//! Each pair of operations that can race.

use super::*;
use crate::modeling::{Ledger, poll_once, with_another_waker};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::block_on;
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
        // The version that counts as seen is the one it reads, or an older one.
        let changed = receiver.has_changed().unwrap();
        let value = *receiver.borrow();
        assert!(!changed || value == 1);
        other.join().unwrap();
    });
}

#[test]
fn the_value_is_read_while_two_write_it() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel(ledger.value(0));
        let second = sender.clone();
        let value = ledger.value(10);
        let others = [
            thread::spawn(move || sender.send_modify(|value| value.add(1))),
            thread::spawn(move || drop(second.send_replace(value))),
        ];
        assert!([0, 1, 10, 11].contains(&receiver.borrow().look()));
        for other in others {
            other.join().unwrap();
        }
        assert!([10, 11].contains(&receiver.borrow().look()));
        drop(receiver);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn versions_only_grow() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send(2).unwrap();
        });
        let first = *receiver.borrow_and_update();
        let second = *receiver.borrow_and_update();
        assert!(first <= second);
        while block_on(receiver.changed()).is_ok() {}
        assert_eq!(*receiver.borrow(), 2);
        other.join().unwrap();
    });
}

#[test]
fn the_last_value_and_the_end() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        assert_eq!(
            *block_on(receiver.wait_for(|value| *value == 1)).unwrap(),
            1
        );
        assert!(block_on(receiver.changed()).is_err());
        assert!(receiver.has_changed().is_err());
        other.join().unwrap();
    });
}

#[test]
fn wait_for_what_never_comes_and_drop_sender() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        assert!(block_on(receiver.wait_for(|value| *value == 2)).is_err());
        other.join().unwrap();
    });
}

#[test]
fn a_wait_for_a_value_is_cancelled() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        let found = poll_once(receiver.wait_for(|value| *value == 1)).is_some();
        if !found {
            drop(block_on(receiver.wait_for(|value| *value == 1)).unwrap());
        }
        other.join().unwrap();
    });
}

#[test]
fn a_change_comes_to_a_waker_that_changes() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        with_another_waker(receiver.changed()).unwrap();
        assert_eq!(*receiver.borrow(), 1);
        other.join().unwrap();
    });
}

#[test]
fn a_change_that_is_none_wakes_nobody() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || {
            assert!(!sender.send_if_modified(|_| false));
            sender
        });
        assert!(poll_once(receiver.changed()).is_none());
        drop(other.join().unwrap());
        assert!(block_on(receiver.changed()).is_err());
    });
}

#[test]
fn mark_unchanged_and_send() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || {
            sender.send(1).unwrap();
            sender
        });
        receiver.mark_unchanged();
        let marked = !receiver.has_changed().unwrap();
        let sender = other.join().unwrap();
        // Whichever came first: what was not there when it was marked is a change.
        if marked && receiver.has_changed().unwrap() {
            block_on(receiver.changed()).unwrap();
        }
        receiver.mark_changed();
        block_on(receiver.changed()).unwrap();
        drop(sender);
    });
}

#[test]
fn send_and_drop_receiver() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, receiver) = channel(ledger.value(0));
        let other = thread::spawn(move || drop(receiver));
        let sent = sender.send(ledger.value(1));
        let refused = sent.is_err();
        drop(sent);
        other.join().unwrap();
        assert_eq!(sender.borrow().look(), u32::from(!refused));
        assert!(sender.is_closed());
        drop(sender);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn both_halves_go() {
    model(|| {
        let ledger = Ledger::default();
        let (sender, mut receiver) = channel(ledger.value(0));
        let other = thread::spawn(move || drop(sender));
        let _ = poll_once(receiver.changed());
        drop(receiver);
        other.join().unwrap();
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn closed_is_cancelled_while_the_receiver_goes() {
    model(|| {
        let (sender, receiver) = channel(0);
        let second = sender.clone();
        let other = thread::spawn(move || drop(receiver));
        let third = thread::spawn(move || poll_once(second.closed()).is_some());
        with_another_waker(sender.closed());
        other.join().unwrap();
        third.join().unwrap();
    });
}

#[test]
fn a_receiver_comes_while_the_last_one_goes() {
    model(|| {
        let (sender, receiver) = channel(0);
        let other = thread::spawn(move || drop(receiver));
        let late = sender.subscribe();
        let _ = poll_once(sender.closed());
        assert!(!sender.is_closed());
        drop(late);
        block_on(sender.closed());
        other.join().unwrap();
    });
}

#[test]
fn a_receiver_is_cloned_while_a_value_comes() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        let mut clone = receiver.clone();
        block_on(clone.changed()).unwrap();
        block_on(receiver.changed()).unwrap();
        assert_eq!(*clone.borrow(), 1);
        other.join().unwrap();
    });
}

#[test]
fn a_sender_is_cloned_while_another_goes() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let second = sender.clone();
        let other = thread::spawn(move || drop(sender));
        let third = second.clone();
        drop(second);
        third.send(1).unwrap();
        assert_eq!(third.sender_count().min(1), 1);
        drop(third);
        block_on(receiver.changed()).unwrap();
        assert!(block_on(receiver.changed()).is_err());
        other.join().unwrap();
    });
}

#[test]
fn one_of_two_waits_is_cancelled() {
    model(|| {
        let (sender, mut receiver) = channel(0);
        let mut second = receiver.clone();
        let others = [
            thread::spawn(move || sender.send(1).unwrap()),
            thread::spawn(move || drop(poll_once(second.changed()))),
        ];
        block_on(receiver.changed()).unwrap();
        for other in others {
            other.join().unwrap();
        }
    });
}

/// The lock's recursion: a borrow inside of a borrow, whatever a sender is about to do.
#[test]
fn a_second_borrow_while_a_value_is_sent() {
    model(|| {
        let (sender, receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        {
            let first = receiver.borrow();
            let second = receiver.borrow();
            assert_eq!(*first, *second);
        }
        other.join().unwrap();
        assert_eq!(*receiver.borrow(), 1);
    });
}

/// Two channels that two threads borrow from in opposite order, while both have a sender.
#[test]
fn two_channels_are_borrowed_crosswise() {
    model(|| {
        let (first, of_first) = channel(0);
        let (second, of_second) = channel(0);
        let (also_first, also_second) = (of_first.clone(), of_second.clone());
        let others = [
            thread::spawn(move || {
                let outer = also_second.borrow();
                *also_first.borrow() + *outer
            }),
            thread::spawn(move || {
                first.send(1).unwrap();
                0
            }),
        ];
        let sum = {
            let outer = of_first.borrow();
            let inner = of_second.borrow();
            *outer + *inner
        };
        assert!(sum <= 1);
        drop(second);
        for other in others {
            assert!(other.join().unwrap() <= 1);
        }
    });
}

/// Two senders and a reader that waits for both: whoever leaves lets the right one in.
#[test]
fn two_senders_and_a_borrow_wait_for_each_other() {
    model(|| {
        let (sender, receiver) = channel(0);
        let second = sender.clone();
        let others = [
            thread::spawn(move || sender.send_modify(|value| *value += 1)),
            thread::spawn(move || second.send_modify(|value| *value += 1)),
        ];
        assert!(*receiver.borrow() <= 2);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(*receiver.borrow(), 2);
    });
}
