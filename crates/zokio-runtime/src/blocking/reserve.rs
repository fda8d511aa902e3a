//! Threads for the runtime's own work while all others are busy with closures.
//!
//! Files, names and standard streams go through the pool where there is no other way. A program that keeps
//! all its threads busy, or waits in them for a file of its own, must not stop these. So a job of the
//! runtime's own that finds no thread and no room for one comes here: a few threads beside the others run
//! such jobs and nothing else, and end when there are none. The pool's threads take them as well, each in its
//! turn: a token in their queue says that there are some.
//!
//! Invariants:
//!
//! 1. Each job is taken out once, under the lock.
//! 2. While a job is here, a token is in the pool's queue or with one of its threads, or a thread of this file
//!    will look again: nobody leaves without having seen the list empty, under the lock.
//! 3. At most one token is about. Where it is refused or given up, and no thread of this file is left to look,
//!    whoever finds that takes all jobs out: the last of those who could not start a thread or pass the token.

use std::collections::VecDeque;
use zokio_base::sync::Mutex;

/// A job, and what tells it from all others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waiting<J> {
    pub(super) ticket: u64,
    pub(super) job: J,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<Waiting<J>>,
    next_ticket: u64,
    /// Threads of this file that live, or are about to start.
    threads: usize,
    has_token: bool,
}

/// Jobs of the runtime's own that found no thread.
#[derive(Debug)]
pub(super) struct Reserve<J> {
    state: Mutex<State<J>>,
    limit: usize,
}

/// The next duty of the caller of [`Reserve::push`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) struct Duties {
    /// The caller's own job.
    pub(super) ticket: u64,
    /// It starts a thread, or calls [`Reserve::not_started`].
    pub(super) starts_thread: bool,
    /// It puts the token into the pool's queue, or calls [`Reserve::token_refused`].
    pub(super) passes_token: bool,
}

impl<J> State<J> {
    /// Without a thread and without the token nobody will look here (invariant 2): all jobs.
    fn take_unserved(&mut self) -> Vec<Waiting<J>> {
        if self.threads > 0 || self.has_token {
            return Vec::new();
        }
        self.jobs.drain(..).collect()
    }
}

