//! Arrivals against one another.

use super::*;
use loom::future::block_on;
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
