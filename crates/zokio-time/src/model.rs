//! Models of one shard: insert, move, cancel and fire against each other, and the worker's wait.
//!
//! Time stands still in them: a "deadline" is a number that the model's worker compares.

use crate::shard::{Entry, Shard, TimeSource, Unpark};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;
use zokio_base::clock::Clock;
use zokio_base::foreign::KeptWaker;
use zokio_base::slab::Key;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{model, thread};

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counter() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), count.into())
}

/// Far behind what the wall clock can reach within a model.
const HOUR: u64 = 3_600_000_000_000;

fn shard(unpark: Unpark) -> Arc<Shard> {
    Arc::new(Shard::new(
        0,
        Arc::new(TimeSource::new(Clock::new(), Duration::ZERO)),
        unpark,
    ))
}

fn quiet() -> Arc<Shard> {
    shard(Arc::new(|_| {}))
}

fn fire(shard: &Shard, now: u64) -> usize {
    let mut due: Vec<Waker> = Vec::new();
    let count = shard.process(now, &mut due);
    due.into_iter().for_each(Waker::wake);
    count
}

#[test]
fn fire_and_cancel_have_one_winner() {
    model(|| {
        let shard = quiet();
        let (count, waker) = counter();
        let key = shard.insert(HOUR, KeptWaker::new(waker)).unwrap();
        let other = shard.clone();
        let worker = thread::spawn(move || fire(&other, HOUR));
        let cancelled = shard.cancel(key).is_some();
        let fired = worker.join().unwrap();
        assert_eq!(usize::from(!cancelled), fired);
        assert_eq!(count.0.load(Ordering::Relaxed), fired);
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

#[test]
fn fire_and_reset_have_one_winner() {
    model(|| {
        let shard = quiet();
        let (count, waker) = counter();
        let key = shard.insert(HOUR, KeptWaker::new(waker)).unwrap();
        let other = shard.clone();
        let worker = thread::spawn(move || fire(&other, HOUR));
        let moved = shard.reset(key, 2 * HOUR);
        let fired = worker.join().unwrap();
        if moved && fired == 0 {
            assert_eq!(shard.next(), 2 * HOUR);
            assert_eq!(fire(&shard, 2 * HOUR), 1);
        } else {
            assert_eq!(fired, 1);
            assert!(!shard.is_waiting(key));
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    });
}

/// A poll that finds the entry still waiting has its waker woken; one that does not is ready.
#[test]
fn a_changed_waker_is_not_forgotten() {
    model(|| {
        let shard = quiet();
        let (_, old) = counter();
        let (count, new) = counter();
        let key: Key = shard.insert(HOUR, KeptWaker::new(old)).unwrap();
        let other = shard.clone();
        let worker = thread::spawn(move || fire(&other, HOUR));
        let pending = shard.update(key, &new) == Entry::Waiting;
        assert_eq!(worker.join().unwrap(), 1);
        assert_eq!(count.0.load(Ordering::Relaxed), usize::from(pending));
    });
}

/// Steps W1 to W4 against I1 to I5: the worker knows of the earlier deadline, or is unparked.
#[test]
fn an_earlier_timer_is_not_overslept() {
    model(|| {
        let unparked = Arc::new(AtomicUsize::new(0));
        let token = unparked.clone();
        let shard = shard(Arc::new(move |_| {
            token.fetch_add(1, Ordering::Release);
        }));
        let (_count, waker) = counter();
        shard.insert(3 * HOUR, KeptWaker::new(waker)).unwrap();
        let other = shard.clone();
        let inserter = thread::spawn(move || {
            let (_count, waker) = counter();
            other.insert(HOUR, KeptWaker::new(waker)).unwrap();
        });
        // The worker is still running when the race begins.
        shard.end_wait();
        let until = shard.begin_wait();
        inserter.join().unwrap();
        let told = unparked.load(Ordering::Acquire) > 0;
        assert!(until == HOUR || (until == 3 * HOUR && told));
        assert_eq!(shard.next(), HOUR);
    });
}

fn shut_down(shard: &Shard) {
    let mut left: Vec<Waker> = Vec::new();
    shard.begin_end(0, &mut left);
    left.into_iter().for_each(Waker::wake);
}

/// The end against a poll that registers: whoever got in is woken, and learns of the end by its next
/// poll. It never looks as if it had fired.
#[test]
fn shutdown_against_a_first_poll() {
    model(|| {
        let shard = quiet();
        let (count, waker) = counter();
        let other = shard.clone();
        let timer = thread::spawn(move || other.insert(HOUR, KeptWaker::new(waker)).ok());
        shut_down(&shard);
        let inserted = timer.join().unwrap();
        assert_eq!(
            count.0.load(Ordering::Relaxed),
            usize::from(inserted.is_some())
        );
        assert_eq!(Arc::strong_count(&count), 1);
        if let Some(key) = inserted {
            let (_again, waker) = counter();
            assert!(shard.is_waiting(key));
            assert_eq!(shard.update(key, &waker), Entry::Stranded);
            assert_eq!(fire(&shard, 2 * HOUR), 0);
        }
        assert_eq!((shard.len(), shard.next()), (0, u64::MAX));
    });
}

/// The end against a poll that changes the waker: the poll either sees the end, or its waker is woken;
/// no waker is kept.
#[test]
fn shutdown_against_a_later_poll() {
    model(|| {
        let shard = quiet();
        let (old, waker) = counter();
        let (new, other_waker) = counter();
        let key = shard.insert(HOUR, KeptWaker::new(waker)).unwrap();
        let other = shard.clone();
        let timer = thread::spawn(move || other.update(key, &other_waker));
        shut_down(&shard);
        let entry = timer.join().unwrap();
        assert_ne!(entry, Entry::Gone);
        let is_last = usize::from(entry == Entry::Waiting);
        assert_eq!(new.0.load(Ordering::Relaxed), is_last);
        assert_eq!(old.0.load(Ordering::Relaxed), 1 - is_last);
        assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (1, 1));
        assert_eq!(shard.update(key, Waker::noop()), Entry::Stranded);
    });
}

/// The end against a reset: whoever waits is woken once, and the entry is found stranded wherever it
/// was moved to.
#[test]
fn shutdown_against_a_reset() {
    model(|| {
        let shard = quiet();
        let (count, waker) = counter();
        let key = shard.insert(2 * HOUR, KeptWaker::new(waker)).unwrap();
        let other = shard.clone();
        let timer = thread::spawn(move || other.reset(key, HOUR));
        shut_down(&shard);
        assert!(timer.join().unwrap());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(shard.next(), u64::MAX);
        assert_eq!(fire(&shard, 3 * HOUR), 0);
        assert_eq!(shard.update(key, Waker::noop()), Entry::Stranded);
        assert!(shard.cancel(key).is_some());
    });
}

/// The end against the worker that fires: an entry that has fired is gone, one that has not is
/// stranded, and its waker is woken once in either case.
#[test]
fn shutdown_against_the_deadline() {
    model(|| {
        let shard = quiet();
        let (count, waker) = counter();
        let key = shard.insert(HOUR, KeptWaker::new(waker)).unwrap();
        let other = shard.clone();
        let worker = thread::spawn(move || fire(&other, HOUR));
        shut_down(&shard);
        let fired = worker.join().unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        let expected = if fired == 1 {
            Entry::Gone
        } else {
            Entry::Stranded
        };
        assert_eq!(shard.update(key, Waker::noop()), expected);
    });
}

/// The beginning of the end against its own end, which comes first if a worker is late: whatever the order, the
/// shard is closed then, and what waited was woken.
#[test]
fn the_end_begins_while_it_is_over() {
    model(|| {
        let shard = quiet();
        let (count, waker) = counter();
        let key = shard.insert(HOUR, KeptWaker::new(waker)).unwrap();
        let other = shard.clone();
        let worker = thread::spawn(move || {
            let mut left: Vec<Waker> = Vec::new();
            other.begin_end(2 * HOUR, &mut left);
            left.into_iter().for_each(Waker::wake);
        });
        let mut left: Vec<Waker> = Vec::new();
        shard.close(&mut left);
        left.into_iter().for_each(Waker::wake);
        worker.join().unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!((shard.len(), shard.next()), (0, u64::MAX));
        assert_eq!(shard.update(key, Waker::noop()), Entry::Stranded);
    });
}

/// The beginning of the end against a reset that moves the entry past the last deadline, or into the time that
/// is left: the entry is stranded and its task was woken, or it waits and fires.
#[test]
fn the_end_begins_while_a_timer_moves() {
    for (from, to) in [(HOUR, 3 * HOUR), (3 * HOUR, HOUR)] {
        model(move || {
            let shard = quiet();
            let (count, waker) = counter();
            let key = shard.insert(from, KeptWaker::new(waker)).unwrap();
            let other = shard.clone();
            let timer = thread::spawn(move || other.reset(key, to));
            let mut left: Vec<Waker> = Vec::new();
            shard.begin_end(2 * HOUR, &mut left);
            left.into_iter().for_each(Waker::wake);
            assert!(timer.join().unwrap());
            let told = count.0.load(Ordering::Relaxed);
            let (again, waker) = counter();
            let entry = shard.update(key, &waker);
            if to > 2 * HOUR {
                assert_eq!((told, entry), (1, Entry::Stranded));
                assert_eq!(shard.next(), u64::MAX);
            } else {
                assert_eq!((entry, shard.next()), (Entry::Waiting, HOUR));
                assert_eq!(fire(&shard, HOUR), 1);
                assert_eq!(again.0.load(Ordering::Relaxed), 1);
            }
        });
    }
}

#[test]
fn two_users_and_a_worker() {
    model(|| {
        let shard = quiet();
        let (first, waker) = counter();
        let key = shard.insert(HOUR, KeptWaker::new(waker)).unwrap();
        let (other, third) = (shard.clone(), shard.clone());
        let worker = thread::spawn(move || fire(&other, HOUR));
        let inserter = thread::spawn(move || {
            let (_count, waker) = counter();
            let key = third.insert(HOUR, KeptWaker::new(waker)).unwrap();
            third.cancel(key).is_some()
        });
        let cancelled = shard.cancel(key).is_some();
        let (fired, withdrawn) = (worker.join().unwrap(), inserter.join().unwrap());
        assert_eq!(fired, usize::from(!cancelled) + usize::from(!withdrawn));
        assert_eq!(first.0.load(Ordering::Relaxed), usize::from(!cancelled));
        assert_eq!(shard.len(), 0);
    });
}