impl<J> Reserve<J> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                next_ticket: 0,
                threads: 0,
                has_token: false,
            }),
            limit,
        }
    }

    /// Whether there may be threads at all.
    pub(super) fn exists(&self) -> bool {
        self.limit > 0
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        self.state.lock().threads
    }

    /// How many jobs wait, less the one that the token in the pool's queue stands for.
    pub(super) fn queued(&self) -> usize {
        let state = self.state.lock();
        state
            .jobs
            .len()
            .saturating_sub(usize::from(state.has_token))
    }

    /// Leaves a job.
    pub(super) fn push(&self, job: J) -> Duties {
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.jobs.push_back(Waiting { ticket, job });
        let duties = Duties {
            ticket,
            starts_thread: state.threads < self.limit,
            passes_token: !state.has_token,
        };
        state.threads += usize::from(duties.starts_thread);
        state.has_token = true;
        duties
    }

    /// The next job of a thread of this file. None ends it: it is not counted any more.
    pub(super) fn next(&self) -> Option<J> {
        let mut state = self.state.lock();
        let waiting = state.jobs.pop_front();
        if waiting.is_none() {
            state.threads -= 1;
        }
        waiting.map(|waiting| waiting.job)
    }

    /// A thread that [`push`](Self::push) asked for could not be started. The token leads to the jobs, or
    /// is about to. If it was refused, relying on this thread, they come back: nobody will run them.
    pub(super) fn not_started(&self) -> Vec<Waiting<J>> {
        let mut state = self.state.lock();
        state.threads -= 1;
        state.take_unserved()
    }

    /// A thread of the pool has the token. Returns a job, and whether the token goes back into the pool's
    /// queue: there are more. Without a job it is gone.
    pub(super) fn redeem(&self) -> (Option<J>, bool) {
        let mut state = self.state.lock();
        let waiting = state.jobs.pop_front();
        state.has_token = !state.jobs.is_empty();
        (waiting.map(|waiting| waiting.job), state.has_token)
    }

    /// The pool does not take the token: it is closed, or has no thread. Or it gave the token up, as it
    /// lost the thread that was to find it. Returns what nobody will run, if that is so.
    pub(super) fn token_refused(&self) -> Vec<Waiting<J>> {
        let mut state = self.state.lock();
        state.has_token = false;
        state.take_unserved()
    }

    /// Takes out the jobs for which `keep` is false.
    pub(super) fn take_out(&self, keep: impl Fn(&J) -> bool) -> Vec<J> {
        let mut state = self.state.lock();
        let (kept, out): (_, VecDeque<_>) = std::mem::take(&mut state.jobs)
            .into_iter()
            .partition(|waiting| keep(&waiting.job));
        state.jobs = kept;
        out.into_iter().map(|waiting| waiting.job).collect()
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn threads_are_asked_for_up_to_the_limit_and_the_token_once() {
        let reserve = Reserve::new(2);
        let duties = |ticket, starts_thread, passes_token| Duties {
            ticket,
            starts_thread,
            passes_token,
        };
        assert_eq!(reserve.push(1), duties(0, true, true));
        assert_eq!(reserve.push(2), duties(1, true, false));
        assert_eq!(reserve.push(3), duties(2, false, false));
        assert_eq!((reserve.threads(), reserve.queued()), (2, 2));
        assert_eq!(reserve.redeem(), (Some(1), true));
        assert_eq!(reserve.next(), Some(2));
        // The last one is taken: the token goes.
        assert_eq!(reserve.redeem(), (Some(3), false));
        assert_eq!(reserve.push(4), duties(3, false, true));
        assert_eq!(reserve.next(), Some(4));
        assert_eq!(reserve.redeem(), (None, false));
        assert_eq!((reserve.next(), reserve.next()), (None, None));
        assert_eq!(reserve.threads(), 0);
    }

    fn jobs(unserved: Vec<Waiting<u32>>) -> Vec<u32> {
        unserved.into_iter().map(|waiting| waiting.job).collect()
    }

    #[test]
    fn what_nobody_will_run_comes_back() {
        let reserve = Reserve::new(1);
        assert!(reserve.push(1).starts_thread);
        let _ = reserve.push(2);
        assert!(reserve.token_refused().is_empty(), "a thread runs them");
        assert_eq!(jobs(reserve.not_started()), [1, 2]);
        assert!(reserve.push(3).starts_thread);
        let _ = reserve.push(4);
        assert_eq!(reserve.take_out(|job| *job == 4), [3]);
        assert_eq!(reserve.next(), Some(4));
    }

    #[test]
    fn the_last_who_cannot_start_a_thread_ends_what_relied_on_it() {
        let reserve = Reserve::new(2);
        let (first, second) = (reserve.push(1), reserve.push(2));
        assert!(first.starts_thread && first.passes_token);
        assert!(second.starts_thread && !second.passes_token);
        // The first caller: no thread, and nobody takes the token. The second may still get one.
        assert!(reserve.not_started().is_empty(), "the token is on its way");
        assert!(reserve.token_refused().is_empty(), "a thread may come");
        let unserved = reserve.not_started();
        assert_eq!(unserved[1].ticket, second.ticket);
        assert_eq!(jobs(unserved), [1, 2]);
        // As it is where the pool gives up the token later.
        let third = reserve.push(3);
        assert!(third.starts_thread && third.passes_token);
        assert!(reserve.not_started().is_empty());
        assert_eq!(jobs(reserve.token_refused()), [3]);
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use zokio_base::sync::atomic::{AtomicUsize, Ordering};
    use zokio_base::sync::{Arc, model, thread};

    /// Two callers leave jobs while a thread ends and a token is redeemed: each job is run once, and nobody
    /// leaves while one is there.
    #[test]
    fn each_job_is_run_once() {
        model(|| {
            let reserve = Arc::new(Reserve::new(1));
            let ran = Arc::new(AtomicUsize::new(0));
            let caller = |job: usize| {
                let (reserve, ran) = (reserve.clone(), ran.clone());
                move || {
                    let duties = reserve.push(job);
                    if duties.starts_thread {
                        while let Some(job) = reserve.next() {
                            ran.fetch_add(job, Ordering::Relaxed);
                        }
                    }
                    if duties.passes_token {
                        let mut is_mine = true;
                        while is_mine {
                            let (job, goes_on) = reserve.redeem();
                            ran.fetch_add(job.unwrap_or(0), Ordering::Relaxed);
                            is_mine = goes_on;
                        }
                    }
                }
            };
            let other = thread::spawn(caller(1));
            caller(10)();
            other.join().unwrap();
            assert_eq!(ran.load(Ordering::Relaxed), 11);
            assert_eq!((reserve.queued(), reserve.threads()), (0, 0));
        });
    }

    /// Two callers leave jobs; no thread starts, and the pool takes no token. Each job comes back, once.
    #[test]
    fn no_job_is_stranded_where_nobody_comes() {
        model(|| {
            let reserve = Arc::new(Reserve::new(2));
            let back = Arc::new(AtomicUsize::new(0));
            let caller = |job: usize| {
                let (reserve, back) = (reserve.clone(), back.clone());
                move || {
                    let duties = reserve.push(job);
                    let mut unserved = Vec::new();
                    if duties.starts_thread {
                        unserved = reserve.not_started();
                    }
                    if duties.passes_token {
                        unserved.extend(reserve.token_refused());
                    }
                    for waiting in unserved {
                        back.fetch_add(waiting.job, Ordering::Relaxed);
                    }
                }
            };
            let other = thread::spawn(caller(1));
            caller(10)();
            other.join().unwrap();
            assert_eq!(back.load(Ordering::Relaxed), 11);
            assert_eq!((reserve.queued(), reserve.threads()), (0, 0));
        });
    }
}
