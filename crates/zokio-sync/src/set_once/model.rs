//! Each pair of operations that can race.

use super::*;
use crate::modeling::{Ledger, poll_once, with_another_waker};
use zokio_base::sync::block_on;
use zokio_base::sync::{Arc, model, thread};

#[test]
fn set_and_wait() {
    model(|| {
        let cell = Arc::new(SetOnce::new());
        let other = cell.clone();
        let other = thread::spawn(move || other.set(Box::new(1)).unwrap());
        assert_eq!(**block_on(cell.wait()), 1);
        other.join().unwrap();
    });
}

#[test]
fn set_and_set() {
    model(|| {
        let cell = Arc::new(SetOnce::new());
        let other = cell.clone();
        let other = thread::spawn(move || match other.set(1) {
            Ok(()) => true,
            // The setter that fails finds the other's value.
            Err(_) => {
                assert_eq!(other.get(), Some(&2));
                false
            }
        });
        let here = cell.set(2).is_ok();
        assert!(other.join().unwrap() != here);
    });
}

#[test]
fn values_are_seen_whole_and_dropped_once() {
    model(|| {
        let ledger = Ledger::default();
        let cell = Arc::new(SetOnce::new());
        let others = [(cell.clone(), 1), (cell.clone(), 2)].map(|(cell, number)| {
            let value = ledger.value(number);
            thread::spawn(move || cell.set(value).is_ok())
        });
        let early = cell.get().map(|value| value.look());
        let seen = block_on(cell.wait()).look();
        assert!(early.is_none() || early == Some(seen));
        let [first, second] = others.map(|other| other.join().unwrap());
        assert!(first != second);
        assert_eq!(seen, if first { 1 } else { 2 });
        drop(cell);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn two_wait_and_one_is_cancelled() {
    model(|| {
        let cell = Arc::new(SetOnce::new());
        let (second, third) = (cell.clone(), cell.clone());
        let second = thread::spawn(move || poll_once(second.wait()).is_some());
        let third = thread::spawn(move || third.set(1).unwrap());
        assert_eq!(*with_another_waker(cell.wait()), 1);
        second.join().unwrap();
        third.join().unwrap();
    });
}
