//! Models of the hand-over. The core is a cell that loom watches: two threads in it at a time
//! would be reported.
#![allow(unsafe_code)]

use super::*;
use zokio_base::sync::atomic::fence;
use zokio_base::sync::{UnsafeCell, model, thread};

struct Small {
    seat: Seat,
    core: UnsafeCell<u32>,
}

// SAFETY: this is what the models check.
unsafe impl Sync for Small {}
// SAFETY: as above.
unsafe impl Send for Small {}

impl Small {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            seat: Seat::new(),
            core: UnsafeCell::new(0),
        })
    }

    fn touch(&self) {
        // SAFETY: the callers hold the core; loom checks it.
        self.core.with_mut(|core| unsafe { *core += 1 });
    }

    /// Takes the core from whoever is in a poll, and uses it.
    fn contain(&self) -> bool {
        let Some(tenure) = self.seat.holder() else {
            return false;
        };
        let glimpse = tenure.glimpse();
        let barrier = || {
            fence(Ordering::SeqCst);
            true
        };
        if !glimpse.in_poll() || self.seat.take(glimpse.word, barrier).is_none() {
            return false;
        }
        self.replace()
    }

    /// The thread that goes on with a free core.
    fn replace(&self) -> bool {
        let next = Tenure::new(0);
        if !self.seat.claim(&next) {
            return false;
        }
        self.touch();
        true
    }
}

fn value(small: &Arc<Small>) -> u32 {
    // SAFETY: the other threads have been joined.
    small.core.with(|core| unsafe { *core })
}

/// A holder that polls twice and opens a section in its first poll. Returns how often it touched
/// the core.
fn hold(small: &Small, tenure: &Arc<Tenure>) -> u32 {
    let mut touched = 0;
    small.touch();
    touched += 1;
    tenure.begin_poll(1, None);
    if let Some(section) = tenure.section(&small.seat) {
        small.touch();
        touched += 1;
        drop(section);
    }
    if !tenure.end_poll(&small.seat) {
        return touched;
    }
    small.touch();
    touched + 1
}

#[test]
fn containment_against_sections() {
    model(|| {
        let small = Small::new();
        let tenure = Tenure::new(0);
        assert!(small.seat.claim(&tenure));
        let taker = {
            let small = small.clone();
            thread::spawn(move || small.contain())
        };
        let touched = hold(&small, &tenure);
        let taken = taker.join().unwrap();
        assert_eq!(value(&small), touched + u32::from(taken));
    });
}

#[test]
fn two_takers_take_one_core() {
    model(|| {
        let small = Small::new();
        let tenure = Tenure::new(0);
        assert!(small.seat.claim(&tenure));
        tenure.begin_poll(1, None);
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let small = small.clone();
                thread::spawn(move || small.contain())
            })
            .collect();
        let mut touched = 0;
        if tenure.end_poll(&small.seat) {
            small.touch();
            touched += 1;
        }
        for taker in takers {
            touched += u32::from(taker.join().unwrap());
        }
        assert_eq!(value(&small), touched);
    });
}

/// `block_in_place`: the core is given away, the holder wants it back, and the one it was given to
/// may or may not have come; a taker is about as well.
#[test]
fn giving_away_against_claims_and_a_taker() {
    model(|| {
        let small = Small::new();
        let tenure = Tenure::new(0);
        assert!(small.seat.claim(&tenure));
        tenure.begin_poll(1, None);
        let section = tenure.section(&small.seat).unwrap();
        small.touch();
        small.seat.give_away(&tenure);
        tenure.set_away(true);
        drop(section);
        let other = {
            let small = small.clone();
            thread::spawn(move || small.replace())
        };
        let taker = {
            let small = small.clone();
            thread::spawn(move || small.contain())
        };
        // The blocking part: the core is not to be had.
        assert!(tenure.section(&small.seat).is_none());
        tenure.set_away(false);
        let mut touched = 1;
        let back = small.seat.claim(&tenure);
        if tenure.end_poll(&small.seat) {
            small.touch();
            touched += 1;
        } else {
            assert!(!back || taker_took(&tenure));
        }
        touched += u32::from(other.join().unwrap());
        touched += u32::from(taker.join().unwrap());
        assert_eq!(value(&small), touched);
    });
}

/// Whether the core was taken from `tenure`.
fn taker_took(tenure: &Tenure) -> bool {
    // Relaxed: the thread's own flag, which it has just read.
    tenure.stolen.load(Ordering::Relaxed)
}

