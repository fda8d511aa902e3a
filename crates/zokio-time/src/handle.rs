//! [`TimerHandle`]: a runtime's timers, as the runtime and the context see them.

use crate::error;
use crate::shard::{Shard, TimeSource, Unpark};
use crate::wheel::NEVER;
use std::fmt;
use std::time::{Duration, Instant};
use zokio_base::clock::Clock;
use zokio_base::pad::CachePadded;
use zokio_base::park::WakeSink;
use zokio_base::rand;
use zokio_base::sync::Arc;
use zokio_task::context;

/// How soon a sleep may end, unless the runtime is built with another time.
///
/// Loops over shorter sleeps would keep a processor busy with nothing else. It is about what the
/// kernel allows itself to be late by (50 us of timer slack), and one slot of the wheel.
pub const TIMER_FLOOR: Duration = Duration::from_micros(64);

struct Group {
    /// One for each worker. Each counts its own references, so that timers of different workers do
    /// not meet on one counter.
    shards: Box<[Arc<CachePadded<Shard>>]>,
    source: Arc<TimeSource>,
    may_pause: bool,
}

/// The timers of one runtime. `Services::timers` leads here.
#[derive(Clone)]
pub struct TimerHandle(Arc<Group>);

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerHandle")
            .field("shards", &self.0.shards.len())
            .finish_non_exhaustive()
    }
}

impl TimerHandle {
    /// Timers for `shard_count` workers that go by `clock`. `unpark(i)` ends the wait of worker `i`; it
    /// may be called from any thread, with no lock held, and must not own the runtime. If the clock
    /// is to start paused, pause it first. `may_pause` says whether tasks may pause the clock: true
    /// on a current-thread runtime. No sleep is shorter than `floor`.
    ///
    /// # Panics
    /// If `shard_count` is zero.
    pub fn new(
        shard_count: usize,
        clock: Clock,
        may_pause: bool,
        floor: Duration,
        unpark: Arc<dyn Fn(usize) + Send + Sync>,
    ) -> Self {
        assert!(shard_count > 0, "a runtime has at least one worker");
        let source = Arc::new(TimeSource::new(clock, floor));
        let shard = |index| {
            let unpark: Unpark = unpark.clone();
            Arc::new(CachePadded::new(Shard::new(index, source.clone(), unpark)))
        };
        Self(Arc::new(Group {
            shards: (0..shard_count).map(shard).collect(),
            source,
            may_pause,
        }))
    }

    /// The clock that these timers go by.
    pub fn clock(&self) -> &Clock {
        &self.0.source.clock
    }

    /// How many shards there are.
    pub fn shard_count(&self) -> usize {
        self.0.shards.len()
    }

    /// How many timers are waiting in a shard.
    pub fn len(&self, shard: usize) -> usize {
        self.0.shards[shard].len()
    }

    /// Whether no timer is waiting in a shard.
    pub fn is_empty(&self, shard: usize) -> bool {
        self.len(shard) == 0
    }

    // ---- For the worker that owns the shard ----

    /// The shard's earliest deadline. May be earlier than that if a timer was cancelled, never
    /// later. One load; announces nothing: before it waits a worker calls
    /// [`begin_wait`](Self::begin_wait).
    #[inline]
    pub fn next_deadline(&self, shard: usize) -> Option<Instant> {
        match self.0.shards[shard].next() {
            NEVER => None,
            when => self.0.source.instant(when),
        }
    }

    /// Announces that the worker is about to wait, and returns for how long it may: none for as long
    /// as it likes. From here to the next [`process`](Self::process) or
    /// [`end_wait`](Self::end_wait), whoever inserts an earlier timer unparks the worker.
    ///
    /// While the clock is paused the answer is none: see [`jump_to_next`](Self::jump_to_next).
    pub fn begin_wait(&self, shard: usize) -> Option<Duration> {
        match self.0.shards[shard].begin_wait() {
            NEVER => None,
            when => Some(Duration::from_nanos(
                when.saturating_sub(self.0.source.now()),
            )),
        }
    }

    /// The worker waits no longer. [`process`](Self::process) does this too.
    #[inline]
    pub fn end_wait(&self, shard: usize) {
        self.0.shards[shard].end_wait();
    }

    /// Hands the wakers of what is due at `now` to `sink`, in the order of the deadlines. Returns how
    /// many there were. With nothing due it costs two loads.
    #[inline]
    pub fn process<S: WakeSink>(&self, shard: usize, now: Instant, sink: &mut S) -> usize {
        self.0.shards[shard].process(self.0.source.nanos(now), sink)
    }

