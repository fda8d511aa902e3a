//! From the mailbox into the kernel.
//!
//! The kernel has these answers to a batch: it takes all of it; a part (the rest stays in the queue
//! and goes with the next call); nothing for now (`EBUSY`, `EAGAIN`, `ENOMEM`: completions have to be
//! reaped first, or memory has to come back); a signal came (`EINTR`: again); or it refuses to be entered at all (a filter that was
//! put in place later): then the lane is broken for good, what the kernel did not take runs
//! elsewhere, and what it did take is still reaped.
//!
//! Requests that the kernel left end no wait of the worker. So the worker comes back after a short time,
//! which grows ([`Lane::must_retry`]), and when the kernel takes nothing for a while, new operations go
//! elsewhere until it does. If it takes nothing for a second, the lane is broken as well.
//!
//! Invariant: `queued` holds the names of the requests in the submission queue that the kernel has
//! not taken, in the same order. That is how we know which are counted for the calling thread.
#![allow(unsafe_code)]

use super::lane::{Lane, Message};
use super::ring::Ring;
use super::slots::NOBODY;
use crate::op::flying::Finisher;
use crate::op::table::Cancel;
use io_uring::{opcode, squeue};
use std::collections::VecDeque;
use std::io;
use std::task::Waker;
use std::time::{Duration, Instant};
use zokio_base::clock::real_now;
use zokio_base::sync::std_atomic::Ordering;

/// How often one call is made again because of a signal.
const SIGNALS_MAX: u32 = 16;

/// How often in a row the kernel takes nothing before new operations go elsewhere.
pub(super) const REFUSALS_MAX: u32 = 8;

/// For how long the kernel may take nothing before the lane gives it up.
const REFUSED_MAX: Duration = Duration::from_secs(1);

/// The state that the submitter keeps between its calls.
#[derive(Default)]
pub(super) struct Submission {
    /// Names of what is in the submission queue. See the invariant above.
    queued: VecDeque<u64>,
    /// Messages on their way, kept for the allocation.
    batch: Vec<Message>,
    /// How often in a row the kernel took nothing.
    refusals: u32,
    /// When it first took nothing, if it did the last time.
    refused_since: Option<Instant>,
}

/// The outcome of entering the kernel.
enum Entered {
    /// The queue is empty.
    All,
    /// It took nothing for now.
    NotNow,
    /// It takes nothing any more.
    Broken,
}

impl Lane {
    /// Submits all that is in the mailbox. Returns how much the kernel took, and whom to wake: whose
    /// operation goes elsewhere.
    pub(super) fn submit_all(&self) -> (usize, Vec<Waker>) {
        let mut wakers = Vec::new();
        let Some(ring) = self.ring() else {
            return (0, wakers);
        };
        let mut submission = self.submission.lock();
        // ORDERING: Relaxed: written under the lock that we hold.
        let before = self.submitted.load(Ordering::Relaxed);
        loop {
            self.fill(ring, &mut submission, &mut wakers);
            if submission.queued.is_empty() {
                // A batch in which nothing was left to submit need not have been the last.
                if self.pending() == 0 {
                    break;
                }
                continue;
            }
            match self.enter(ring, &mut submission) {
                Entered::All => {}
                Entered::NotNow => break,
                Entered::Broken => {
                    self.give_up(&mut submission, &mut wakers);
                    break;
                }
            }
        }
        // ORDERING: Relaxed: as above.
        let after = self.submitted.load(Ordering::Relaxed);
        drop(submission);
        ((after - before) as usize, wakers)
    }

    /// Moves messages into the submission queue as long as it has room.
    fn fill(&self, ring: &Ring, submission: &mut Submission, wakers: &mut Vec<Waker>) {
        // SAFETY: we hold the submission lock (the lane's invariant 1).
        let room = unsafe { ring.room() };
        let mut batch = std::mem::take(&mut submission.batch);
        self.take_mail(room, &mut batch);
        for message in batch.drain(..) {
            let (entry, name) = match message {
                Message::Submit(_, finisher) if finisher.flying().is_idle_orphan() => {
                    wakers.extend(finisher.refuse());
                    continue;
                }
                Message::Submit(entry, finisher) => {
                    let is_standing = finisher.flying().row().cancel == Cancel::Always;
                    let name_it = |finisher: &Finisher, name| finisher.flying().set_name(name);
                    let name = self.slots.admit(finisher, is_standing, name_it);
                    (entry.user_data(name), name)
                }
                Message::Cancel(flying) => {
                    let name = flying.name();
                    if name == NOBODY || !self.slots.contains(name) {
                        continue;
                    }
                    (cancel_entry(name), NOBODY)
                }
            };
            push(ring, &entry);
            submission.queued.push_back(name);
        }
        submission.batch = batch;
    }

