//! The match of threads and jobs: idle threads and waiting jobs, in shards.
//!
//! A job goes, in this order: to an idle thread, handed to it directly; to a new thread, if there
//! may be one more; into a queue. Threads look at all queues before they go idle and before they
//! end. So a queue holds jobs only while every thread is busy and there may be no more of them.
//!
//! Shards keep submitters and threads of different cores off each other's locks: a thread idles in
//! its own shard, a submitter looks at its own shard first, and one load tells whether another
//! shard is worth locking.
//!
//! Invariants:
//!
//! 1. `idle` and `queued` of a shard are the lengths of its lists, stored under its lock.
//! 2. A thread in an idle list has an empty slot. Whoever takes it off the list decides its fate:
//!    a job in its slot, or nothing (look around), and then unparks it. A thread whose time runs out
//!    takes itself off the list, and if it is not on it any more it waits for that decision.
//! 3. No job is stranded. A submitter stores `queued` and then loads every `idle` and tries to
//!    count a thread; a thread stores `idle`, or uncounts itself, and then loads every `queued`.
//!    All of these are sequentially consistent, so at least one of the two sees the other.
//! 4. A thread that runs a job given with `at_once` is not counted, so that the workers, which are
//!    such jobs, do not take room from closures. It counts itself again afterwards, if there is room.
//! 5. After `close` no new job is queued and no thread goes idle; the jobs that were queued are
//!    returned by `close`, or taken by threads before they end.
//! 6. A thread is counted only while it has a place at the door (`door.rs`), also while it is about
//!    to start. So the shutdown waits for whoever a queued job relies on, and after it nobody starts.
//! 7. A caller that could not start a thread uncounts it and then looks at every queue. If no thread
//!    is counted any more, it takes all jobs out: those that relied on its thread end here. A job
//!    has a ticket, so that the caller tells its own job from those of strangers.

use super::door::{Door, Waited};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use zokio_base::pad::CachePadded;
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{Arc, Mutex};

/// The fate of a submitted job.
#[derive(Debug)]
#[must_use]
pub(crate) enum Submitted<J> {
    /// An idle thread has it, or it waits in a queue.
    Taken,
    /// The caller starts a thread.
    NeedThread(Start<J>),
    /// The pool is closed.
    Closed(J),
}

/// A thread that the caller is to start. It has a place at the door already, and is counted unless
/// its job was given with `at_once`. If it cannot be started, the caller passes this to
/// [`Queue::not_started`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Start<J> {
    /// Where the thread belongs to.
    pub(crate) shard: usize,
    /// The job that it runs first.
    pub(crate) job: J,
    whose: Whose,
}

/// Whose job the first one of a new thread is.
#[derive(Debug, Clone, Copy)]
enum Whose {
    /// The caller's own, and it never waits in a queue.
    OwnAtOnce,
    /// The caller's own.
    Own,
    /// It waited in the queue as `first`. The caller's own one is in a queue as `own`, or somebody
    /// has it.
    Queued { first: Ticket, own: Option<Ticket> },
}

/// The fate of the jobs, as a thread could not be started.
#[derive(Debug)]
#[must_use]
pub(crate) struct NotStarted<J> {
    /// The caller's own job, unless another thread has it or will have it.
    pub(crate) own: Option<Unserved<J>>,
    /// Jobs of other callers, who were told that these are taken. There is no thread for them.
    pub(crate) others: Vec<J>,
}

/// A job that comes back to its caller.
#[derive(Debug)]
pub(crate) enum Unserved<J> {
    /// There is no thread.
    NoThread(J),
    /// The pool is closed.
    Closed(J),
}

/// Tells a queued job from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket {
    shard: usize,
    number: u64,
}

#[derive(Debug)]
struct Waiting<J> {
    ticket: Ticket,
    job: J,
}

/// The next step of a thread.
#[derive(Debug)]
#[must_use]
pub(crate) enum Next<J> {
    /// Run this.
    Run(J),
    /// End. The thread is not counted any more.
    End,
}

