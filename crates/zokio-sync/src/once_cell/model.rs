//! Each pair of operations that can race.

use super::*;
use crate::modeling::{Ledger, poll_once, with_another_waker};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::block_on;
use zokio_base::sync::{Arc, model, thread};

#[test]
fn two_fill() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let other = cell.clone();
        let other = thread::spawn(move || **block_on(other.get_or_init(|| async { Box::new(1) })));
        let here = **block_on(cell.get_or_init(|| async { Box::new(2) }));
        assert_eq!(other.join().unwrap(), here);
    });
}

#[test]
fn set_and_set_and_get() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let (second, third) = (cell.clone(), cell.clone());
        let second = thread::spawn(move || second.set(Box::new(1)).is_ok());
        let third = thread::spawn(move || third.get().map(|value| **value));
        let here = cell.set(Box::new(2)).is_ok();
        assert!(second.join().unwrap() != here);
        if let Some(seen) = third.join().unwrap() {
            assert_eq!(Some(seen), cell.get().map(|value| **value));
        }
    });
}

#[test]
fn fill_and_cancel() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let other = cell.clone();
        let other = thread::spawn(move || {
            let mut future = pin!(other.get_or_init(std::future::pending::<u32>));
            block_on(poll_fn(|cx| {
                let _ = future.as_mut().poll(cx);
                Poll::Ready(())
            }));
        });
        assert_eq!(*block_on(cell.get_or_init(|| async { 2 })), 2);
        other.join().unwrap();
    });
}

#[test]
fn values_are_seen_whole_and_dropped_once() {
    model(|| {
        let ledger = Ledger::default();
        let cell = Arc::new(OnceCell::new());
        let (second, third) = (cell.clone(), cell.clone());
        let values = [ledger.value(1), ledger.value(2)];
        let [first, other] = values;
        let second = thread::spawn(move || {
            let _ = second.set(first);
            second.get().map_or(0, |value| value.look())
        });
        let third = thread::spawn(move || third.get().map_or(0, |value| value.look()));
        let here = block_on(cell.get_or_init(|| async { other })).look();
        let there = second.join().unwrap();
        assert!(there == here || there == 0);
        let seen = third.join().unwrap();
        assert!(seen == here || seen == 0);
        drop(cell);
        assert_eq!(ledger.alive(), 0);
    });
}

#[test]
fn one_fails_and_the_other_fills() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let other = cell.clone();
        let other =
            thread::spawn(move || block_on(other.get_or_try_init(|| async { Err(()) })).is_ok());
        assert_eq!(*block_on(cell.get_or_init(|| async { 2 })), 2);
        // It failed, or found what was there.
        let _ = other.join().unwrap();
        assert_eq!(cell.get(), Some(&2));
    });
}

#[test]
fn two_wait_for_one_that_gives_up() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let mut first = Box::pin(cell.get_or_init(std::future::pending::<u32>));
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(first.as_mut().poll(&mut nobody).is_pending());
        assert!(matches!(cell.set(9), Err(SetError::InitializingError(9))));
        let others = [(cell.clone(), 1), (cell.clone(), 2)].map(|(cell, number)| {
            thread::spawn(move || *block_on(cell.get_or_init(|| async move { number })))
        });
        drop(first);
        let [second, third] = others.map(|other| other.join().unwrap());
        assert_eq!(second, third);
    });
}

#[test]
fn a_wait_is_cancelled_while_the_cell_is_filled() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let (second, third) = (cell.clone(), cell.clone());
        let second = thread::spawn(move || {
            let _ = poll_once(second.get_or_init(|| async { 1 }));
        });
        let third = thread::spawn(move || third.set(3).is_ok());
        let value = *with_another_waker(cell.get_or_init(|| async { 2 }));
        second.join().unwrap();
        assert!(!third.join().unwrap() || value == 3);
    });
}
