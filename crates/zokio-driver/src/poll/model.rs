//! Models of readiness: set, clear and deregister, with two reapers.
//!
//! A "source" here is a counter of bytes that can be read; reading when there are none would
//! block. Reapers put bytes there and report it, as the system and a drain do together.

use super::ready::{Interest, Ready};
use super::scheduled::{Direction, ReadyEvent, ScheduledIo};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use zokio_base::parker::{Parker, Unparker};
use zokio_base::slab::Slab;
use zokio_base::sync::atomic::{AtomicU32, Ordering};
use zokio_base::sync::{Arc, Mutex, model, thread};

struct Unparks(Unparker);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn parking_waker() -> (Parker, Waker) {
    let parker = Parker::new();
    let waker = Waker::from(Arc::new(Unparks(parker.unparker())));
    (parker, waker)
}

/// One byte arrives, and a reaper says so.
fn arrive(io: &ScheduledIo, bytes: &AtomicU32) {
    // Release pairs with the acquire in `take`; in the real world the kernel orders the two.
    bytes.fetch_add(1, Ordering::Release);
    report(io, Ready::READABLE);
}

/// A reaper says what an event has brought.
fn report(io: &ScheduledIo, ready: Ready) {
    io.set_ready(ready);
    let mut wakes = Vec::new();
    io.take_wakers(ready, &mut |waker| wakes.push(waker));
    for waker in wakes {
        waker.wake();
    }
}

/// A read of one byte, or false if it would block.
fn take(bytes: &AtomicU32) -> bool {
    bytes
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            count.checked_sub(1)
        })
        .is_ok()
}

/// A side that was closed is found open again while the next byte arrives, and a new end: neither is lost.
#[test]
fn no_event_is_lost_to_a_reopening() {
    model(|| {
        let shared = Arc::new((ScheduledIo::new(), AtomicU32::new(0)));
        shared.0.set_ready(Ready::READ_CLOSED);
        let reaper = {
            let shared = shared.clone();
            thread::spawn(move || {
                arrive(&shared.0, &shared.1);
                report(&shared.0, Ready::READ_CLOSED);
            })
        };
        let (io, bytes) = &*shared;
        let (parker, waker) = parking_waker();
        let mut cx = Context::from_waker(&waker);
        loop {
            match io.poll_ready(&mut cx, Direction::Read) {
                Poll::Ready(_) if take(bytes) => break,
                Poll::Ready(event) => io.reopen(event),
                Poll::Pending => parker.park(),
            }
        }
        reaper.join().unwrap();
        assert!(io.event(Ready::READ_CLOSED).ready().is_read_closed());
    });
}

/// Two reapers report while a reader clears: every byte is read, so no event was lost.
#[test]
fn no_event_is_lost_to_a_clear() {
    model(|| {
        let shared = Arc::new((ScheduledIo::new(), AtomicU32::new(0)));
        let reapers: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || arrive(&shared.0, &shared.1))
            })
            .collect();
        let (io, bytes) = &*shared;
        let (parker, waker) = parking_waker();
        let mut cx = Context::from_waker(&waker);
        let mut read = 0;
        while read < 2 {
            match io.poll_ready(&mut cx, Direction::Read) {
                Poll::Ready(event) if take(bytes) => {
                    let _ = event;
                    read += 1;
                }
                Poll::Ready(event) => io.clear(event),
                Poll::Pending => parker.park(),
            }
        }
        for reaper in reapers {
            reaper.join().unwrap();
        }
    });
}

/// A waiter in the list and one in the slot are both woken by one event.
#[test]
fn one_event_wakes_every_kind_of_waiter() {
    model(|| {
        let io = Arc::new(ScheduledIo::new());
        let other = {
            let io = io.clone();
            thread::spawn(move || {
                let (parker, waker) = parking_waker();
                let mut cx = Context::from_waker(&waker);
                let mut readiness = pin!(io.readiness(Interest::READABLE));
                while readiness.as_mut().poll(&mut cx).is_pending() {
                    parker.park();
                }
            })
        };
        let reaper = {
            let io = io.clone();
            thread::spawn(move || {
                io.set_ready(Ready::READABLE);
                let mut wakes = Vec::new();
                io.take_wakers(Ready::READABLE, &mut |waker| wakes.push(waker));
                wakes.into_iter().for_each(Waker::wake);
            })
        };
        let (parker, waker) = parking_waker();
        let mut cx = Context::from_waker(&waker);
        while io.poll_ready(&mut cx, Direction::Read).is_pending() {
            parker.park();
        }
        other.join().unwrap();
        reaper.join().unwrap();
    });
}