#[derive(Debug)]
struct Sleeper<J> {
    /// Written by whoever takes the sleeper off its list, read by the thread afterwards.
    slot: Arc<Mutex<Option<J>>>,
    unparker: Unparker,
    thread: usize,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<Waiting<J>>,
    /// The number of the next ticket.
    next_number: u64,
    sleepers: Vec<Sleeper<J>>,
    closed: bool,
}

#[derive(Debug)]
struct Shard<J> {
    idle: AtomicUsize,
    queued: AtomicUsize,
    state: Mutex<State<J>>,
}

impl<J> Shard<J> {
    fn new() -> Self {
        Self {
            idle: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                next_number: 0,
                sleepers: Vec::new(),
                closed: false,
            }),
        }
    }

    /// Runs `f` under the lock and stores the lengths anew (invariant 1).
    fn with<R>(&self, f: impl FnOnce(&mut State<J>) -> R) -> R {
        let mut state = self.state.lock();
        let result = f(&mut state);
        // Sequentially consistent: invariant 3.
        self.idle.store(state.sleepers.len(), Ordering::SeqCst);
        self.queued.store(state.jobs.len(), Ordering::SeqCst);
        result
    }

    fn has_idle(&self) -> bool {
        // Sequentially consistent: invariant 3.
        self.idle.load(Ordering::SeqCst) > 0
    }

    fn has_queued(&self) -> bool {
        // Sequentially consistent: invariant 3.
        self.queued.load(Ordering::SeqCst) > 0
    }
}

/// Idle threads and waiting jobs.
#[derive(Debug)]
pub(crate) struct Queue<J> {
    shards: Box<[CachePadded<Shard<J>>]>,
    /// Threads that run jobs, are about to, or idle (but see invariant 4).
    threads: AtomicUsize,
    limit: usize,
    door: Door,
}

/// A thread's own part.
#[derive(Debug)]
pub(crate) struct Seat<J> {
    parker: Parker,
    slot: Arc<Mutex<Option<J>>>,
    shard: usize,
}

impl<J> Seat<J> {
    pub(crate) fn new(shard: usize) -> Self {
        Self {
            parker: Parker::new(),
            slot: Arc::new(Mutex::new(None)),
            shard,
        }
    }

    /// Tells this thread's entry from others'.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.slot).addr()
    }
}

impl<J> Queue<J> {
    pub(crate) fn new(shards: usize, limit: usize) -> Self {
        Self {
            shards: (0..shards)
                .map(|_| CachePadded::new(Shard::new()))
                .collect(),
            threads: AtomicUsize::new(0),
            limit,
            door: Door::new(),
        }
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Threads that run jobs, idle ones included.
    pub(crate) fn threads(&self) -> usize {
        // Relaxed: a figure for people.
        self.threads.load(Ordering::Relaxed)
    }

    /// Threads that have nothing to do.
    pub(crate) fn idle(&self) -> usize {
        let idle = |shard: &CachePadded<Shard<J>>| shard.idle.load(Ordering::Relaxed);
        // Relaxed: a figure for people.
        self.shards.iter().map(idle).sum()
    }

    /// Jobs that wait for a thread.
    pub(crate) fn queued(&self) -> usize {
        let queued = |shard: &CachePadded<Shard<J>>| shard.queued.load(Ordering::Relaxed);
        // Relaxed: a figure for people.
        self.shards.iter().map(queued).sum()
    }

    fn from(&self, home: usize) -> impl Iterator<Item = &Shard<J>> {
        let count = self.shards.len();
        (0..count).map(move |offset| &*self.shards[(home + offset) % count])
    }

    /// Counts one more thread, if there may be one.
    fn count_thread(&self) -> bool {
        // Sequentially consistent: invariant 3.
        self.threads
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |threads| {
                (threads < self.limit).then_some(threads + 1)
            })
            .is_ok()
    }

    /// A thread has run a job given with `at_once`, and wants to stay. False if there is no room.
    pub(crate) fn rejoin(&self) -> bool {
        self.count_thread()
    }

    /// Whether one more thread may be counted.
    fn has_room(&self) -> bool {
        // Sequentially consistent: invariant 3.
        self.threads.load(Ordering::SeqCst) < self.limit
    }

