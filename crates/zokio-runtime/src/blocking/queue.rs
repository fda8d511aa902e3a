//! Who runs which job: idle threads and waiting jobs, in shards.
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
//!    count a thread (or, where the system gives none, looks whether any is counted); a thread
//!    stores `idle`, or uncounts itself, and then loads every `queued`. All of these are
//!    sequentially consistent, so at least one of the two sees the other.
//! 4. A thread that runs a job given with `at_once` is not counted, so that the workers, which are
//!    such jobs, do not take room from closures. It counts itself again afterwards, if there is room.
//! 5. After `close` no job is queued and no thread goes idle; the jobs that were queued are
//!    returned by `close`, or taken by threads before they end.

use std::collections::VecDeque;
use std::time::Duration;
use zokio_base::pad::CachePadded;
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{Arc, Mutex};

/// What becomes of a submitted job.
#[derive(Debug)]
#[must_use]
pub(crate) enum Submitted<J> {
    /// An idle thread has it, or it waits in a queue.
    Taken,
    /// The caller starts a thread in this shard, with the job as its first. The thread is counted
    /// already, unless the job was given with `at_once`.
    NeedThread { shard: usize, job: J },
    /// The pool is closed.
    Closed(J),
}

/// What a thread does next.
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
    jobs: VecDeque<J>,
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

    /// A thread that was counted could not be started, or ends.
    pub(crate) fn uncount_thread(&self) {
        // Sequentially consistent: invariant 3.
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes an idle thread off its list.
    fn take_sleeper(&self, home: usize) -> Option<Sleeper<J>> {
        self.from(home)
            .filter(|shard| shard.has_idle())
            .find_map(|shard| shard.with(|state| state.sleepers.pop()))
    }

    /// Hands `job` to a thread, or says what the caller is to do with it. With `at_once` the limit
    /// does not hold, and the job never waits in a queue.
    pub(crate) fn submit(&self, home: usize, job: J, at_once: bool) -> Submitted<J> {
        if self.shards[home].state.lock().closed {
            return Submitted::Closed(job);
        }
        if let Some(sleeper) = self.take_sleeper(home) {
            *sleeper.slot.lock() = Some(job);
            sleeper.unparker.unpark();
            if at_once {
                self.uncount_thread();
                return self.offer_room(home);
            }
            return Submitted::Taken;
        }
        if at_once || self.count_thread() {
            return Submitted::NeedThread { shard: home, job };
        }
        self.enqueue(home, job)
    }

    /// Every thread was busy and there were enough of them: the job waits.
    fn enqueue(&self, home: usize, job: J) -> Submitted<J> {
        match self.queue_up(home, job) {
            Some(submitted) => submitted,
            None => self.offer_room(home),
        }
    }

    /// There is room for a thread, but the system gives none, and the caller has uncounted it: the
    /// job waits for a thread that there is. It comes back, as one that needs a thread and has none
    /// counted, if there is none.
    pub(crate) fn wait_for_thread(&self, home: usize, job: J) -> Submitted<J> {
        if let Some(submitted) = self.queue_up(home, job) {
            return submitted;
        }
        // Sequentially consistent: invariant 3. The last thread may have ended since we looked.
        if self.threads.load(Ordering::SeqCst) == 0 {
            let job = self.shards[home].with(|state| state.jobs.pop_back());
            if let Some(job) = job {
                return Submitted::NeedThread { shard: home, job };
            }
        }
        Submitted::Taken
    }

    /// Puts `job` into the queue of `home`. None if it still is there and nobody was told.
    fn queue_up(&self, home: usize, job: J) -> Option<Submitted<J>> {
        let refused = self.shards[home].with(|state| {
            if state.closed {
                return Some(job);
            }
            state.jobs.push_back(job);
            None
        });
        if let Some(job) = refused {
            return Some(Submitted::Closed(job));
        }
        // Invariant 3: a thread may have gone idle, or ended, since we looked.
        let sleeper = self.take_sleeper(home)?;
        sleeper.unparker.unpark();
        Some(Submitted::Taken)
    }

    /// There may be room for a thread: if a job waits, it gets one. Counting and finding no job
    /// hides the room from others for a moment, so the queues are looked at again afterwards.
    fn offer_room(&self, home: usize) -> Submitted<J> {
        while self.from(home).any(Shard::has_queued) && self.count_thread() {
            if let Some(job) = self.take_job(home) {
                return Submitted::NeedThread { shard: home, job };
            }
            self.uncount_thread();
        }
        Submitted::Taken
    }

    fn take_job(&self, home: usize) -> Option<J> {
        self.from(home)
            .filter(|shard| shard.has_queued())
            .find_map(|shard| shard.with(|state| state.jobs.pop_front()))
    }

    /// What a thread does after a job. Waits for `keep_alive` at most, unless `may_end` says that the
    /// thread has to stay.
    pub(crate) fn next(
        &self,
        seat: &Seat<J>,
        keep_alive: Duration,
        may_end: impl Fn() -> bool,
    ) -> Next<J> {
        loop {
            if let Some(job) = self.take_job(seat.shard) {
                return Next::Run(job);
            }
            if !self.lie_down(seat) {
                return self.end(seat);
            }
            // Invariant 3: a job may have been queued since we looked.
            if self.from(seat.shard).any(Shard::has_queued) && self.get_up(seat) {
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
        while self.from(seat.shard).any(Shard::has_queued) && self.count_thread() {
            if let Some(job) = self.take_job(seat.shard) {
                return Next::Run(job);
            }
            self.uncount_thread();
        }
        Next::End
    }

    /// Refuses new jobs, sends idle threads to their end, and returns the jobs that wait and for
    /// which `keep` is false. The others are left for the threads.
    pub(crate) fn close(&self, keep: impl Fn(&J) -> bool) -> Vec<J> {
        let mut dropped = Vec::new();
        for shard in &self.shards {
            let sleepers = shard.with(|state| {
                state.closed = true;
                let (kept, rest): (VecDeque<J>, VecDeque<J>) =
                    std::mem::take(&mut state.jobs).into_iter().partition(&keep);
                state.jobs = kept;
                dropped.extend(rest);
                std::mem::take(&mut state.sleepers)
            });
            for sleeper in sleepers {
                sleeper.unparker.unpark();
            }
        }
        dropped
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use zokio_base::sync::{model, thread};

    const LONG: Duration = Duration::from_secs(3600);

    /// A thread of a pool: runs jobs to its end, and counts them.
    fn serve(queue: &Queue<u32>, shard: usize, first: u32, ran: &AtomicUsize) {
        let seat = Seat::new(shard);
        let mut job = first;
        loop {
            ran.fetch_add(job as usize, Ordering::Relaxed);
            match queue.next(&seat, LONG, || true) {
                Next::Run(next) => job = next,
                Next::End => return,
            }
        }
    }

    type Thread = thread::JoinHandle<()>;

    fn submit(
        queue: &Arc<Queue<u32>>,
        home: usize,
        job: u32,
        ran: &Arc<AtomicUsize>,
    ) -> Option<Thread> {
        match queue.submit(home, job, false) {
            Submitted::Taken => None,
            Submitted::Closed(_) => panic!("nobody has closed the pool"),
            Submitted::NeedThread { shard, job } => {
                let (queue, ran) = (queue.clone(), ran.clone());
                Some(thread::spawn(move || serve(&queue, shard, job, &ran)))
            }
        }
    }

    fn finish(queue: &Queue<u32>, threads: impl IntoIterator<Item = Option<Thread>>) {
        assert!(queue.close(|_| true).is_empty());
        for thread in threads.into_iter().flatten() {
            thread.join().unwrap();
        }
        assert_eq!(queue.threads(), 0);
    }

    #[test]
    fn every_job_runs_whether_its_thread_idles_or_not() {
        model(|| {
            let queue = Arc::new(Queue::new(1, 1));
            let ran = Arc::new(AtomicUsize::new(0));
            let first = submit(&queue, 0, 1, &ran);
            let second = submit(&queue, 0, 10, &ran);
            finish(&queue, [first, second]);
            assert_eq!(ran.load(Ordering::Relaxed), 11);
        });
    }

    #[test]
    fn a_job_reaches_the_thread_of_another_shard() {
        model(|| {
            let queue = Arc::new(Queue::new(2, 1));
            let ran = Arc::new(AtomicUsize::new(0));
            let first = submit(&queue, 0, 1, &ran);
            let second = submit(&queue, 1, 10, &ran);
            finish(&queue, [first, second]);
            assert_eq!(ran.load(Ordering::Relaxed), 11);
        });
    }

    #[test]
    fn two_submitters_and_one_thread() {
        model(|| {
            let queue = Arc::new(Queue::new(1, 1));
            let ran = Arc::new(AtomicUsize::new(0));
            let other = {
                let (queue, ran) = (queue.clone(), ran.clone());
                thread::spawn(move || submit(&queue, 0, 10, &ran))
            };
            let first = submit(&queue, 0, 1, &ran);
            let second = other.join().unwrap();
            finish(&queue, [first, second]);
            assert_eq!(ran.load(Ordering::Relaxed), 11);
        });
    }

    #[test]
    fn a_job_that_gets_no_thread_of_its_own_runs_or_comes_back() {
        model(|| {
            let queue = Arc::new(Queue::new(1, 2));
            let ran = Arc::new(AtomicUsize::new(0));
            let Submitted::NeedThread { shard, job } = queue.submit(0, 1, false) else {
                panic!("there is room")
            };
            let first = {
                let (queue, ran) = (queue.clone(), ran.clone());
                thread::spawn(move || {
                    let seat = Seat::new(shard);
                    let mut job = job;
                    loop {
                        ran.fetch_add(job as usize, Ordering::Relaxed);
                        // It ends as soon as it finds nothing to do.
                        match queue.next(&seat, Duration::ZERO, || true) {
                            Next::Run(next) => job = next,
                            Next::End => return,
                        }
                    }
                })
            };
            let returned = match queue.wait_for_thread(0, 10) {
                Submitted::Taken => 0,
                Submitted::Closed(_) => panic!("nobody has closed the pool"),
                Submitted::NeedThread { job, .. } => job as usize,
            };
            finish(&queue, [Some(first)]);
            assert_eq!(ran.load(Ordering::Relaxed) + returned, 11);
        });
    }

    #[test]
    fn closing_against_submitting_loses_no_job() {
        model(|| {
            let queue = Arc::new(Queue::new(1, 1));
            let ran = Arc::new(AtomicUsize::new(0));
            let first = submit(&queue, 0, 1, &ran);
            let other = {
                let queue = queue.clone();
                thread::spawn(move || match queue.submit(0, 10, false) {
                    Submitted::Taken => (0, None),
                    Submitted::Closed(job) => (job as usize, None),
                    // Counted, and run here.
                    Submitted::NeedThread { job, .. } => {
                        queue.uncount_thread();
                        (job as usize, None::<Thread>)
                    }
                })
            };
            let dropped: u32 = queue.close(|_| false).into_iter().sum();
            let (returned, _) = other.join().unwrap();
            if let Some(thread) = first {
                thread.join().unwrap();
            }
            assert_eq!(
                ran.load(Ordering::Relaxed) + returned + dropped as usize,
                11
            );
            assert_eq!(queue.threads(), 0);
        });
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_jobs_wait_in_order() {
        let queue = Queue::new(2, 1);
        assert!(matches!(
            queue.submit(0, 1, false),
            Submitted::NeedThread { shard: 0, job: 1 }
        ));
        assert!(matches!(queue.submit(0, 2, false), Submitted::Taken));
        assert!(matches!(queue.submit(0, 3, false), Submitted::Taken));
        // What must run at once gets its thread nevertheless.
        assert!(matches!(
            queue.submit(1, 9, true),
            Submitted::NeedThread { shard: 1, job: 9 }
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

    #[test]
    fn without_a_further_thread_jobs_wait_for_those_there_are() {
        let queue = Queue::new(1, 3);
        // There is none at all: it comes back, and is not counted.
        assert!(matches!(
            queue.wait_for_thread(0, 1),
            Submitted::NeedThread { job: 1, .. }
        ));
        assert_eq!((queue.threads(), queue.queued()), (0, 0));
        assert!(matches!(
            queue.submit(0, 1, false),
            Submitted::NeedThread { job: 1, .. }
        ));
        assert!(matches!(queue.wait_for_thread(0, 2), Submitted::Taken));
        assert_eq!((queue.threads(), queue.queued()), (1, 1));
        // Who comes next tries to get a thread again.
        assert!(matches!(
            queue.submit(0, 3, false),
            Submitted::NeedThread { job: 3, .. }
        ));
        let seat = Seat::new(0);
        assert!(matches!(
            queue.next(&seat, Duration::ZERO, || true),
            Next::Run(2)
        ));
        assert!(queue.close(|_| false).is_empty());
        assert!(matches!(queue.wait_for_thread(0, 4), Submitted::Closed(4)));
    }

    #[test]
    fn a_job_that_comes_while_a_thread_gives_up_is_handed_to_it() {
        let queue = Queue::new(1, 1);
        assert!(matches!(
            queue.submit(0, 1, false),
            Submitted::NeedThread { job: 1, .. }
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
            Submitted::NeedThread { .. }
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
}