/// A waiting future is dropped while a reaper reports: the list stays whole, and the waker is
/// either taken or dropped, once.
#[test]
fn a_waiter_may_leave_during_an_event() {
    model(|| {
        let io = Arc::new(ScheduledIo::new());
        let reapers: Vec<_> = (0..2)
            .map(|_| {
                let io = io.clone();
                thread::spawn(move || {
                    io.set_ready(Ready::READABLE);
                    let mut wakes = Vec::new();
                    io.take_wakers(Ready::READABLE, &mut |waker| wakes.push(waker));
                    wakes.len()
                })
            })
            .collect();
        {
            let mut cx = Context::from_waker(Waker::noop());
            let mut readiness = pin!(io.readiness(Interest::READABLE));
            let _ = readiness.as_mut().poll(&mut cx);
        }
        let taken: usize = reapers
            .into_iter()
            .map(|reaper| reaper.join().unwrap())
            .sum();
        assert!(taken <= 1);
        let mut left = 0;
        io.take_wakers(Ready::ALL, &mut |_| left += 1);
        assert_eq!(left, 0);
    });
}

/// A source leaves, and another takes its slot, while two reapers come with an event of the first:
/// the second is not told of it.
#[test]
fn a_late_event_meets_nobody() {
    model(|| {
        let mut slab = Slab::new();
        let first = Arc::new(ScheduledIo::new());
        let key = slab.insert(first.clone());
        let slab = Arc::new(Mutex::new(slab));
        let reapers: Vec<_> = (0..2)
            .map(|_| {
                let slab = slab.clone();
                thread::spawn(move || {
                    let entries = slab.lock();
                    if let Some(io) = entries.get(key) {
                        io.set_ready(Ready::READABLE);
                        io.take_wakers(Ready::READABLE, &mut |_| ());
                    }
                })
            })
            .collect();
        let removed = slab.lock().remove(key);
        drop(removed);
        let second = Arc::new(ScheduledIo::new());
        slab.lock().insert(second.clone());
        for reaper in reapers {
            reaper.join().unwrap();
        }
        assert!(second.event(Ready::ALL).ready().is_empty());
        assert_eq!(Arc::strong_count(&first), 1);
    });
}

/// A task that watches for a failure sees the one that a reaper reports; other news of the source do not wake
/// it.
#[test]
fn a_failure_reaches_its_watcher() {
    model(|| {
        let shared = Arc::new((ScheduledIo::new(), AtomicU32::new(0)));
        let reaper = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (io, error) = &*shared;
                for ready in [Ready::READABLE, Ready::WRITE_CLOSED | Ready::READ_CLOSED] {
                    // Release pairs with the acquire below; in the real world the kernel orders the two.
                    error.store(ready.is_write_closed().into(), Ordering::Release);
                    io.set_ready(ready);
                    let mut wakes = Vec::new();
                    io.take_wakers(ready, &mut |waker| wakes.push(waker));
                    wakes.into_iter().for_each(Waker::wake);
                }
            })
        };
        let (io, error) = &*shared;
        let (parker, waker) = parking_waker();
        let mut cx = Context::from_waker(&waker);
        while io.watch_failure(&mut cx).ready().is_empty() {
            parker.park();
            // Acquire pairs with the release above. News of bytes do not have the task look again.
            assert_eq!(error.load(Ordering::Acquire), 1, "woken for nothing");
        }
        // Acquire pairs with the release above.
        assert_eq!(error.load(Ordering::Acquire), 1);
        reaper.join().unwrap();
    });
}

/// Whoever waits when the driver goes is woken and told.
#[test]
fn shutdown_reaches_a_waiter() {
    model(|| {
        let io = Arc::new(ScheduledIo::new());
        let driver = {
            let io = io.clone();
            thread::spawn(move || {
                io.set_shutdown();
                let mut wakes = Vec::new();
                io.take_wakers(Ready::ALL, &mut |waker| wakes.push(waker));
                wakes.into_iter().for_each(Waker::wake);
            })
        };
        let (parker, waker) = parking_waker();
        let mut cx = Context::from_waker(&waker);
        let event = loop {
            match io.poll_ready(&mut cx, Direction::Write) {
                Poll::Ready(event) => break event,
                Poll::Pending => parker.park(),
            }
        };
        assert!(event.is_shutdown());
        driver.join().unwrap();
    });
}

/// A reader tries a source before it is attached, and takes back what was assumed of it only after a
/// reaper may have reported: the report stays.
#[test]
fn no_event_is_lost_to_an_assumption_taken_back() {
    model(|| {
        let shared = Arc::new((ScheduledIo::new(), AtomicU32::new(0)));
        let (io, bytes) = &*shared;
        let event = ReadyEvent::assume(Direction::Read.mask());
        assert!(!take(bytes));
        io.assume(Ready::READABLE);
        let reaper = {
            let shared = shared.clone();
            thread::spawn(move || arrive(&shared.0, &shared.1))
        };
        io.clear(event);
        let (parker, waker) = parking_waker();
        let mut cx = Context::from_waker(&waker);
        loop {
            match io.poll_ready(&mut cx, Direction::Read) {
                Poll::Ready(_) if take(bytes) => break,
                Poll::Ready(event) => io.clear(event),
                Poll::Pending => parker.park(),
            }
        }
        reaper.join().unwrap();
    });
}
