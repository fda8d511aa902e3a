//! Short storms as tests; `zokio-stress` runs longer ones.

#![cfg(not(zokio_shuttle))]

use std::time::Duration;

use zokio_stress::{Options, storm};

#[test]
fn the_books_balance_on_several_workers() {
    storm(Options {
        seed: 1,
        time: Duration::from_secs(2),
        workers: 4,
        sockets: true,
    });
}

#[test]
fn the_books_balance_on_one_worker() {
    storm(Options {
        seed: 2,
        time: Duration::from_secs(1),
        workers: 1,
        sockets: true,
    });
}

#[test]
fn the_books_balance_without_sockets() {
    storm(Options {
        seed: 3,
        time: Duration::from_secs(1),
        workers: 2,
        sockets: false,
    });
}
