//! The inbox against a naive model, and its fairness between the two kinds.

use super::*;
use proptest::prelude::*;
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

#[derive(Debug, Clone)]
enum Op {
    Remote,
    Overflow,
    Append(usize),
    Refill(usize),
    Admit(usize),
    Close,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => Just(Op::Remote),
        8 => Just(Op::Overflow),
        2 => (0_usize..5).prop_map(Op::Append),
        4 => (0_usize..6).prop_map(Op::Refill),
        2 => (0_usize..6).prop_map(Op::Admit),
        1 => Just(Op::Close),
    ];
    prop::collection::vec(op, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loses_and_doubles_nothing(ops in ops()) {
        let inbox = Small::new();
        let (mut next, mut inside, mut closed) = (0, 0, false);
        let mut seen = Vec::new();
        for op in ops {
            next += 1;
            match op {
                Op::Remote => {
                    prop_assert_eq!(inbox.push_remote(next).is_err(), closed);
                    inside += usize::from(!closed);
                }
                Op::Overflow => {
                    prop_assert_eq!(inbox.push_overflow(next).is_err(), closed);
                    inside += usize::from(!closed);
                }
                Op::Append(count) => {
                    let mut items: VecDeque<_> = (next..next + count).collect();
                    next += count;
                    inbox.append_overflow(&mut items);
                    prop_assert_eq!(items.len(), if closed { count } else { 0 });
                    inside += if closed { 0 } else { count };
                }
                Op::Refill(max) => {
                    let taken = inbox.refill(max, |item| seen.push(item));
                    prop_assert_eq!(taken, max.min(inside));
                    inside -= taken;
                }
                Op::Admit(room) => {
                    let overflow = inbox.overflow_len();
                    let taken = inbox.admit_remote(room, 4, |item| seen.push(item));
                    prop_assert!(taken <= room.min(4) && (taken == 0 || overflow == 0));
                    prop_assert!(inbox.remote_len() == 0 || taken == 4);
                    inside -= taken;
                }
                Op::Close => {
                    let left = inbox.close();
                    prop_assert_eq!(left.len(), inside);
                    seen.extend(left);
                    (inside, closed) = (0, true);
                }
            }
            prop_assert_eq!(inbox.len(), inside);
        }
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        prop_assert_eq!(distinct.len(), seen.len());
    }
}

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
