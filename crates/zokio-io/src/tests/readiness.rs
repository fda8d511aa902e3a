//! `Ready` and `Interest`: sets of bits, their operators, and what they look like.

use crate::{Interest, Ready};

/// Each flag, with what it answers: readable, writable, read closed, write closed, error.
const FLAGS: [(Ready, [bool; 5]); 5] = [
    (Ready::READABLE, [true, false, false, false, false]),
    (Ready::WRITABLE, [false, true, false, false, false]),
    (Ready::READ_CLOSED, [true, false, true, false, false]),
    (Ready::WRITE_CLOSED, [false, true, false, true, false]),
    (Ready::ERROR, [false, false, false, false, true]),
];

fn answers(ready: Ready) -> [bool; 5] {
    [
        ready.is_readable(),
        ready.is_writable(),
        ready.is_read_closed(),
        ready.is_write_closed(),
        ready.is_error(),
    ]
}

#[test]
fn a_closed_half_is_ready_and_nothing_else_answers_for_another() {
    for (flag, expected) in FLAGS {
        assert_eq!(answers(flag), expected, "{flag:?}");
        assert!(!flag.is_empty());
        assert_eq!((Ready::ALL - flag).is_error(), flag != Ready::ERROR);
        assert_eq!(Ready::ALL & flag, flag);
        assert_eq!(flag & Ready::EMPTY, Ready::EMPTY);
    }
    assert_eq!(answers(Ready::EMPTY), [false; 5]);
    assert_eq!(answers(Ready::ALL), [true; 5]);
    assert!(Ready::EMPTY.is_empty() && !Ready::ALL.is_empty());
}

#[test]
fn sets_are_joined_met_and_subtracted() {
    let mut ready = Ready::READABLE | Ready::WRITE_CLOSED;
    ready |= Ready::ERROR;
    assert_eq!(ready & (Ready::ERROR | Ready::WRITABLE), Ready::ERROR);
    assert_eq!(ready - Ready::READABLE, Ready::WRITE_CLOSED | Ready::ERROR);
    // A bit that is not there cannot be taken away.
    assert_eq!(ready - Ready::WRITABLE, ready);
    assert_eq!(ready - Ready::ALL, Ready::EMPTY);
    assert!(Ready::EMPTY < Ready::READABLE && Ready::READABLE < Ready::ALL);
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn urgent_data_is_a_flag_and_an_interest_of_its_own() {
    assert!(Ready::PRIORITY.is_priority() && Ready::ALL.is_priority());
    assert!(!Ready::READABLE.is_priority() && !Ready::PRIORITY.is_readable());
    assert_eq!(
        format!("{:?}", Ready::PRIORITY | Ready::READ_CLOSED),
        "Ready { is_readable: true, is_writable: false, is_read_closed: true, \
         is_write_closed: false, is_error: false, is_priority: true }"
    );
    let all = Interest::PRIORITY | Interest::ERROR | Interest::WRITABLE.add(Interest::READABLE);
    assert_eq!(format!("{all:?}"), "READABLE | WRITABLE | PRIORITY | ERROR");
    assert!(all.is_priority() && all.is_error());
    let left = all.remove(Interest::PRIORITY).unwrap();
    assert_eq!(format!("{left:?}"), "READABLE | WRITABLE | ERROR");
    assert!(!left.is_priority());
}

#[test]
fn an_interest_is_never_empty() {
    let both = Interest::READABLE | Interest::WRITABLE;
    assert_eq!(format!("{both:?}"), "READABLE | WRITABLE");
    assert_eq!(both.remove(both), None);
    assert_eq!(both.remove(Interest::READABLE), Some(Interest::WRITABLE));
    assert_eq!(both.add(both), both);
    assert!(!both.is_error() && both != Interest::READABLE);
}