    /// As [`process`](Self::process), on another thread, in the place of a worker that is kept from it.
    /// Until when the worker is about to wait stays as it is: it may go on at any moment, and an earlier
    /// timer then has to end its wait.
    pub fn relieve<S: WakeSink>(&self, shard: usize, now: Instant, sink: &mut S) -> usize {
        self.0.shards[shard].relieve(self.0.source.nanos(now), sink)
    }

    /// Moves a paused clock forward to the earliest deadline of all shards, if the clock may jump.
    /// Returns whether a timer is due now. Called when the runtime is idle: no task is ready and
    /// the driver, polled just before, had nothing.
    pub fn jump_to_next(&self) -> bool {
        let source = &self.0.source;
        if !source.clock.can_jump() {
            return false;
        }
        let nexts = self.0.shards.iter().map(|shard| shard.next_exact());
        let next = nexts.min().unwrap_or(NEVER);
        // Timers from before the pause are not rounded yet.
        let target = match next {
            NEVER => NEVER,
            next => source.round_up(next),
        };
        if target == NEVER {
            return false;
        }
        let by = target.saturating_sub(source.now());
        source.clock.advance(Duration::from_nanos(by))
    }

    /// The end of the runtime begins, and threads that may have timers are waited for: those that are due
    /// within `left` go on firing, if somebody calls [`process`](Self::process) for all shards. Hands the wakers
    /// of the others to `sink`. One of those that is polled before its deadline panics, whether or not it was
    /// polled before. A paused clock leaves no time, as it does not go on.
    ///
    /// A second call may shorten the time and never lengthens it.
    pub fn begin_end<S: WakeSink>(&self, left: Duration, sink: &mut S) {
        let source = &self.0.source;
        let last = if left.is_zero() || source.clock.is_paused() {
            0
        } else {
            let left = u64::try_from(left.as_nanos()).unwrap_or(NEVER);
            source.now().saturating_add(left).min(NEVER - 1)
        };
        for shard in &self.0.shards {
            shard.begin_end(last, sink);
        }
    }

    /// Nobody is waited for any more: closes all shards whose end has begun, and hands every waker to `sink`.
    /// The others close when their end begins.
    pub fn close<S: WakeSink>(&self, sink: &mut S) {
        for shard in &self.0.shards {
            shard.close(sink);
        }
    }

    /// [`begin_end`](Self::begin_end) without any time: no timer fires from now on.
    pub fn shutdown<S: WakeSink>(&self, sink: &mut S) {
        self.begin_end(Duration::ZERO, sink);
    }

    // ---- For this crate ----

    pub(crate) fn source(&self) -> &TimeSource {
        &self.0.source
    }

    pub(crate) fn may_pause(&self) -> bool {
        self.0.may_pause
    }

    /// Has every worker look at its timers again.
    pub(crate) fn unpark_all(&self) {
        for shard in &self.0.shards {
            shard.unpark();
        }
    }

    /// The shard for a timer that is made here: the worker's own, and any on a thread that is not
    /// a worker.
    pub(crate) fn shard_here(&self) -> &Arc<CachePadded<Shard>> {
        let count = self.0.shards.len();
        if count == 1 {
            return &self.0.shards[0];
        }
        let index = match context::worker() {
            // A worker of another runtime is as good as any: the lock keeps it correct.
            Some(worker) => worker.index as usize % count,
            None => rand::with(|rng| rng.below(count as u32)) as usize,
        };
        &self.0.shards[index]
    }
}

/// Calls `f` with the timers of the runtime that the thread is inside of.
///
/// # Panics
/// If there is no runtime, or it was built without timers.
// Each timer begins here, and a call would save and restore more registers than it uses.
#[inline(always)]
#[track_caller]
pub(crate) fn with_current<R>(f: impl FnOnce(&TimerHandle) -> R) -> R {
    let found = context::with_services(|services| {
        let Some(services) = services else {
            return Err(error::NO_RUNTIME);
        };
        let timers = services.timers().ok_or(error::NO_TIMERS)?;
        let timers = timers.downcast_ref::<TimerHandle>();
        Ok(f(
            timers.expect("`Services::timers` leads to a `TimerHandle`")
        ))
    });
    match found {
        Ok(Ok(result)) => result,
        Ok(Err(text)) => panic!("{text}"),
        Err(context::ThreadGone) => panic!("{}", error::THREAD_GONE),
    }
}
