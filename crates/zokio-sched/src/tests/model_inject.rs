//! Models of the inbox: pushers, the worker that refills, and the one that closes. Also the ring
//! and the inbox together: what does not fit the ring comes back from the overflow.

use super::*;
use crate::local_queue::{RING_LEN, ring};
use std::collections::VecDeque;
use std::ptr::NonNull;
use zokio_base::sync::{Arc, model, thread};

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
fn two_pushers_and_a_refill() {
    model(|| {
        let inbox = Arc::new(Small::new());
        let pushers: Vec<_> = (0..2)
            .map(|id| {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    inbox.push_remote(10 * id).unwrap();
                    inbox.push_remote(10 * id + 1).unwrap();
                })
            })
            .collect();
        let mut got = Vec::new();
        inbox.refill(3, |item| got.push(item));
        for pusher in pushers {
            pusher.join().unwrap();
        }
        inbox.refill(4, |item| got.push(item));
        for id in 0..2 {
            let of_one: Vec<_> = got.iter().filter(|item| *item / 10 == id).collect();
            assert_eq!(of_one, [&(10 * id), &(10 * id + 1)]);
        }
        assert_eq!(inbox.len(), 0);
    });
}

#[test]
fn close_gives_back_all_that_got_in() {
    model(|| {
        let inbox = Arc::new(Small::new());
        let pusher = {
            let inbox = inbox.clone();
            thread::spawn(move || {
                usize::from(inbox.push_remote(1).is_ok())
                    + usize::from(inbox.push_remote(2).is_ok())
            })
        };
        let mut taken = inbox.refill(1, |_| ());
        taken += inbox.close().len();
        assert_eq!(pusher.join().unwrap(), taken);
        assert_eq!(inbox.len(), 0);
        assert!(inbox.push_remote(3).is_err());
    });
}

#[test]
fn overflow_comes_back_in_order_under_a_thief() {
    model(|| {
        let (owner, stealer) = ring::<u8>();
        let inbox = Arc::new(Small::new());
        let item = |number: usize| NonNull::new(std::ptr::without_provenance_mut(number)).unwrap();
        let push = |number: usize| {
            let full = inbox.overflow_len() > 0 || owner.push(item(number)).is_err();
            if full {
                inbox.push_overflow(number).unwrap();
            }
        };
        (1..=RING_LEN).for_each(push);
        let thief = {
            let inbox = inbox.clone();
            thread::spawn(move || {
                let (own, _) = ring::<u8>();
                stealer.steal_into(&own);
                let mut got = Vec::new();
                while let Some(item) = own.pop() {
                    got.push(item.addr().get());
                }
                inbox.refill(1, |number| got.push(number));
                got
            })
        };
        (RING_LEN + 1..=RING_LEN + 3).for_each(push);
        let mut own = Vec::new();
        loop {
            if let Some(item) = owner.pop() {
                own.push(item.addr().get());
            } else if inbox.refill(owner.free(), |number| owner.push(item(number)).unwrap()) == 0 {
                break;
            }
        }
        // First in, first out for the owner, though the thief took some.
        assert!(own.is_sorted(), "{own:?}");
        let mut all = own;
        all.extend(thief.join().unwrap());
        all.sort_unstable();
        assert_eq!(all, (1..=RING_LEN + 3).collect::<Vec<_>>());
    });
}
