//! The right ones wait and lead, and generations do not mix.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::testing::spawn;
use zokio_base::sync::{Arc, thread};

#[test]
fn nobody_waits_for_none_or_one() {
    for size in [0, 1] {
        let barrier = Barrier::new(size);
        for _ in 0..3 {
            assert!(spawn(barrier.wait()).ready().is_leader());
        }
    }
}

#[test]
fn the_last_lets_all_go_and_leads() {
    let barrier = Barrier::new(3);
    for _ in 0..2 {
        let mut first = spawn(barrier.wait());
        let mut second = spawn(barrier.wait());
        first.pending();
        second.pending();
        first.pending();
        assert!(!first.is_woken() && !second.is_woken());
        assert!(spawn(barrier.wait()).ready().is_leader());
        assert!(first.is_woken() && second.is_woken());
        // The next generation does not hold them back.
        let mut next = spawn(barrier.wait());
        next.pending();
        assert!(!first.ready().is_leader());
        assert!(!second.ready().is_leader());
        let mut other = spawn(barrier.wait());
        other.pending();
        assert!(!next.is_woken());
        assert!(spawn(barrier.wait()).ready().is_leader());
        next.ready();
        other.ready();
    }
}

#[test]
fn stress_nobody_runs_ahead() {
    let barrier = Arc::new(Barrier::new(3));
    let rounds = Arc::new(zokio_base::sync::Mutex::new([0_u32; 3]));
    let threads: Vec<_> = (0..3)
        .map(|id| {
            let (barrier, rounds) = (barrier.clone(), rounds.clone());
            thread::spawn(move || {
                let mut led = 0;
                for round in 1..=2_000 {
                    rounds.lock()[id] = round;
                    if zokio_task::block_on::block_on(barrier.wait()).is_leader() {
                        led += 1;
                    }
                    assert!(rounds.lock().iter().all(|other| *other >= round));
                }
                led
            })
        })
        .collect();
    let led: u32 = threads.into_iter().map(|t| t.join().unwrap()).sum();
    assert_eq!(led, 2_000);
}
