//! Versions, endings, and what a panic leaves behind.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::testing::spawn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use zokio_base::sync::thread;

#[test]
fn only_the_last_value_is_kept() {
    let (sender, mut receiver) = channel(0);
    spawn(receiver.changed()).pending();
    for value in 1..=3 {
        sender.send(value).unwrap();
    }
    spawn(receiver.changed()).ready().unwrap();
    assert_eq!(*receiver.borrow(), 3);
    spawn(receiver.changed()).pending();
}

#[test]
fn a_change_wakes_every_receiver_once() {
    let (sender, receiver) = channel(0);
    let mut receivers: Vec<_> = (0..50).map(|_| receiver.clone()).collect();
    let mut waiting: Vec<_> = receivers.iter_mut().map(|r| spawn(r.changed())).collect();
    for future in &mut waiting {
        future.pending();
    }
    sender.send(1).unwrap();
    for future in &mut waiting {
        assert!(future.is_woken());
        future.ready().unwrap();
    }
}

#[test]
fn the_last_value_is_seen_before_the_end() {
    let (sender, mut receiver) = channel(0);
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    drop(other);
    assert!(receiver.is_closed());
    assert!(receiver.has_changed().is_err());
    spawn(receiver.changed()).ready().unwrap();
    spawn(receiver.changed()).ready().unwrap_err();
}

#[test]
fn the_end_wakes_receivers_and_senders() {
    let (sender, mut receiver) = channel(0);
    let mut waiting = spawn(receiver.changed());
    waiting.pending();
    drop(sender);
    assert!(waiting.is_woken());
    waiting.ready().unwrap_err();

    let (sender, receiver) = channel(0);
    let mut closed = spawn(sender.closed());
    closed.pending();
    let second = receiver.clone();
    drop(receiver);
    assert!(!closed.is_woken());
    drop(second);
    assert!(closed.is_woken());
    closed.ready();
    assert!(sender.send(1).is_err());
    assert_eq!(*sender.borrow(), 0);
    assert_eq!(*sender.subscribe().borrow(), 0);
}

#[test]
fn wait_for_looks_at_the_present_value_first() {
    let (sender, mut receiver) = channel(1);
    assert_eq!(*spawn(receiver.wait_for(|v| *v == 1)).ready().unwrap(), 1);
    {
        let mut waiting = spawn(receiver.wait_for(|value| *value > 3));
        waiting.pending();
        sender.send(3).unwrap();
        assert!(waiting.is_woken());
        waiting.pending();
        sender.send(4).unwrap();
        let value = waiting.ready().unwrap();
        assert!(value.has_changed());
        assert_eq!(*value, 4);
    }
    drop(sender);
    assert!(
        spawn(receiver.wait_for(|value| *value > 4))
            .ready()
            .is_err()
    );
    assert!(
        spawn(receiver.wait_for(|value| *value == 4))
            .ready()
            .is_ok()
    );
}

#[test]
fn marks_can_be_set_by_hand() {
    let (sender, mut receiver) = channel(0);
    receiver.mark_changed();
    receiver.mark_changed();
    assert!(receiver.has_changed().unwrap());
    assert!(receiver.borrow().has_changed());
    spawn(receiver.changed()).ready().unwrap();
    sender.send(1).unwrap();
    receiver.mark_unchanged();
    assert!(!receiver.has_changed().unwrap());
    assert!(!sender.borrow().has_changed());
}

#[test]
fn a_panic_in_a_closure_leaves_the_channel_usable() {
    let (sender, mut receiver) = channel(0);
    let sent = catch_unwind(AssertUnwindSafe(|| {
        sender.send_modify(|value| {
            *value = 9;
            panic!("a closure that panics");
        });
    }));
    assert!(sent.is_err());
    assert!(!receiver.has_changed().unwrap());
    let waited = catch_unwind(AssertUnwindSafe(|| {
        drop(spawn(receiver.wait_for(|_| panic!("so does this"))).ready());
    }));
    assert!(waited.is_err());
    sender.send(1).unwrap();
    assert_eq!(*receiver.borrow(), 1);
}

#[test]
fn several_may_read_at_once() {
    let (_sender, receiver) = channel(0);
    let (first, second) = (receiver.borrow(), receiver.borrow());
    assert_eq!(*first, *second);
}

#[test]
fn stress_the_last_value_always_arrives() {
    let (sender, receiver) = channel(0_u32);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let mut receiver = receiver.clone();
            thread::spawn(move || {
                let mut last = 0;
                while zokio_task::block_on::block_on(receiver.changed()).is_ok() {
                    let value = *receiver.borrow_and_update();
                    assert!(value >= last);
                    last = value;
                }
                last
            })
        })
        .collect();
    for value in 1..=20_000 {
        sender.send(value).unwrap();
    }
    drop(sender);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 20_000);
    }
}
