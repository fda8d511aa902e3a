//! One worker's timers.
//!
//! Everything is guarded by one lock, which the worker itself takes nearly always alone. Two words
//! lie outside of it:
//!
//! - `next`: the wheel's answer to "when next?". Written under the lock; read without it by the
//!   worker, each time around its loop.
//! - `waiting`: until when the worker waits, if it does; [`AWAKE`] if it runs.
//!
//! How no insertion is overslept. The worker: (W1) locks, (W2) reads the wheel's next deadline and
//! stores it in `waiting`, (W3) unlocks, (W4) waits until then, or until it is unparked. An
//! insertion from wherever: (I1) locks, (I2) inserts, (I3) reads `waiting`, (I4) unlocks, (I5) unparks
//! the worker if the new deadline is earlier than `waiting`. If I1 comes after W3, I3 sees W2 and the
//! worker is unparked, before or during W4, which both end it. If W1 comes after I4, W2 sees the
//! new deadline. The worker's own store of `AWAKE` after W4 needs no lock: an insertion that still
//! sees the old value unparks once too often.
//!
//! Invariants: those of the crate, and
//!
//! 1. `next` equals `wheel.next()` whenever the lock is free; [`NEVER`] if that is past the shard's last
//!    deadline.
//! 2. The shard has a last deadline: `last`. It is [`NEVER`] while the runtime lives, and gets smaller twice at
//!    most: at the beginning of the end, and when the shard closes, where it becomes 0. The step that lowers it
//!    takes the wakers of all entries that are due later. An entry that is due later than `last` is
//!    *stranded*: it is not inserted, no waker is put in its place, and it is not waited for. Stranded entries
//!    stay until their timers take them out. So an entry that is gone has come due: the end of the runtime
//!    cannot be taken for the deadline. A timer learns of the end by its next [`insert`](Shard::insert) or
//!    [`update`](Shard::update), and every timer that had a waker in an entry that strands is woken to make
//!    that call.
//! 3. Once [`close`](Shard::close) was called, an end that begins leaves no time: nobody would fire what it lets
//!    in.
//!
//! Timers against the end. The end: (E1) locks, (E2) lowers `last` and takes the wakers, (E3) unlocks,
//! (E4) wakes them. A timer's poll puts its waker in place under the same lock and looks at `last`
//! there. If it comes before E1, E2 finds the waker; if it comes after E3, it sees `last` and
//! puts nothing in place. A reset that moves an entry past `last` takes its waker out and wakes it.

use crate::instant::Instant;
use crate::wheel::{NEVER, Wheel};
use std::fmt;
use std::task::Waker;
use std::time::Duration;
use zokio_base::clock::Clock;
use zokio_base::foreign::KeptWaker;
use zokio_base::park::WakeSink;
use zokio_base::slab::Key;
use zokio_base::sync::atomic::{AtomicU64, Ordering};
use zokio_base::sync::std_atomic;
use zokio_base::sync::{Arc, Mutex};

/// The worker is running and will look at its timers before it waits.
const AWAKE: u64 = 0;

/// Wakers taken out of the wheel before the lock is given up for a moment.
const BATCH_LEN: usize = 256;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// Ends a worker's wait, by the worker's index.
pub(crate) type Unpark = Arc<dyn Fn(usize) + Send + Sync>;

/// The clock that a runtime's timers go by.
pub(crate) struct TimeSource {
    pub(crate) clock: Clock,
    /// Deadlines count from here.
    base: std::time::Instant,
    /// How soon a sleep may end ([`upcoming`](Self::upcoming)).
    floor: Duration,
    /// When the clock was paused last, as nanoseconds: whole milliseconds count from here. Relaxed:
    /// whoever pauses a clock runs on the thread whose timers are rounded.
    paused_at: std_atomic::AtomicU64,
}

impl TimeSource {
    pub(crate) fn new(clock: Clock, floor: Duration) -> Self {
        Self {
            base: clock.now(),
            clock,
            floor,
            paused_at: std_atomic::AtomicU64::new(0),
        }
    }

    /// Nanoseconds from the base, at most one below [`NEVER`]; zero before the base.
    pub(crate) fn nanos(&self, instant: std::time::Instant) -> u64 {
        let since = instant.saturating_duration_since(self.base);
        exact_nanos(since).unwrap_or(NEVER - 1)
    }

    /// The time that the clock shows, in nanoseconds from the base.
    pub(crate) fn now(&self) -> u64 {
        self.nanos(self.clock.now())
    }

    /// When a timer with this deadline fires. Later than the deadline by less than a millisecond
    /// if the clock is paused, never earlier.
    pub(crate) fn when(&self, deadline: Instant) -> u64 {
        match self.exact(deadline) {
            when if when != NEVER && self.clock.is_paused() => self.round_up(when),
            when => when,
        }
    }