    /// Has the kernel take what is in the submission queue, and remembers what it left.
    fn enter(&self, ring: &Ring, submission: &mut Submission) -> Entered {
        let before = submission.queued.len();
        let mut entered = self.try_enter(ring, submission);
        if matches!(entered, Entered::NotNow) && submission.queued.len() == before {
            submission.refusals = submission.refusals.saturating_add(1);
            let now = real_now();
            let since = *submission.refused_since.get_or_insert(now);
            if now.saturating_duration_since(since) > REFUSED_MAX {
                entered = Entered::Broken;
            }
        } else {
            submission.refusals = 0;
            submission.refused_since = None;
        }
        self.note_leftovers(submission);
        entered
    }

    /// Called under the submission lock, whenever `queued` has changed for good.
    fn note_leftovers(&self, submission: &Submission) {
        // ORDERING: Relaxed: written under the lock, see `Lane::must_retry`.
        self.leftovers
            .store(submission.queued.len(), Ordering::Relaxed);
        let is_congested = submission.refusals >= REFUSALS_MAX;
        // ORDERING: Relaxed: see `Lane::ensure_ring`.
        self.is_congested.store(is_congested, Ordering::Relaxed);
    }

    fn try_enter(&self, ring: &Ring, submission: &mut Submission) -> Entered {
        let mut signals = 0;
        while !submission.queued.is_empty() {
            // ORDERING: Relaxed: a metric.
            self.enters.fetch_add(1, Ordering::Relaxed);
            match ring.submit() {
                Ok(0) => return Entered::NotNow,
                Ok(taken) => {
                    let taken = taken.min(submission.queued.len());
                    let names = submission.queued.drain(..taken);
                    self.slots.count_for_this_thread(names);
                    // ORDERING: Relaxed: a metric, and written under the submission lock only.
                    self.submitted.fetch_add(taken as u64, Ordering::Relaxed);
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) if signals < SIGNALS_MAX => signals += 1,
                    Some(libc::EINTR | libc::EBUSY | libc::EAGAIN | libc::ENOMEM) => {
                        return Entered::NotNow;
                    }
                    _ => return Entered::Broken,
                },
            }
        }
        Entered::All
    }

    /// Nothing is submitted any more: what the kernel did not take runs elsewhere. Returns whom to
    /// wake.
    pub(super) fn give_up_submitting(&self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        self.give_up(&mut self.submission.lock(), &mut wakers);
        wakers
    }

    /// The kernel refuses to be entered: what it did not take runs elsewhere.
    fn give_up(&self, submission: &mut Submission, wakers: &mut Vec<Waker>) {
        // ORDERING: Relaxed: the mailbox's lock orders it for `post`.
        self.is_broken.store(true, Ordering::Relaxed);
        // The queue is never submitted again, so the kernel never sees what these point at.
        for name in submission.queued.drain(..) {
            if let Some(finisher) = self.slots.retire(name) {
                wakers.extend(finisher.refuse());
            }
        }
        submission.refusals = 0;
        self.note_leftovers(submission);
        let mut rest = Vec::new();
        self.take_mail(usize::MAX, &mut rest);
        for message in rest {
            if let Message::Submit(_, finisher) = message {
                wakers.extend(finisher.refuse());
            }
        }
    }

    /// Asks for the operations that `choose` picks to be cancelled, at once.
    pub(super) fn cancel_where(&self, choose: impl Fn(&Finisher) -> bool) -> io::Result<()> {
        let Some(ring) = self.ring() else {
            return Ok(());
        };
        for name in self.slots.names(choose) {
            let mut submission = self.submission.lock();
            // Requests that the lane gave up on may still stand in the queue, and must not be taken now.
            // ORDERING: Relaxed: written under the lock that we hold.
            if self.is_broken.load(Ordering::Relaxed) {
                return Err(io::Error::from_raw_os_error(libc::EPERM));
            }
            // SAFETY: as in `fill`.
            if unsafe { ring.room() } == 0 {
                return Err(io::Error::from_raw_os_error(libc::EBUSY));
            }
            push(ring, &cancel_entry(name));
            submission.queued.push_back(NOBODY);
            if let Entered::Broken = self.enter(ring, &mut submission) {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

fn cancel_entry(name: u64) -> squeue::Entry {
    opcode::AsyncCancel::new(name).build().user_data(NOBODY)
}

/// Called under the submission lock.
fn push(ring: &Ring, entry: &squeue::Entry) {
    // SAFETY: the lock is held, and what the entry names belongs to an operation that has its slot
    // (the lane's invariant 2), or it names nothing.
    unsafe { ring.push(entry) };
}
