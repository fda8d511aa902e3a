//! Seats and tenures, one thread at a time.

use super::*;

#[test]
fn a_free_seat_is_claimed_once() {
    let seat = Seat::new();
    let (first, second) = (Tenure::new(1), Tenure::new(2));
    assert!(seat.claim(&first));
    assert!(!seat.claim(&second));
    seat.give_away(&first);
    assert!(seat.claim(&second));
    seat.retire(&second);
    assert!(!seat.claim(&first));
}

#[test]
fn only_a_poll_can_be_taken_from() {
    let seat = Seat::new();
    let tenure = Tenure::new(1);
    assert!(seat.claim(&tenure));
    let between = tenure.glimpse();
    assert!(!between.in_poll());
    tenure.begin_poll(7, None);
    assert_eq!(tenure.task(), (7, None));
    let during = tenure.glimpse();
    assert!(during.in_poll() && during.poll() != between.poll());
    // Another poll, or a section of this one: nothing is taken.
    assert!(seat.take(between.word, || true).is_none());
    let section = tenure.section(&seat).unwrap();
    assert!(section.is_of_poll());
    assert!(seat.take(during.word, || true).is_none());
    drop(section);
    assert!(seat.take(during.word, || true).is_some());
    let replacement = Tenure::new(2);
    assert!(seat.claim(&replacement));
    assert!(tenure.section(&seat).is_none());
    assert!(!tenure.end_poll(&seat));
    // The loop's own sections ask too, from now on.
    assert!(tenure.section(&seat).is_none());
}

#[test]
fn a_core_that_nobody_claimed_comes_back() {
    let seat = Seat::new();
    let tenure = Tenure::new(1);
    assert!(seat.claim(&tenure));
    tenure.begin_poll(7, None);
    assert!(seat.take(tenure.glimpse().word, || true).is_some());
    assert!(tenure.end_poll(&seat));
    assert!(!seat.claim(&Tenure::new(2)));
}

#[test]
fn without_a_barrier_nothing_is_taken() {
    let seat = Seat::new();
    let tenure = Tenure::new(1);
    assert!(seat.claim(&tenure));
    tenure.begin_poll(7, None);
    assert!(seat.take(tenure.glimpse().word, || false).is_none());
    assert!(tenure.end_poll(&seat));
}
