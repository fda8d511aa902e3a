//! Fairness, cancellation and closing by hand, and random steps against a naive semaphore.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::testing::{Spawn, spawn};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::task::Poll;
use zokio_base::sync::thread;

#[test]
fn permits_go_in_the_order_of_asking() {
    let semaphore = Semaphore::new(0);
    let mut first = spawn(semaphore.acquire());
    let mut second = spawn(semaphore.acquire());
    first.pending();
    second.pending();
    semaphore.add_permits(1);
    assert!(first.is_woken() && !second.is_woken());
    // Nobody overtakes who waits.
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::NoPermits
    );
    let permit = first.ready().unwrap();
    second.pending();
    drop(permit);
    assert!(second.is_woken());
    drop(second.ready());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn one_that_asks_for_many_collects_them_and_is_not_overtaken() {
    let semaphore = Semaphore::new(1);
    let mut many = spawn(semaphore.acquire_many(3));
    let mut one = spawn(semaphore.acquire());
    many.pending();
    assert_eq!(semaphore.available_permits(), 0);
    one.pending();
    semaphore.add_permits(1);
    assert!(!many.is_woken() && !one.is_woken());
    semaphore.add_permits(2);
    assert!(many.is_woken() && one.is_woken());
    assert_eq!(many.ready().unwrap().num_permits(), 3);
    assert_eq!(one.ready().unwrap().num_permits(), 1);
    assert_eq!(semaphore.available_permits(), 4);
}