    /// A thread that was counted could not be started, or does not serve the queues any more. The
    /// caller looks at the queues afterwards.
    fn uncount_thread(&self) {
        // Sequentially consistent: invariant 3.
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes an idle thread off its list.
    fn take_sleeper(&self, home: usize) -> Option<Sleeper<J>> {
        self.from(home)
            .filter(|shard| shard.has_idle())
            .find_map(|shard| shard.with(|state| state.sleepers.pop()))
    }

    /// Whether a job waits anywhere.
    fn has_queued(&self) -> bool {
        self.shards.iter().any(|shard| shard.has_queued())
    }

    /// Hands `job` to a thread, or says what the caller is to do with it. With `at_once` the limit
    /// does not hold, and the job never waits in a queue.
    pub(crate) fn submit(&self, home: usize, job: J, at_once: bool) -> Submitted<J> {
        match self.submit_unless_busy(home, job, at_once) {
            Ok(submitted) => submitted,
            Err(job) => self.enqueue(home, job),
        }
    }

    /// As [`submit`](Self::submit). The job comes back if it would have to wait in a queue.
    pub(crate) fn submit_unless_busy(
        &self,
        home: usize,
        job: J,
        at_once: bool,
    ) -> Result<Submitted<J>, J> {
        if self.shards[home].state.lock().closed {
            return Ok(Submitted::Closed(job));
        }
        if let Some(sleeper) = self.take_sleeper(home) {
            *sleeper.slot.lock() = Some(job);
            sleeper.unparker.unpark();
            if at_once {
                self.uncount_thread();
                return Ok(self.offer_room(home, None));
            }
            return Ok(Submitted::Taken);
        }
        if at_once || self.has_room() {
            if !self.door.enter() {
                return Ok(Submitted::Closed(job));
            }
            if at_once || self.count_thread() {
                let whose = if at_once {
                    Whose::OwnAtOnce
                } else {
                    Whose::Own
                };
                return Ok(Submitted::NeedThread(Start {
                    shard: home,
                    job,
                    whose,
                }));
            }
            self.door.leave();
        }
        Err(job)
    }

    /// Takes a place for a thread that does not serve the queues. It is given back by
    /// [`leave`](Self::leave). False if the pool closes.
    pub(crate) fn enter_beside(&self) -> bool {
        self.door.enter()
    }

    /// Every thread was busy and there were enough of them: the job waits.
    fn enqueue(&self, home: usize, job: J) -> Submitted<J> {
        let own = match self.queue_up(home, job) {
            Ok(ticket) => ticket,
            Err(job) => return Submitted::Closed(job),
        };
        // Invariant 3: a thread may have gone idle, or ended, since we looked.
        if let Some(sleeper) = self.take_sleeper(home) {
            sleeper.unparker.unpark();
            return Submitted::Taken;
        }
        self.offer_room(home, Some(own))
    }

    /// Puts `job` into the queue of `home`. It comes back if the pool is closed.
    fn queue_up(&self, home: usize, job: J) -> Result<Ticket, J> {
        self.shards[home].with(|state| {
            if state.closed {
                return Err(job);
            }
            let ticket = Ticket {
                shard: home,
                number: state.next_number,
            };
            state.next_number += 1;
            state.jobs.push_back(Waiting { ticket, job });
            Ok(ticket)
        })
    }

    /// There may be room for a thread: if a job waits, it gets one. `own` is the caller's job.
    fn offer_room(&self, home: usize, own: Option<Ticket>) -> Submitted<J> {
        if !(self.has_queued() && self.has_room()) {
            return Submitted::Taken;
        }
        if !self.door.enter_for_queued() {
            // The shutdown has seen the pool empty, and threads look at the queues before they leave:
            // no thread saw this job, and none will.
            return match own.and_then(|own| self.take_back(own)) {
                Some(job) => Submitted::Closed(job),
                None => Submitted::Taken,
            };
        }
        // Counting and finding no job hides the room from others for a moment, so the queues are
        // looked at again afterwards, with the place still taken (invariant 6).
        while self.has_queued() && self.count_thread() {
            if let Some(first) = self.take_job(home) {
                return Submitted::NeedThread(Start {
                    shard: home,
                    job: first.job,
                    whose: Whose::Queued {
                        first: first.ticket,
                        own,
                    },
                });
            }
            self.uncount_thread();
        }
        self.door.leave();
        Submitted::Taken
    }

    /// The thread of `start` cannot be started (invariant 7).
    pub(crate) fn not_started(&self, start: Start<J>) -> NotStarted<J> {
        let mut own = None;
        let own_ticket = match start.whose {
            Whose::OwnAtOnce => {
                own = Some(Unserved::NoThread(start.job));
                self.door.leave();
                return NotStarted {
                    own,
                    others: Vec::new(),
                };
            }
            Whose::Own => match self.queue_up(start.shard, start.job) {
                Ok(ticket) => Some(ticket),
                Err(job) => {
                    own = Some(Unserved::Closed(job));
                    None
                }
            },
            Whose::Queued { first, own } => {
                // Also if the pool is closed by now: a thread takes it, or it is taken out below.
                let first_again = Waiting {
                    ticket: first,
                    job: start.job,
                };
                self.shards[first.shard].with(|state| state.jobs.push_front(first_again));
                own
            }
        };
        self.uncount_thread();
        let mut others = Vec::new();
        if let Some(sleeper) = self.take_sleeper(start.shard) {
            sleeper.unparker.unpark();
        // Sequentially consistent: invariant 3. A thread that is counted looks at the queues later.
        } else if self.threads.load(Ordering::SeqCst) == 0 {
            for waiting in self.take_all() {
                if Some(waiting.ticket) == own_ticket {
                    own = Some(Unserved::NoThread(waiting.job));
                } else {
                    others.push(waiting.job);
                }
            }
        }
        self.door.leave();
        NotStarted { own, others }
    }

    fn take_job(&self, home: usize) -> Option<Waiting<J>> {
        self.from(home)
            .filter(|shard| shard.has_queued())
            .find_map(|shard| shard.with(|state| state.jobs.pop_front()))
    }

    /// Takes one job out of its queue, if it still is there.
    fn take_back(&self, ticket: Ticket) -> Option<J> {
        self.shards[ticket.shard].with(|state| {
            let place = state.jobs.iter().rposition(|job| job.ticket == ticket)?;
            state.jobs.remove(place).map(|waiting| waiting.job)
        })
    }

    /// Takes all jobs out of all queues.
    fn take_all(&self) -> Vec<Waiting<J>> {
        let waiting = self.shards.iter().filter(|shard| shard.has_queued());
        waiting
            .flat_map(|shard| shard.with(|state| std::mem::take(&mut state.jobs)))
            .collect()
    }

    /// Finds the next step of a thread after a job. Waits for `keep_alive` at most, unless `may_end` says
    /// that the thread has to stay.
    pub(crate) fn next(
        &self,
        seat: &Seat<J>,
        keep_alive: Duration,
        may_end: impl Fn() -> bool,
    ) -> Next<J> {
        loop {
            if let Some(waiting) = self.take_job(seat.shard) {
                return Next::Run(waiting.job);
            }
            if !self.lie_down(seat) {
                return self.end(seat);
            }
            // Invariant 3: a job may have been queued since we looked.
            if self.has_queued() && self.get_up(seat) {
                continue;
            }
            let woken = loop {
                if seat.parker.park_timeout(keep_alive) {
                    break true;
                }
                if may_end() {
                    break false;
                }
            };
            if !woken && self.get_up(seat) {
                return self.end(seat);
            }
            if !woken {
                // Somebody took us off the list: the decision is on its way (invariant 2).
                seat.parker.park();
            }
            if let Some(job) = seat.slot.lock().take() {
                return Next::Run(job);
            }
        }
    }

    /// Goes onto the idle list. False if the pool is closed.
    fn lie_down(&self, seat: &Seat<J>) -> bool {
        let sleeper = Sleeper {
            slot: seat.slot.clone(),
            unparker: seat.parker.unparker(),
            thread: seat.key(),
        };
        self.shards[seat.shard].with(|state| {
            if !state.closed {
                state.sleepers.push(sleeper);
            }
            !state.closed
        })
    }

    /// Leaves the idle list. False if somebody else has taken the thread off it: then its token is
    /// on the way.
    fn get_up(&self, seat: &Seat<J>) -> bool {
        self.shards[seat.shard].with(|state| {
            let place = state
                .sleepers
                .iter()
                .position(|other| other.thread == seat.key());
            place.map(|place| state.sleepers.remove(place)).is_some()
        })
    }

    /// Stops being counted, unless there is a job after all.
    fn end(&self, seat: &Seat<J>) -> Next<J> {
        self.uncount_thread();
        // Invariant 3: a submitter may have found us counted, and queued its job.
        while self.has_queued() && self.count_thread() {
            if let Some(waiting) = self.take_job(seat.shard) {
                return Next::Run(waiting.job);
            }
            self.uncount_thread();
        }
        Next::End
    }

    /// A thread has ended: it will touch the queue no more. Called once for each one that was
    /// started.
    pub(crate) fn leave(&self) {
        self.door.leave();
    }

    /// Waits until all threads but `own` have left, and lets nobody start another; or until `deadline`, or
    /// until somebody [rings](Self::ring). Call [`close`](Self::close) before.
    pub(crate) fn wait(&self, own: usize, deadline: Option<Instant>) -> Waited {
        self.door.wait(own, deadline)
    }

    /// Ends the wait of the thread that is in [`wait`](Self::wait), or its next one.
    pub(crate) fn ring(&self) {
        self.door.ring();
    }

    /// Refuses new jobs, sends idle threads to their end, and returns the jobs that wait and for
    /// which `keep` is false. The others are left for the threads.
    pub(crate) fn close(&self, keep: impl Fn(&J) -> bool) -> Vec<J> {
        // First of all: a thread for a new job that is let in from here on would not be expected.
        self.door.close();
        let mut dropped = Vec::new();
        for shard in &self.shards {
            let sleepers = shard.with(|state| {
                state.closed = true;
                let (kept, rest): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut state.jobs)
                    .into_iter()
                    .partition(|waiting: &Waiting<J>| keep(&waiting.job));
                state.jobs = kept;
                dropped.extend(rest.into_iter().map(|waiting| waiting.job));
                std::mem::take(&mut state.sleepers)
            });
            for sleeper in sleepers {
                sleeper.unparker.unpark();
            }
        }
        dropped
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_jobs_wait_in_order() {
        let queue = Queue::new(2, 1);
        assert!(matches!(
            queue.submit(0, 1, false),
            Submitted::NeedThread(Start {
                shard: 0,
                job: 1,
                ..
            })
        ));
        assert!(matches!(queue.submit(0, 2, false), Submitted::Taken));
        assert!(matches!(queue.submit(0, 3, false), Submitted::Taken));
        // A job that must run at once gets its thread nevertheless.
        assert!(matches!(
            queue.submit(1, 9, true),
            Submitted::NeedThread(Start {
                shard: 1,
                job: 9,
                ..
            })
        ));
        let seat = Seat::new(0);
        assert!(matches!(
            queue.next(&seat, Duration::ZERO, || true),
            Next::Run(2)
        ));
        assert!(matches!(
            queue.next(&seat, Duration::ZERO, || true),
            Next::Run(3)
        ));
        assert!(matches!(
            queue.next(&seat, Duration::ZERO, || true),
            Next::End
        ));
        assert_eq!(queue.threads(), 0);
    }

    /// Submits a job that gets a thread of its own.
    fn start(queue: &Queue<u32>, job: u32) -> Start<u32> {
        match queue.submit(0, job, false) {
            Submitted::NeedThread(start) => start,
            other => panic!("there is room for a thread, but: {other:?}"),
        }
    }

    #[test]
    fn without_a_further_thread_jobs_wait_for_those_there_are() {
        let queue = Queue::new(1, 3);
        // There is none at all: it comes back, and is not counted.
        let failed = queue.not_started(start(&queue, 1));
        assert!(matches!(failed.own, Some(Unserved::NoThread(1))));
        assert_eq!((queue.threads(), queue.queued()), (0, 0));
        let _started = start(&queue, 1);
        let failed = queue.not_started(start(&queue, 2));
        assert!(failed.own.is_none() && failed.others.is_empty());
        assert_eq!((queue.threads(), queue.queued()), (1, 1));
        // The next submitter tries to get a thread again.
        let third = start(&queue, 3);
        let seat = Seat::new(0);
        assert!(matches!(
            queue.next(&seat, Duration::ZERO, || true),
            Next::Run(2)
        ));
        assert!(queue.close(|_| false).is_empty());
        let failed = queue.not_started(third);
        assert!(matches!(failed.own, Some(Unserved::Closed(3))));
    }

    #[test]
    fn a_job_that_relied_on_a_thread_that_did_not_start_ends_with_it() {
        let queue = Queue::new(2, 1);
        let first = start(&queue, 1);
        // Told that they are taken: the one thread that there may be is about to start.
        assert!(matches!(queue.submit(0, 2, false), Submitted::Taken));
        assert!(matches!(queue.submit(1, 3, false), Submitted::Taken));
        let failed = queue.not_started(first);
        assert!(matches!(failed.own, Some(Unserved::NoThread(1))));
        assert_eq!(failed.others, [2, 3]);
        assert_eq!((queue.threads(), queue.queued()), (0, 0));
        queue.close(|_| true);
        assert_eq!(queue.wait(0, None), Waited::Empty, "a place is left");
    }

    #[test]
    fn a_caller_hears_of_its_own_job_also_if_it_was_to_start_a_thread_for_another() {
        let queue = Queue::new(1, 1);
        let first = start(&queue, 1);
        // The caller of 2 is between its last look at the limit and its queueing.
        let ticket = queue.queue_up(0, 7).unwrap();
        queue.uncount_thread();
        let own = queue.queue_up(0, 2).unwrap();
        let Submitted::NeedThread(second) = queue.offer_room(0, Some(own)) else {
            panic!("there is room for a thread")
        };
        assert_eq!(second.job, 7);
        assert_ne!(ticket, own);
        let failed = queue.not_started(second);
        assert!(matches!(failed.own, Some(Unserved::NoThread(2))));
        assert_eq!(failed.others, [7]);
        drop(first);
    }

    #[test]
    fn a_job_that_comes_while_a_thread_gives_up_is_handed_to_it() {
        let queue = Queue::new(1, 1);
        assert!(matches!(
            queue.submit(0, 1, false),
            Submitted::NeedThread(Start { job: 1, .. })
        ));
        let comes = std::cell::Cell::new(Some(2));
        let next = queue.next(&Seat::new(0), Duration::ZERO, || {
            let job = comes.take().expect("it is asked once");
            assert!(matches!(queue.submit(0, job, false), Submitted::Taken));
            true
        });
        assert!(matches!(next, Next::Run(2)));
        assert_eq!((queue.threads(), queue.idle(), queue.queued()), (1, 0, 0));
    }

    #[test]
    fn closing_keeps_what_must_run() {
        let queue = Queue::new(1, 1);
        assert!(matches!(
            queue.submit(0, 1, false),
            Submitted::NeedThread(_)
        ));
        for job in 2..6 {
            assert!(matches!(queue.submit(0, job, false), Submitted::Taken));
        }
        assert_eq!(queue.close(|job| job % 2 == 0), [3, 5]);
        assert!(matches!(queue.submit(0, 6, false), Submitted::Closed(6)));
        let seat = Seat::new(0);
        assert!(matches!(
            queue.next(&seat, Duration::ZERO, || true),
            Next::Run(2)
        ));
        assert!(matches!(
            queue.next(&seat, Duration::ZERO, || true),
            Next::Run(4)
        ));
        assert!(matches!(
            queue.next(&seat, Duration::ZERO, || true),
            Next::End
        ));
        assert_eq!(queue.threads(), 0);
    }

    #[test]
    fn no_thread_starts_once_the_pool_was_seen_empty() {
        let queue = Queue::new(1, 2);
        assert!(queue.close(|_| true).is_empty());
        assert_eq!(queue.wait(0, None), Waited::Empty);
        assert!(!queue.door.enter());
        // A job that was queued while the shards were being closed comes back to its caller.
        queue.shards[0].with(|state| state.closed = false);
        let own = queue.queue_up(0, 5).unwrap();
        assert!(matches!(
            queue.offer_room(0, Some(own)),
            Submitted::Closed(5)
        ));
        assert_eq!((queue.threads(), queue.queued()), (0, 0));
    }
}
