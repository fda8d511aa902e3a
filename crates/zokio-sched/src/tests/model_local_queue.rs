//! Models of the ring: one owner, one or two thieves, wrap-around. Every item is taken exactly
//! once, whatever the schedule.

use super::*;
use zokio_base::sync::{model, thread};

/// Items are numbers, as addresses that are never followed.
fn item(number: usize) -> NonNull<u8> {
    NonNull::new(std::ptr::without_provenance_mut(number)).expect("items count from one")
}

fn take_all(owner: &Owner<u8>, into: &mut Vec<usize>) {
    while let Some(item) = owner.pop() {
        into.push(item.addr().get());
    }
}

/// Steals once into a ring of its own and returns what it got.
fn thief(stealer: &Stealer<u8>) -> Vec<usize> {
    let (own, _) = ring();
    let mut got = Vec::new();
    let count = stealer.steal_into(&own);
    take_all(&own, &mut got);
    assert_eq!(got.len(), count);
    assert!(got.is_sorted());
    got
}

fn assert_each_once(mut got: Vec<usize>, last: usize) {
    got.sort_unstable();
    assert_eq!(got, (1..=last).collect::<Vec<_>>());
}

#[test]
fn push_and_pop_against_a_thief() {
    model(|| {
        let (owner, stealer) = ring();
        let other = thread::spawn(move || thief(&stealer));
        let mut got = Vec::new();
        for number in 1..=3 {
            owner.push(item(number)).unwrap();
        }
        got.extend(owner.pop().map(|item| item.addr().get()));
        got.extend(other.join().unwrap());
        take_all(&owner, &mut got);
        assert_each_once(got, 3);
    });
}

#[test]
fn a_full_ring_wraps_around_under_a_thief() {
    model(|| {
        let (owner, stealer) = ring();
        let mut got = Vec::new();
        // The head stands in the middle of the ring.
        for number in 1..=2 {
            owner.push(item(number)).unwrap();
        }
        take_all(&owner, &mut got);
        let other = thread::spawn(move || thief(&stealer));
        let mut next = 3;
        for _ in 0..RING_LEN + 2 {
            match owner.push(item(next)) {
                Ok(()) => next += 1,
                Err(_) => got.extend(owner.pop().map(|item| item.addr().get())),
            }
        }
        got.extend(other.join().unwrap());
        take_all(&owner, &mut got);
        assert_each_once(got, next - 1);
    });
}

#[test]
fn two_thieves_and_the_owner() {
    model(|| {
        let (owner, stealer) = ring();
        let second = Stealer(stealer.0.clone());
        for number in 1..=3 {
            owner.push(item(number)).unwrap();
        }
        let one = thread::spawn(move || thief(&stealer));
        let two = thread::spawn(move || thief(&second));
        let mut got = Vec::new();
        got.extend(owner.pop().map(|item| item.addr().get()));
        got.extend(one.join().unwrap());
        got.extend(two.join().unwrap());
        take_all(&owner, &mut got);
        assert_each_once(got, 3);
    });
}

#[test]
fn thieves_of_thieves() {
    model(|| {
        let (first, from_first) = ring();
        let (second, from_second) = ring();
        for number in 1..=2 {
            first.push(item(number)).unwrap();
        }
        let other = thread::spawn(move || {
            let mut got = Vec::new();
            from_first.steal_into(&second);
            take_all(&second, &mut got);
            got
        });
        let mut got = Vec::new();
        take_all(&first, &mut got);
        from_second.steal_into(&first);
        take_all(&first, &mut got);
        got.extend(other.join().unwrap());
        take_all(&first, &mut got);
        assert_each_once(got, 2);
    });
}
