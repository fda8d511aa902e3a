//! Arrivals against one another.

use super::*;
use crate::modeling::{poll_once, with_another_waker};
use zokio_base::sync::block_on;
use zokio_base::sync::{Arc, model, thread};

#[test]
fn two_meet_twice() {
    model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let other = thread::spawn(move || {
            let first = block_on(other.wait()).is_leader();
            (first, block_on(other.wait()).is_leader())
        });
        let first = block_on(barrier.wait()).is_leader();
        let second = block_on(barrier.wait()).is_leader();
        let (other_first, other_second) = other.join().unwrap();
        assert!(first != other_first && second != other_second);
    });
}

#[test]
fn three_meet() {
    model(|| {
        let barrier = Arc::new(Barrier::new(3));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let barrier = barrier.clone();
                thread::spawn(move || usize::from(block_on(barrier.wait()).is_leader()))
            })
            .collect();
        let mut leaders = usize::from(block_on(barrier.wait()).is_leader());
        for other in others {
            leaders += other.join().unwrap();
        }
        assert_eq!(leaders, 1);
    });
}

/// A waiter that gives up has arrived all the same.
#[test]
fn a_wait_that_is_cancelled_has_arrived() {
    model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let other = thread::spawn(move || poll_once(other.wait()).map(|result| result.is_leader()));
        let leads = block_on(barrier.wait()).is_leader();
        match other.join().unwrap() {
            // It gave up, or was let through by the one that came last.
            None | Some(false) => assert!(leads),
            Some(true) => assert!(!leads),
        }
    });
}

#[test]
fn a_cancelled_wait_among_three() {
    model(|| {
        let barrier = Arc::new(Barrier::new(3));
        let (second, third) = (barrier.clone(), barrier.clone());
        let second = thread::spawn(move || drop(poll_once(second.wait())));
        let third = thread::spawn(move || drop(block_on(third.wait())));
        with_another_waker(barrier.wait());
        second.join().unwrap();
        third.join().unwrap();
    });
}
