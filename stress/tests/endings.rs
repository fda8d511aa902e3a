//! A short run of the program that ends runtimes at every moment of their lives.
#![cfg(not(zokio_shuttle))]

use std::time::Duration;

#[test]
fn runtimes_end_at_any_moment_and_drop_all_their_futures() {
    let sum = zokio_stress::endings::endings(7, Duration::from_secs(3));
    assert!(sum.rounds > 0, "at least one round was run: {sum:?}");
}
