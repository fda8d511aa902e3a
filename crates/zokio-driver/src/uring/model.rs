//! Every schedule of an operation's life: submitted, completed, orphaned, cancelled; without a kernel.
//!
//! The kernel is a thread that completes what it was told the name of. What is checked: an outcome
//! reaches exactly one party, a waiter that waits is woken, and a name finds its own operation or
//! nothing.
#![allow(unsafe_code)]

use super::slots::{NOBODY, Slots};
use crate::flight::{AfterComplete, AfterOrphan, Flight};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use zokio_base::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use zokio_base::sync::{Mutex, model, thread};

/// Where outcomes end up.
struct Ledger {
    taken: AtomicUsize,
    orphaned: AtomicUsize,
    wakes: AtomicUsize,
}

impl Ledger {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            orphaned: AtomicUsize::new(0),
            wakes: AtomicUsize::new(0),
        })
    }

    fn add(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::SeqCst);
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    fn check_one_outcome(&self, expected: usize) {
        let taken = self.taken.load(Ordering::SeqCst);
        let orphaned = self.orphaned.load(Ordering::SeqCst);
        assert_eq!(taken + orphaned, expected, "each outcome ends up once");
    }
}

struct Woken(Arc<Ledger>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        Ledger::add(&self.0.wakes);
    }
}

/// An operation: its flight, its name, and who keeps count.
struct Operation {
    flight: Flight<u32>,
    name: AtomicU64,
    ledger: Arc<Ledger>,
}

impl Operation {
    fn new(ledger: &Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self {
            flight: Flight::new(),
            name: AtomicU64::new(NOBODY),
            ledger: ledger.clone(),
        })
    }

    /// The finisher's one call.
    fn complete(&self, outcome: u32) {
        // SAFETY: the models complete each operation once: what retired it is taken out.
        match unsafe { self.flight.transition_to_completed(outcome) } {
            AfterComplete::Nothing => {}
            AfterComplete::Wake(waker) => waker.wake(),
            AfterComplete::Orphan(_) => Ledger::add(&self.ledger.orphaned),
        }
    }

    /// The waiter's poll. Whether the outcome was there.
    fn poll(&self, waker: &Waker) -> bool {
        // SAFETY: the models poll from one thread, and not after this was true.
        match unsafe { self.flight.poll(waker) } {
            Poll::Ready(_) => {
                Ledger::add(&self.ledger.taken);
                true
            }
            Poll::Pending => false,
        }
    }

    /// The waiter is dropped.
    fn orphan(&self) -> bool {
        // SAFETY: the models drop the one waiter once.
        match unsafe { self.flight.transition_to_orphaned() } {
            AfterOrphan::HandedOver => true,
            AfterOrphan::Dispose(outcome) => {
                if outcome.is_some() {
                    Ledger::add(&self.ledger.orphaned);
                }
                false
            }
        }
    }
}

#[test]
fn a_waiter_that_waits_is_woken() {
    model(|| {
        let ledger = Ledger::new();
        let operation = Operation::new(&ledger);
        let finisher = operation.clone();
        let kernel = thread::spawn(move || finisher.complete(7));
        let (first, second) = (Woken(ledger.clone()), Woken(ledger.clone()));
        let first = Waker::from(Arc::new(first));
        let second = Waker::from(Arc::new(second));
        // The waker changes under way, as it does when a task moves between combinators.
        let is_done = operation.poll(&first) || operation.poll(&second);
        kernel.join().unwrap();
        if !is_done {
            assert_eq!(ledger.wakes(), 1, "who waits is woken, once");
            assert!(operation.poll(&second));
        }
        ledger.check_one_outcome(1);
    });
}