    /// The deadline in nanoseconds from the base; [`NEVER`] for what the wheel cannot count: more than
    /// 500 years.
    fn exact(&self, deadline: Instant) -> u64 {
        let since = deadline.into_std().saturating_duration_since(self.base);
        exact_nanos(since).unwrap_or(NEVER)
    }

    /// When a timer with this deadline fires that is armed now; none if it is due already.
    ///
    /// The floor: a timer that waits at all waits for the floor at least. A loop over short sleeps is
    /// therefore a loop over sleeps of the floor, and leaves the processor to others. With
    /// [`DueAtOnce::PassedByFloor`] a deadline that has only just passed waits as well, because a short sleep
    /// is past its deadline by the time of its first poll. A paused clock has no floor: it rounds
    /// up to whole milliseconds, which costs no time.
    pub(crate) fn upcoming(&self, deadline: Instant, due: DueAtOnce) -> Option<u64> {
        let Some(now) = self.clock.never_paused_now() else {
            return self.upcoming_of_any_clock(deadline, due);
        };
        self.upcoming_running(deadline, now, due)
    }

    /// [`upcoming`](Self::upcoming) for a clock that may be paused.
    #[cold]
    fn upcoming_of_any_clock(&self, deadline: Instant, due: DueAtOnce) -> Option<u64> {
        let now = self.clock.now();
        if self.clock.is_paused() {
            let when = self.when(deadline);
            return (when > self.nanos(now)).then_some(when);
        }
        self.upcoming_running(deadline, now, due)
    }

    /// [`upcoming`](Self::upcoming) for a clock that runs and shows `now`.
    #[inline]
    fn upcoming_running(
        &self,
        deadline: Instant,
        now: std::time::Instant,
        due: DueAtOnce,
    ) -> Option<u64> {
        // A sum and a comparison cost a third of the difference between two instants.
        let soonest = now.checked_add(self.floor);
        if soonest.is_some_and(|soonest| deadline.into_std() > soonest) {
            return Some(self.exact(deadline));
        }
        self.upcoming_soon(deadline, now, due)
    }

    /// [`upcoming`](Self::upcoming) for a deadline that is no further away than the floor, or has passed.
    #[cold]
    fn upcoming_soon(
        &self,
        deadline: Instant,
        now: std::time::Instant,
        due: DueAtOnce,
    ) -> Option<u64> {
        if deadline.into_std() <= now {
            let late = now.saturating_duration_since(deadline.into_std());
            if due == DueAtOnce::Passed || late >= self.floor {
                return None;
            }
        }
        let floor = exact_nanos(self.floor).unwrap_or(NEVER);
        Some(self.nanos(now).saturating_add(floor))
    }

    /// Whether a timer with this deadline fires by now, floor or not.
    pub(crate) fn is_due(&self, deadline: Instant) -> bool {
        self.when(deadline) <= self.now()
    }

    /// Whether the deadline has come, floor or not.
    pub(crate) fn has_come(&self, deadline: Instant) -> bool {
        deadline.into_std() <= self.clock.now()
    }

    /// Rounds up to whole milliseconds since the pause.
    pub(crate) fn round_up(&self, when: u64) -> u64 {
        let paused_at = self.paused_at.load(std_atomic::Ordering::Relaxed);
        let Some(since) = when.checked_sub(paused_at) else {
            return when;
        };
        since
            .checked_next_multiple_of(NANOS_PER_MILLI)
            .and_then(|since| paused_at.checked_add(since))
            .unwrap_or(NEVER)
    }

    /// Notes that the clock was paused just now.
    pub(crate) fn paused(&self) {
        let now = self.now();
        self.paused_at.store(now, std_atomic::Ordering::Relaxed);
    }

    /// The instant that `when` counts to.
    pub(crate) fn instant(&self, when: u64) -> Option<std::time::Instant> {
        self.base.checked_add(Duration::from_nanos(when))
    }
}

/// Nanoseconds, if the wheel can count them.
fn exact_nanos(duration: Duration) -> Option<u64> {
    duration
        .as_secs()
        .checked_mul(1_000_000_000)?
        .checked_add(u64::from(duration.subsec_nanos()))
        .filter(|&nanos| nanos < NEVER)
}

/// Which of the deadlines that have passed are due at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DueAtOnce {
    /// Every one.
    Passed,
    /// One that passed the floor or longer ago.
    PassedByFloor,
}

/// The runtime has ended: nothing can be inserted any more. The waker comes back.
#[derive(Debug)]
pub(crate) struct Closed(pub(crate) KeptWaker);

/// The fate of an entry.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It waits, with the caller's waker.
    Waiting,
    /// It has come due, or was taken out.
    Gone,
    /// The runtime ended first (invariant 2). It never fires.
    Stranded,
}