#[test]
fn what_a_dropped_future_had_collected_goes_to_the_next() {
    let semaphore = Semaphore::new(2);
    let mut many = spawn(semaphore.acquire_many(3));
    let mut next = spawn(semaphore.acquire_many(2));
    many.pending();
    next.pending();
    drop(many);
    assert!(next.is_woken());
    assert!(next.ready().is_ok());

    // Also when it had all, and only did not look.
    let mut chosen = spawn(semaphore.acquire_many(3));
    chosen.pending();
    semaphore.add_permits(1);
    assert!(chosen.is_woken());
    drop(chosen);
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn closing_fails_all_who_wait_and_loses_no_permit() {
    let semaphore = Semaphore::new(1);
    let mut waiting: Vec<_> = (0..40).map(|_| spawn(semaphore.acquire_many(2))).collect();
    for future in &mut waiting {
        future.pending();
    }
    semaphore.close();
    for future in &mut waiting {
        assert!(future.is_woken());
        assert!(future.ready().is_err());
    }
    assert_eq!(semaphore.available_permits(), 1);
    assert!(semaphore.is_closed());
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::Closed
    );
    semaphore.add_permits(1);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn what_was_granted_but_not_seen_before_the_close_is_refused_and_given_back() {
    let semaphore = Semaphore::new(0);
    let mut granted = spawn(semaphore.acquire());
    let mut partly = spawn(semaphore.acquire_many(2));
    granted.pending();
    partly.pending();
    semaphore.add_permits(2);
    semaphore.close();
    assert!(granted.is_woken() && partly.is_woken());
    assert_eq!(semaphore.available_permits(), 0);
    assert!(granted.ready().is_err());
    assert_eq!(semaphore.available_permits(), 1);
    drop(partly);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn one_release_wakes_more_than_a_batch() {
    let semaphore = Semaphore::new(0);
    let mut waiting: Vec<_> = (0..100).map(|_| spawn(semaphore.acquire())).collect();
    for future in &mut waiting {
        future.pending();
    }
    semaphore.add_permits(101);
    for future in &mut waiting {
        assert!(future.is_woken());
        future.ready().unwrap().forget();
    }
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn the_last_waker_is_woken() {
    let semaphore = Semaphore::new(0);
    let mut future = spawn(semaphore.acquire());
    future.pending();
    future.pending();
    semaphore.add_permits(1);
    assert!(future.is_woken());
    assert!(future.ready().is_ok());
}

#[test]
#[should_panic(expected = "would overflow MAX_PERMITS")]
fn there_are_at_most_max_permits() {
    Semaphore::new(Semaphore::MAX_PERMITS).add_permits(1);
}

#[test]
fn no_permits_can_be_asked_for() {
    let semaphore = Semaphore::new(0);
    assert!(semaphore.try_acquire_many(0).is_ok());
    let mut waiting = spawn(semaphore.acquire());
    waiting.pending();
    assert!(spawn(semaphore.acquire_many(0)).ready().is_ok());
    semaphore.add_permits(0);
    assert!(!waiting.is_woken());
}

#[test]
fn permits_merge_and_split() {
    let semaphore = Arc::new(Semaphore::new(10));
    let mut permits = semaphore.clone().try_acquire_many_owned(6).unwrap();
    let part = permits.split(4).unwrap();
    assert!(permits.split(3).is_none());
    assert_eq!(permits.num_permits(), 2);
    permits.merge(part);
    assert_eq!(permits.num_permits(), 6);
    assert_eq!(semaphore.forget_permits(100), 4);
    drop(permits);
    assert_eq!(semaphore.available_permits(), 6);
}

#[test]
#[should_panic(expected = "different semaphore instances")]
fn permits_of_two_semaphores_do_not_merge() {
    let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    let mut permit = one.try_acquire().unwrap();
    permit.merge(other.try_acquire().unwrap());
}

#[test]
fn stress_permits_are_conserved() {
    let semaphore = Arc::new(Semaphore::new(3));
    let threads: Vec<_> = (1..=4)
        .map(|count| {
            let semaphore = semaphore.clone();
            thread::spawn(move || {
                for round in 0..2_000 {
                    let mut future = spawn(semaphore.acquire_many(count.min(3)));
                    match future.poll() {
                        Poll::Ready(permit) => drop(permit.unwrap()),
                        // Every other wait is cancelled.
                        Poll::Pending if round % 2 == 0 => {}
                        Poll::Pending => {
                            drop(future);
                            drop(semaphore.blocking_acquire_many(count.min(3)).unwrap());
                        }
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(semaphore.available_permits(), 3);
}

#[derive(Debug, Clone)]
enum Step {
    Acquire(u32),
    TryAcquire(u32),
    Add(usize),
    Forget(usize),
    Cancel(usize),
    PollAll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5_u32).prop_map(Step::Acquire),
        (0..5_u32).prop_map(Step::TryAcquire),
        (0..6_usize).prop_map(Step::Add),
        (0..3_usize).prop_map(Step::Forget),
        (0..8_usize).prop_map(Step::Cancel),
        Just(Step::PollAll),
    ]
}

/// A semaphore as one would write it without threads: the front of the queue collects.
#[derive(Default)]
struct Naive {
    free: usize,
    /// Identity, wanted, still missing.
    queue: VecDeque<(usize, usize, usize)>,
    granted: Vec<(usize, usize)>,
}

impl Naive {
    fn serve(&mut self) {
        while let Some((id, wanted, missing)) = self.queue.front_mut() {
            let given = self.free.min(*missing);
            self.free -= given;
            *missing -= given;
            if *missing > 0 {
                return;
            }
            self.granted.push((*id, *wanted));
            self.queue.pop_front();
        }
    }
}

proptest! {
    #[test]
    fn behaves_as_the_naive_one(start in 0..4_usize, steps in prop::collection::vec(step(), 0..60)) {
        let semaphore = Semaphore::new(start);
        let mut naive = Naive { free: start, ..Naive::default() };
        let mut waiting: VecDeque<(usize, Spawn<_>)> = VecDeque::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Acquire(count) => {
                    next += 1;
                    let mut future = spawn(semaphore.acquire_many(count));
                    let at_once = naive.free >= count as usize;
                    match future.poll() {
                        Poll::Ready(permit) => {
                            prop_assert!(at_once);
                            permit.unwrap().forget();
                            naive.free -= count as usize;
                        }
                        Poll::Pending => {
                            prop_assert!(!at_once);
                            naive.queue.push_back((next, count as usize, count as usize));
                            naive.serve();
                            waiting.push_back((next, future));
                        }
                    }
                }
                Step::TryAcquire(count) => {
                    let taken = semaphore.try_acquire_many(count).map(SemaphorePermit::forget);
                    prop_assert_eq!(taken.is_ok(), naive.free >= count as usize);
                    if taken.is_ok() {
                        naive.free -= count as usize;
                    }
                }
                Step::Add(count) => {
                    semaphore.add_permits(count);
                    naive.free += count;
                    naive.serve();
                }
                Step::Forget(count) => {
                    let taken = naive.free.min(count);
                    naive.free -= taken;
                    prop_assert_eq!(semaphore.forget_permits(count), taken);
                }
                Step::Cancel(at) => {
                    if let Some((id, future)) = waiting.remove(at) {
                        drop(future);
                        if let Some(at) = naive.queue.iter().position(|entry| entry.0 == id) {
                            let (_, wanted, missing) = naive.queue.remove(at).unwrap();
                            naive.free += wanted - missing;
                        } else {
                            let at = naive.granted.iter().position(|entry| entry.0 == id).unwrap();
                            naive.free += naive.granted.remove(at).1;
                        }
                        naive.serve();
                    }
                }
                Step::PollAll => {
                    for (id, mut future) in std::mem::take(&mut waiting) {
                        let granted = naive.granted.iter().position(|entry| entry.0 == id);
                        prop_assert_eq!(future.is_woken(), granted.is_some());
                        match future.poll() {
                            Poll::Ready(permit) => {
                                permit.unwrap().forget();
                                naive.granted.remove(granted.unwrap());
                            }
                            Poll::Pending => {
                                prop_assert!(granted.is_none());
                                waiting.push_back((id, future));
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(semaphore.available_permits(), naive.free);
        }
    }
}