/// A worker whose hook panics ends in the midst of a poll. It leaves the seat to whoever has it by
/// then, and frees it only if it still holds it.
#[test]
fn a_worker_that_ends_in_a_poll_frees_only_what_it_holds() {
    model(|| {
        let small = Small::new();
        let tenure = Tenure::new(0);
        assert!(small.seat.claim(&tenure));
        tenure.begin_poll(1, None);
        let taker = {
            let small = small.clone();
            thread::spawn(move || small.contain())
        };
        // As `Worker::drop` does it.
        let freed = small.seat.give_away(&tenure);
        tenure.leave();
        // Another thread goes on with a core that was freed.
        let replaced = freed && small.replace();
        let taken = taker.join().unwrap();
        assert!(!(taken && replaced) || freed);
        assert_eq!(value(&small), u32::from(taken) + u32::from(replaced));
        assert!(small.seat.is_free() || small.seat.is_held());
    });
}

/// A visitor uses the core of a holder that is stuck, and the holder goes on with it.
#[test]
fn a_visitor_against_sections() {
    model(|| {
        let small = Small::new();
        let tenure = Tenure::new(0);
        assert!(small.seat.claim(&tenure));
        let visitor = {
            let small = small.clone();
            thread::spawn(move || {
                let glimpse = small.seat.holder().map(|tenure| tenure.glimpse());
                let barrier = || {
                    fence(Ordering::SeqCst);
                    true
                };
                glimpse
                    .filter(|glimpse| glimpse.in_poll())
                    .and_then(|glimpse| small.seat.visit(glimpse.word, barrier, || small.touch()))
                    .is_some()
            })
        };
        let touched = hold(&small, &tenure);
        // It never loses the core.
        assert_eq!(touched, 3);
        let visited = visitor.join().unwrap();
        assert_eq!(value(&small), 3 + u32::from(visited));
    });
}

/// A taker that finds no thread, but has used the core, gives it back.
#[test]
fn what_was_done_before_a_core_is_given_back_is_seen() {
    model(|| {
        let small = Small::new();
        let tenure = Tenure::new(0);
        assert!(small.seat.claim(&tenure));
        tenure.begin_poll(1, None);
        let taker = {
            let small = small.clone();
            thread::spawn(move || {
                let tenure = small.seat.holder().unwrap();
                let word = tenure.glimpse().word;
                let barrier = || {
                    fence(Ordering::SeqCst);
                    true
                };
                if word & IN_POLL == 0 || small.seat.take(word, barrier).is_none() {
                    return 0;
                }
                let next = Tenure::new(0);
                let touched = small.seat.claim(&next);
                if touched {
                    small.touch();
                    assert!(small.seat.give_away(&next));
                    small.seat.give_back(&tenure);
                }
                u32::from(touched)
            })
        };
        let mut touched = 0;
        if tenure.end_poll(&small.seat) {
            small.touch();
            touched += 1;
        }
        touched += taker.join().unwrap();
        assert_eq!(value(&small), touched);
    });
}

/// A taker that finds no thread gives the core back.
#[test]
fn a_core_that_nobody_wants_is_given_back() {
    model(|| {
        let small = Small::new();
        let tenure = Tenure::new(0);
        assert!(small.seat.claim(&tenure));
        tenure.begin_poll(1, None);
        let taker = {
            let small = small.clone();
            thread::spawn(move || {
                let Some(tenure) = small.seat.holder() else {
                    return;
                };
                let word = tenure.glimpse().word;
                let barrier = || {
                    fence(Ordering::SeqCst);
                    true
                };
                if word & IN_POLL != 0 && small.seat.take(word, barrier).is_some() {
                    small.seat.give_back(&tenure);
                }
            })
        };
        // Nobody else wants it, so the holder has it whatever happens.
        assert!(tenure.end_poll(&small.seat));
        small.touch();
        taker.join().unwrap();
        assert_eq!(value(&small), 1);
    });
}

/// A core is given away, claimed back and given away again, while at most one thread at a time is on its
/// way to it. In the end somebody has it.
#[test]
fn one_thread_on_its_way_is_enough() {
    model(|| {
        let small = Small::new();
        let coming = Arc::new(Coming::default());
        let tenure = Tenure::new(0);
        assert!(small.seat.claim(&tenure));
        tenure.begin_poll(1, None);
        let mut threads = Vec::new();
        for round in 0..2 {
            let Some(section) = tenure.section(&small.seat) else {
                break;
            };
            small.touch();
            assert!(small.seat.give_away(&tenure));
            tenure.set_away(true);
            drop(section);
            if coming.begin() {
                let (small, coming) = (small.clone(), coming.clone());
                threads.push(thread::spawn(move || {
                    coming.end();
                    let _ = small.replace();
                }));
            }
            tenure.set_away(false);
            if round == 0 {
                small.seat.claim(&tenure);
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(small.seat.is_held());
    });
}
