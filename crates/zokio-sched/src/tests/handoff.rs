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

#[test]
fn only_what_is_held_is_freed() {
    let seat = Seat::new();
    let (first, second) = (Tenure::new(1), Tenure::new(2));
    assert!(!seat.give_away(&first));
    assert!(seat.claim(&first));
    first.begin_poll(7, None);
    assert!(seat.take(first.glimpse().word, || true).is_some());
    assert!(seat.claim(&second));
    assert!(!seat.give_away(&first) && !seat.retire(&first));
    assert!(seat.is_held_by(&second) && !seat.is_held_by(&first));
    assert!(seat.retire(&second));
    assert!(!seat.retire(&second));
}

#[test]
fn a_visit_leaves_the_core_where_it_is() {
    let seat = Seat::new();
    let tenure = Tenure::new(1);
    assert!(seat.claim(&tenure));
    let between = tenure.glimpse();
    tenure.begin_poll(7, None);
    assert_eq!(seat.visit(between.word, || true, || 1), None);
    assert_eq!(seat.visit(tenure.glimpse().word, || false, || 2), None);
    assert_eq!(seat.visit(tenure.glimpse().word, || true, || 3), Some(3));
    assert!(seat.is_held_by(&tenure));
    // The thread looks at the lock once, and needs not look again.
    assert!(tenure.section(&seat).is_some());
    assert!(!tenure.stolen.load(Ordering::Relaxed));
    assert!(tenure.end_poll(&seat));
}

/// A thread that has lost the core for good must not get hold of the seat of a later holder.
#[test]
fn a_tenure_that_has_ended_claims_no_seat() {
    let seat = Seat::new();
    let (first, second) = (Tenure::new(1), Tenure::new(2));
    assert!(seat.claim(&first));
    first.begin_poll(7, None);
    assert!(seat.take(first.glimpse().word, || true).is_some());
    assert!(seat.claim(&second));
    assert!(!first.end_poll(&seat));
    assert!(seat.give_away(&second));
    // A wake, as the thread of the first ends.
    assert!(first.section(&seat).is_none());
    assert!(seat.is_free());
}