struct Inner {
    wheel: Wheel<KeptWaker>,
    /// Invariant 2: what is due later does not fire.
    last: u64,
    /// Invariant 3.
    is_closing: bool,
    /// What the worker's last drain left to be used again.
    batch: Vec<KeptWaker>,
}

impl Inner {
    /// The waker of an entry that may still fire; otherwise what became of the entry.
    fn entry(&mut self, key: Key) -> Result<&mut KeptWaker, Entry> {
        match self.wheel.get_with_deadline(key) {
            None => Err(Entry::Gone),
            Some((when, _)) if when > self.last => Err(Entry::Stranded),
            Some((_, waker)) => Ok(waker),
        }
    }

    /// No later than the earliest deadline that somebody is to be woken at, or [`NEVER`].
    fn next(&self) -> u64 {
        self.within(self.wheel.next())
    }

    /// `next`, or [`NEVER`] if the shard does not live to see it.
    fn within(&self, next: u64) -> u64 {
        if next > self.last { NEVER } else { next }
    }

    /// Lowers the last deadline, and returns the wakers of the entries that strand by that.
    fn strand(&mut self, last: u64) -> Vec<KeptWaker> {
        if last >= self.last {
            return Vec::new();
        }
        self.last = last;
        let noop = || KeptWaker::of(Waker::noop());
        self.wheel.exchange(|when| when > last, noop)
    }
}

/// One worker's timers.
pub(crate) struct Shard {
    inner: Mutex<Inner>,
    next: AtomicU64,
    waiting: AtomicU64,
    index: usize,
    pub(crate) source: Arc<TimeSource>,
    unpark: Unpark,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl Shard {
    pub(crate) fn new(index: usize, source: Arc<TimeSource>, unpark: Unpark) -> Self {
        Self {
            inner: Mutex::new(Inner {
                wheel: Wheel::new(source.now()),
                last: NEVER,
                is_closing: false,
                batch: Vec::new(),
            }),
            next: AtomicU64::new(NEVER),
            waiting: AtomicU64::new(AWAKE),
            index,
            source,
            unpark,
        }
    }

    // ---- The timers' side ----

    /// Has `waker` woken at `when`.
    pub(crate) fn insert(&self, when: u64, waker: KeptWaker) -> Result<Key, Closed> {
        let mut inner = self.inner.lock();
        if when > inner.last {
            return Err(Closed(waker));
        }
        let key = inner.wheel.insert(when, waker);
        // Invariant 1: an insertion moves the wheel's answer to its own deadline, or not at all.
        // Relaxed, both: see `publish`.
        if when < self.next.load(Ordering::Relaxed) {
            self.next.store(when, Ordering::Relaxed);
        }
        debug_assert_eq!(self.next(), inner.next());
        let overslept = self.is_overslept(when);
        drop(inner);
        if overslept {
            self.unpark();
        }
        Ok(key)
    }

    /// Whether the entry is still waiting, or would be if the runtime had not ended.
    pub(crate) fn is_waiting(&self, key: Key) -> bool {
        self.inner.lock().wheel.contains(key)
    }

    /// Sees to it that `waker` is the one to be woken.
    pub(crate) fn update(&self, key: Key, waker: &Waker) -> Entry {
        match self.inner.lock().entry(key) {
            Err(entry) => return entry,
            Ok(current) if current.will_wake(waker) => return Entry::Waiting,
            Ok(_) => {}
        }
        // Cloned without the lock (crate invariant 2). What happened meanwhile is seen by the second
        // look, as by the first.
        let mut other = KeptWaker::of(waker);
        let entry = match self.inner.lock().entry(key) {
            Err(entry) => entry,
            Ok(current) => {
                std::mem::swap(current, &mut other);
                Entry::Waiting
            }
        };
        // The waker that was there before, or was not put there, is dropped without the lock.
        drop(other);
        entry
    }

    /// Moves an entry to another deadline. Returns false if it has fired.
    pub(crate) fn reset(&self, key: Key, when: u64) -> bool {
        let mut inner = self.inner.lock();
        if !inner.wheel.reset(key, when) {
            return false;
        }
        let strands = when > inner.last;
        let waker = inner.wheel.get_mut(key).filter(|_| strands);
        let waker = waker.map(|it| std::mem::replace(it, KeptWaker::of(Waker::noop())));
        self.publish(&inner);
        let overslept = self.is_overslept(when);
        drop(inner);
        if let Some(waker) = waker {
            // The entry has moved past the end.
            waker.wake();
        } else if overslept {
            self.unpark();
        }
        true
    }

    /// Takes an entry out before it fires. The caller drops or wakes what is returned.
    pub(crate) fn cancel(&self, key: Key) -> Option<KeptWaker> {
        let mut inner = self.inner.lock();
        let waker = inner.wheel.remove(key);
        self.publish(&inner);
        waker
    }

    /// Restores invariant 1.
    fn publish(&self, inner: &Inner) {
        // Relaxed: the lock orders the writers, and a worker that reads an old value looks again,
        // under the lock, before it waits.
        self.next.store(inner.next(), Ordering::Relaxed);
    }

    /// Whether the worker waits for longer than until `when`. Called with the lock held (step I3).
    fn is_overslept(&self, when: u64) -> bool {
        // Relaxed: written under this lock, or by the worker when it stops waiting; reading the
        // value of before that is harmless.
        when < self.waiting.load(Ordering::Relaxed)
    }

    /// Ends the worker's wait, if it waits.
    pub(crate) fn unpark(&self) {
        (self.unpark)(self.index);
    }

    // ---- The worker's side ----

    /// No later than the earliest deadline, or [`NEVER`].
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        // Relaxed: see `publish`.
        self.next.load(Ordering::Relaxed)
    }