#[test]
fn an_outcome_goes_to_the_waiter_or_to_the_orphan_handler() {
    model(|| {
        let ledger = Ledger::new();
        let operation = Operation::new(&ledger);
        let finisher = operation.clone();
        let kernel = thread::spawn(move || finisher.complete(7));
        let waker = Waker::from(Arc::new(Woken(ledger.clone())));
        if !operation.poll(&waker) {
            operation.orphan();
        }
        kernel.join().unwrap();
        ledger.check_one_outcome(1);
    });
}

/// The lane: a mailbox, slots, and the names that the kernel was told.
struct Lane {
    mail: Mutex<Vec<Message>>,
    slots: Slots<Arc<Operation>>,
    told: Mutex<Vec<u64>>,
}

enum Message {
    Submit(Arc<Operation>),
    Cancel(Arc<Operation>),
}

impl Lane {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            mail: Mutex::new(Vec::new()),
            slots: Slots::new(),
            told: Mutex::new(Vec::new()),
        })
    }

    /// As the owner does it once per turn.
    fn submit_pending(&self) {
        let mail = std::mem::take(&mut *self.mail.lock());
        for message in mail {
            match message {
                Message::Submit(operation) => {
                    let name = self.slots.admit(operation, false, |operation, name| {
                        operation.name.store(name, Ordering::Relaxed);
                    });
                    self.told.lock().push(name);
                }
                // A cancelled request completes like any other, with another result.
                Message::Cancel(operation) => {
                    let name = operation.name.load(Ordering::Relaxed);
                    if name != NOBODY && self.slots.contains(name) {
                        self.told.lock().push(name);
                    }
                }
            }
        }
    }

    /// As anyone does it: completes what the kernel was told of.
    fn reap(&self) {
        let told = std::mem::take(&mut *self.told.lock());
        for name in told {
            if let Some(operation) = self.slots.retire(name) {
                operation.complete(7);
            }
        }
    }
}

#[test]
fn an_operation_is_submitted_orphaned_cancelled_and_reaped_by_two() {
    model(|| {
        let (lane, ledger) = (Lane::new(), Ledger::new());
        let operation = Operation::new(&ledger);
        lane.mail.lock().push(Message::Submit(operation.clone()));
        let owner = {
            let lane = lane.clone();
            thread::spawn(move || {
                lane.submit_pending();
                lane.reap();
            })
        };
        let thief = {
            let lane = lane.clone();
            thread::spawn(move || lane.reap())
        };
        if operation.orphan() {
            lane.mail.lock().push(Message::Cancel(operation.clone()));
        }
        owner.join().unwrap();
        thief.join().unwrap();
        lane.submit_pending();
        lane.reap();
        assert_eq!(lane.slots.len(), 0);
        ledger.check_one_outcome(1);
        assert_eq!(Arc::strong_count(&operation), 1, "the lane keeps nothing");
    });
}

#[test]
fn a_late_completion_finds_nothing_in_a_slot_that_was_given_out_again() {
    model(|| {
        let (lane, ledger) = (Lane::new(), Ledger::new());
        let first = Operation::new(&ledger);
        lane.mail.lock().push(Message::Submit(first.clone()));
        lane.submit_pending();
        // The kernel completes it twice: its own completion, and one that a cancellation brought.
        let name = first.name.load(Ordering::Relaxed);
        lane.told.lock().push(name);
        let reaper = {
            let lane = lane.clone();
            thread::spawn(move || lane.reap())
        };
        let second = Operation::new(&ledger);
        let owner = {
            let (lane, second) = (lane.clone(), second.clone());
            thread::spawn(move || {
                // Submitted, and not completed: only a stale name could complete it.
                lane.slots.admit(second, false, |second, name| {
                    second.name.store(name, Ordering::Relaxed);
                });
            })
        };
        reaper.join().unwrap();
        owner.join().unwrap();
        lane.reap();
        assert_eq!(lane.slots.len(), 1, "the second is still in flight");
        assert!(first.name.load(Ordering::Relaxed) != second.name.load(Ordering::Relaxed));
        assert!(!first.orphan() && second.orphan());
        ledger.check_one_outcome(1);
    });
}
