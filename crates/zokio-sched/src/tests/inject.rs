//! The inbox' fairness between the two kinds. Against a naive model: `fuzz.rs`.

use super::*;
use std::collections::VecDeque;

impl Fifo for VecDeque<usize> {
    type Item = usize;
    fn push_back(&mut self, item: usize) {
        VecDeque::push_back(self, item);
    }
    fn pop_front(&mut self) -> Option<usize> {
        VecDeque::pop_front(self)
    }
    fn append(&mut self, other: &mut Self) {
        VecDeque::append(self, other);
    }
    fn len(&self) -> usize {
        VecDeque::len(self)
    }
}

type Small = Inbox<VecDeque<usize>>;

#[test]
fn both_kinds_are_served_in_turn() {
    let inbox = Small::new();
    for number in 0..100 {
        inbox.push_overflow(number).unwrap();
    }
    inbox.push_remote(1_000).unwrap();
    let mut seen = Vec::new();
    inbox.refill(2, |item| seen.push(item));
    assert_eq!(seen, [0, 1_000]);
}

#[test]
fn a_ring_that_stays_full_keeps_nobody_out() {
    let inbox = Small::new();
    inbox.push_remote(1).unwrap();
    assert_eq!(inbox.admit_remote(0, 5, |_| panic!("there is no room")), 0);
    // From here on the worker pushes behind it, so its ring runs empty.
    assert_eq!((inbox.overflow_len(), inbox.remote_len()), (1, 0));
}

#[test]
fn remote_items_join_behind_the_overflow() {
    let inbox = Small::new();
    inbox.push_remote(7).unwrap();
    inbox.push_overflow(1).unwrap();
    assert_eq!(inbox.admit_remote(5, 5, |_| panic!("there is overflow")), 0);
    inbox.push_overflow(2).unwrap();
    let mut seen = Vec::new();
    inbox.refill(9, |item| seen.push(item));
    assert_eq!(seen, [1, 7, 2]);
}