    /// The earliest deadline, or [`NEVER`].
    pub(crate) fn next_exact(&self) -> u64 {
        let mut inner = self.inner.lock();
        let next = inner.wheel.next_exact();
        let next = inner.within(next);
        self.publish(&inner);
        next
    }

    /// Steps W1 to W3. Returns until when the worker may wait: [`NEVER`] for as long as it likes.
    pub(crate) fn begin_wait(&self) -> u64 {
        let inner = self.inner.lock();
        // A paused clock brings no deadline nearer; whoever inserts a timer may change that.
        let until = if self.source.clock.is_paused() {
            NEVER
        } else {
            inner.next()
        };
        // Relaxed: read under the lock that we hold.
        self.waiting.store(until, Ordering::Relaxed);
        drop(inner);
        until
    }

    /// The worker runs again.
    #[inline]
    pub(crate) fn end_wait(&self) {
        // Relaxed, both: an insertion that still sees the old value unparks once too often. The
        // line is not dirtied each time around the worker's loop.
        if self.waiting.load(Ordering::Relaxed) != AWAKE {
            self.waiting.store(AWAKE, Ordering::Relaxed);
        }
    }

    /// Hands what is due at `now` to `sink`, in the order of the deadlines. Returns how many.
    pub(crate) fn process<S: WakeSink>(&self, now: u64, sink: &mut S) -> usize {
        self.end_wait();
        self.relieve(now, sink)
    }

    /// As [`process`](Self::process), for any thread: does not say that the worker has stopped waiting.
    pub(crate) fn relieve<S: WakeSink>(&self, now: u64, sink: &mut S) -> usize {
        if now < self.next() {
            return 0;
        }
        self.process_due(now, sink)
    }

    #[cold]
    fn process_due<S: WakeSink>(&self, now: u64, sink: &mut S) -> usize {
        let mut fired_count = 0;
        let mut batch = Vec::new();
        let mut more = true;
        while more {
            let mut inner = self.inner.lock();
            if batch.capacity() == 0 {
                batch = std::mem::take(&mut inner.batch);
            }
            more = inner.wheel.expire(now, &mut batch, BATCH_LEN);
            self.publish(&inner);
            drop(inner);
            fired_count += batch.len();
            for waker in batch.drain(..) {
                sink.wake(waker.into_inner());
            }
        }
        // A burst's memory is not kept.
        batch.shrink_to(BATCH_LEN);
        self.inner.lock().batch = batch;
        fired_count
    }

    /// The end begins: from now on nothing fires that is due later than `last`. Hands the wakers of what
    /// strands to `sink` (steps E1 to E4).
    pub(crate) fn begin_end<S: WakeSink>(&self, last: u64, sink: &mut S) {
        let mut inner = self.inner.lock();
        let last = if inner.is_closing { 0 } else { last };
        let wakers = inner.strand(last);
        self.publish(&inner);
        drop(inner);
        for waker in wakers {
            sink.wake(waker.into_inner());
        }
    }

    /// Nobody fires anything from now on: closes the shard if its end has begun, and otherwise has it close
    /// when its end begins.
    pub(crate) fn close<S: WakeSink>(&self, sink: &mut S) {
        let mut inner = self.inner.lock();
        inner.is_closing = true;
        let has_begun = inner.last < NEVER;
        drop(inner);
        if has_begun {
            self.begin_end(0, sink);
        }
    }

    /// How many timers are waiting.
    pub(crate) fn len(&self) -> usize {
        let inner = self.inner.lock();
        // Zero is no deadline: nothing waits in a shard that is closed.
        if inner.last == 0 {
            0
        } else {
            inner.wheel.len()
        }
    }
}
