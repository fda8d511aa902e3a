//! The ring under real threads. Against a naive model: `fuzz.rs`.
#![allow(clippy::disallowed_methods)] // Tests start threads and let them wait.

use super::*;
use zokio_base::sync::thread;

fn item(number: usize) -> NonNull<u8> {
    NonNull::new(std::ptr::null_mut::<u8>().with_addr(number)).expect("items count from one")
}

fn number(item: NonNull<u8>) -> usize {
    item.addr().get()
}

#[test]
fn a_thief_takes_no_more_than_it_has_room_for() {
    let (owner, stealer) = ring();
    let (thief, _) = ring();
    for number in 1..=RING_LEN {
        owner.push(item(number)).unwrap();
    }
    for number in 1..=RING_LEN - 3 {
        thief.push(item(1_000 + number)).unwrap();
    }
    assert_eq!(stealer.steal_into(&thief), 3);
    assert_eq!(stealer.steal_into(&thief), 0);
    assert_eq!(owner.len(), RING_LEN - 3);
}

#[test]
fn nothing_is_lost_or_doubled_between_threads() {
    const ITEMS: usize = 100_000;
    let (owner, stealer) = ring();
    let thieves: Vec<_> = (0..2)
        .map(|_| {
            let stealer = Stealer(stealer.0.clone());
            thread::spawn(move || {
                let (own, _) = ring();
                let mut got = Vec::new();
                loop {
                    stealer.steal_into(&own);
                    while let Some(item) = own.pop() {
                        if number(item) > ITEMS {
                            return got;
                        }
                        got.push(number(item));
                    }
                    thread::yield_now();
                }
            })
        })
        .collect();
    let mut got = Vec::new();
    let push = |mut value: NonNull<u8>, got: &mut Vec<usize>| {
        while let Err(back) = owner.push(value) {
            value = back;
            if let Some(item) = owner.pop() {
                if number(item) <= ITEMS {
                    got.push(number(item));
                } else {
                    owner.push(item).unwrap();
                }
            }
        }
    };
    for value in 1..=ITEMS {
        push(item(value), &mut got);
    }
    while let Some(item) = owner.pop() {
        got.push(number(item));
    }
    // Ends for the thieves, which each stop at the first they see.
    while thieves.iter().any(|thief| !thief.is_finished()) {
        let _ = owner.push(item(ITEMS + 1));
        thread::yield_now();
    }
    for thief in thieves {
        got.extend(thief.join().unwrap());
    }
    got.sort_unstable();
    assert!(got.iter().copied().eq(1..=ITEMS));
}
