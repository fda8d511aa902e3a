//! A worker's ring and its mailbox.
//!
//! The parties:
//!
//! - Any thread `submit`s into the mailbox, and unparks the worker if it is not the
//!   worker itself, or if the worker waits (`doorbell.rs`).
//! - The worker empties the mailbox into the ring with [`submit_pending`](Lane::submit_pending):
//!   once per turn of its loop and before it waits, one system call for the batch. Nobody else needs
//!   to, but anybody may: the lock is the worker's only in practice.
//! - Any thread [`reap`](Lane::reap)s. Whoever finds another at it leaves it to that one.
//! - The ring's descriptor is readable while completions wait; the worker watches it beside its
//!   sockets.
//!
//! Invariants:
//!
//! 1. The submission queue is touched under the `submission` lock, the completion queue inside the
//!    `completion` turnstile. A thread that has both took `completion` first and only tried the
//!    other. Who finds the turnstile taken leaves the completions to the thread inside, which
//!    looks again (`turnstile.rs`).
//! 2. A request is in the submission queue only while its operation has a slot: the slot is taken
//!    first and left last. So memory that the kernel may write to is owned by the slot.
//! 3. A message that got into the mailbox is submitted, refused or, if nobody waits for it and it
//!    would change nothing, left out; none is lost. After `close` none gets in.
//! 4. Wakers are called with no lock held, unless the caller's sink collects them.
//! 5. A worker waits without end only if the kernel has taken all that was left for it
//!    (`Lane::must_retry`): what ends a wait is a completion, or a thread that leaves something.
#![allow(unsafe_code)]

use super::OpMetrics;
use super::attempt::Attempt;
use super::doorbell::Doorbell;
use super::minder;
pub(crate) use super::minder::mind;
use super::probe::Refusal;
use super::ring::{Completion, Ring};
pub(crate) use super::shutdown::{is_keeper, keep};
use super::slots::Slots;
use super::submit::Submission;
use super::turnstile::Turnstile;
use crate::op::flying::{Finisher, Flying};
use crate::op::plane::UnparkWorker;
use io_uring::{cqueue, squeue};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use zokio_base::foreign;
use zokio_base::park::WakeSink;
use zokio_base::sync::Mutex;
use zokio_base::sync::std_atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// An entry of the mailbox.
pub(super) enum Message {
    /// Submit this.
    Submit(squeue::Entry, Finisher),
    /// Cancel this, if it is still in flight.
    Cancel(Arc<dyn Flying>),
}

struct Mailbox {
    messages: VecDeque<Message>,
    /// Nothing gets in any more.
    is_closed: bool,
}

/// A worker's ring and mailbox.
pub struct Lane {
    worker: usize,
    unpark: UnparkWorker,
    mailbox: Mutex<Mailbox>,
    bell: Doorbell,
    ring: Attempt<Ring>,
    pub(super) slots: Slots<Finisher>,
    pub(super) submission: Mutex<Submission>,
    completion: Turnstile,
    /// The kernel refused to be entered: nothing is submitted any more.
    pub(super) is_broken: AtomicBool,
    /// How many requests the kernel left in the submission queue. Written under the submission lock.
    pub(super) leftovers: AtomicUsize,
    /// The kernel has completions to post, and could not be entered for them. Written under the
    /// submission lock.
    is_unflushed: AtomicBool,
    /// The kernel has taken nothing for a while: new operations go elsewhere.
    pub(super) is_congested: AtomicBool,
    /// The worker's set cannot watch the ring: new operations go elsewhere.
    is_unwatched: AtomicBool,
    /// Operations that the shutdown did not wait for to the end.
    pub(super) abandoned: AtomicU64,
    /// Whether a thread looks after the lane in its worker's place.
    pub(super) minder: minder::Flag,
    pub(super) submitted: AtomicU64,
    pub(super) enters: AtomicU64,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("worker", &self.worker)
            .field("fd", &self.fd())
            .field("pending", &self.pending())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl Lane {
    pub(crate) fn new(worker: usize, unpark: UnparkWorker) -> Self {
        Self {
            worker,
            unpark,
            mailbox: Mutex::new(Mailbox {
                messages: VecDeque::new(),
                is_closed: false,
            }),
            bell: Doorbell::new(),
            ring: Attempt::new(),
            slots: Slots::new(),
            submission: Mutex::new(Submission::default()),
            completion: Turnstile::new(),
            is_broken: AtomicBool::new(false),
            leftovers: AtomicUsize::new(0),
            is_unflushed: AtomicBool::new(false),
            is_congested: AtomicBool::new(false),
            is_unwatched: AtomicBool::new(false),
            abandoned: AtomicU64::new(0),
            minder: minder::Flag::new(),
            submitted: AtomicU64::new(0),
            enters: AtomicU64::new(0),
        }
    }

    pub(super) fn ring(&self) -> Option<&Ring> {
        self.ring.get()
    }

    /// Makes the ring unless it is there.
    ///
    /// # Errors
    /// If the system refuses it, or something hinders the one that there is: the operation goes
    /// elsewhere.
    #[inline]
    pub(crate) fn ensure_ring(&self) -> Result<(), Refusal> {
        self.ring.get_or_try(Ring::build)?;
        // ORDERING: Relaxed, both: seen late, an operation waits for the ring a little longer.
        if self.is_congested.load(Ordering::Relaxed) {
            return Err(Refusal::hindered("io_uring_enter"));
        }
        // ORDERING: Relaxed: as above.
        if self.is_unwatched.load(Ordering::Relaxed) {
            return Err(Refusal::hindered("epoll_ctl"));
        }
        Ok(())
    }

    /// Whether the worker's set watches the ring. Where it cannot, completions end no wait.
    pub(crate) fn set_watched(&self, is_watched: bool) {
        // ORDERING: Relaxed: as in `ensure_ring`.
        self.is_unwatched.store(!is_watched, Ordering::Relaxed);
    }

    /// Whether the kernel owes this lane something that ends no wait: it left requests in the
    /// submission queue, or keeps completions back until it is entered. The worker then has to come
    /// back by itself.
    #[inline]
    pub(crate) fn must_retry(&self) -> bool {
        // ORDERING: Relaxed, both: the worker that asks wrote them, or reads them under the lock
        // next time.
        self.leftovers.load(Ordering::Relaxed) > 0
            // ORDERING: Relaxed: as above.
            || self.is_unflushed.load(Ordering::Relaxed) && self.in_flight() > 0
    }

    /// The ring's descriptor, to be watched for reading. None until an operation needed the ring.
    pub fn fd(&self) -> Option<RawFd> {
        self.ring().map(Ring::fd)
    }

    /// Registers an array of buffers under a name.
    ///
    /// # Safety
    /// As [`Ring::register_buffers`].
    pub(crate) unsafe fn register_buffers(
        &self,
        address: u64,
        count: u16,
        name: u16,
    ) -> io::Result<()> {
        let ring = self.ring().ok_or(io::ErrorKind::Unsupported)?;
        // SAFETY: the caller's promise.
        unsafe { ring.register_buffers(address, count, name) }
    }

    /// Takes back what was registered under a name.
    pub(crate) fn unregister_buffers(&self, name: u16) -> io::Result<()> {
        let ring = self.ring().ok_or(io::ErrorKind::Unsupported)?;
        ring.unregister_buffers(name)
    }

    /// How many messages wait to be submitted.
    #[inline]
    pub fn pending(&self) -> usize {
        self.bell.mail()
    }

    /// How many operations the ring holds.
    #[inline]
    pub fn in_flight(&self) -> usize {
        self.slots.len()
    }

    /// Whether something waits or is in flight that ends by itself: not what waits for others, as the
    /// readiness of a socket does.
    pub fn has_bounded(&self) -> bool {
        self.pending() > 0 || self.slots.has_bounded()
    }

    pub(crate) fn add_metrics(&self, metrics: &mut OpMetrics) {
        // ORDERING: Relaxed: metrics.
        metrics.on_ring += self.submitted.load(Ordering::Relaxed);
        metrics.enters += self.enters.load(Ordering::Relaxed);
        metrics.in_flight += self.in_flight() as u64;
        metrics.rings += u64::from(self.fd().is_some());
        // ORDERING: Relaxed: as above.
        metrics.abandoned += self.abandoned.load(Ordering::Relaxed);
    }

    /// Leaves an operation to be submitted. If the lane takes nothing any more, the operation is
    /// told so, and false is returned.
    pub(crate) fn submit(
        &self,
        entry: squeue::Entry,
        flying: Arc<dyn Flying>,
        is_owner: bool,
    ) -> bool {
        // SAFETY: the caller has just made this submission and gives it to one lane.
        let finisher = unsafe { Finisher::new(flying) };
        match self.post(Message::Submit(entry, finisher)) {
            Ok(()) => {
                // The worker submits before it waits, unless it waits already: elsewhere, with the
                // core that this thread has lost.
                if !is_owner || self.bell.must_ring() {
                    (self.unpark)(self.worker);
                }
                true
            }
            Err(Message::Submit(_, finisher)) => {
                foreign::wake_all(finisher.refuse());
                false
            }
            Err(Message::Cancel(_)) => false,
        }
    }

    /// Leaves many operations to be submitted, in their order, and rings once for all of them. If the
    /// lane takes nothing any more, each of them is told so.
    pub(crate) fn submit_many(
        &self,
        entries: Vec<(squeue::Entry, Arc<dyn Flying>)>,
        is_owner: bool,
    ) {
        let messages = entries.into_iter().map(|(entry, flying)| {
            // SAFETY: as in `submit`, for each of them.
            Message::Submit(entry, unsafe { Finisher::new(flying) })
        });
        let mut mailbox = self.mailbox.lock();
        // ORDERING: Relaxed: as in `post`.
        if mailbox.is_closed || self.is_broken.load(Ordering::Relaxed) {
            drop(mailbox);
            for message in messages {
                if let Message::Submit(_, finisher) = message {
                    foreign::wake_all(finisher.refuse());
                }
            }
            return;
        }
        mailbox.messages.extend(messages);
        self.bell.set_mail(mailbox.messages.len());
        drop(mailbox);
        if !is_owner || self.bell.must_ring() {
            (self.unpark)(self.worker);
        }
    }

    /// Asks for `flying` to be cancelled, whose future is gone. Best effort.
    pub(crate) fn cancel(&self, flying: Arc<dyn Flying>) {
        if self.post(Message::Cancel(flying)).is_ok() {
            (self.unpark)(self.worker);
        }
    }

    fn post(&self, message: Message) -> Result<(), Message> {
        let mut mailbox = self.mailbox.lock();
        // ORDERING: Relaxed: what is posted in vain is refused by whoever empties the mailbox.
        if mailbox.is_closed || self.is_broken.load(Ordering::Relaxed) {
            return Err(message);
        }
        mailbox.messages.push_back(message);
        self.bell.set_mail(mailbox.messages.len());
        Ok(())
    }

    /// Moves up to `limit` messages into `into`.
    pub(super) fn take_mail(&self, limit: usize, into: &mut Vec<Message>) {
        let mut mailbox = self.mailbox.lock();
        let count = limit.min(mailbox.messages.len());
        into.extend(mailbox.messages.drain(..count));
        self.bell.set_mail(mailbox.messages.len());
    }

    /// Lets nothing into the mailbox any more.
    pub(super) fn close(&self) {
        self.mailbox.lock().is_closed = true;
    }

    /// Whether the mailbox takes nothing any more.
    pub(super) fn is_closed(&self) -> bool {
        self.mailbox.lock().is_closed
    }

    /// Submits what waits, and wakes those whose operation goes elsewhere. Returns how many requests the
    /// kernel took. Not for a worker that is about to wait: it would not notice what it wakes.
    pub fn submit_pending(&self) -> usize {
        if !self.has_to_submit() {
            return 0;
        }
        let (taken, wakers) = self.submit_all();
        foreign::wake_all(wakers);
        taken
    }

    /// Submits what waits, and gives those whose operation goes elsewhere to `sink`. Returns how many
    /// those are.
    #[inline]
    pub(crate) fn submit_into<S: WakeSink>(&self, sink: &mut S) -> usize {
        if !self.has_to_submit() {
            return 0;
        }
        let (_, wakers) = self.submit_all();
        let count = wakers.len();
        for waker in wakers {
            sink.wake(waker);
        }
        count
    }

    #[inline]
    fn has_to_submit(&self) -> bool {
        // ORDERING: Relaxed: written under the lock that `submit_all` takes.
        self.pending() > 0 || self.leftovers.load(Ordering::Relaxed) > 0
    }

    /// The worker is about to wait. False if something waits to be submitted: then it must not.
    /// Every message that is left from here on unparks the worker.
    pub fn begin_wait(&self) -> bool {
        self.bell.begin_wait()
    }

    /// The worker waits no longer.
    pub fn end_wait(&self) {
        self.bell.end_wait();
    }

    /// Takes completions and gives whom they wake to `sink`. Returns how many there were; 0 if
    /// another thread is at it, which then looks again.
    pub fn reap<S: WakeSink>(&self, sink: &mut S) -> usize {
        if self.in_flight() == 0 {
            return 0;
        }
        let Some(ring) = self.ring() else {
            return 0;
        };
        let mut count = 0;
        self.completion.pass(|| count += self.reap_all(ring, sink));
        count
    }

    /// Takes completions until there are no more. Inside the turnstile.
    fn reap_all<S: WakeSink>(&self, ring: &Ring, sink: &mut S) -> usize {
        let mut count = 0;
        let mut has_entered = false;
        loop {
            // SAFETY: the completion queue is ours while we are inside (invariant 1), and this is
            // the only view of it.
            let completions = unsafe { ring.completions() };
            let mut in_this_turn = 0;
            for completion in completions {
                in_this_turn += 1;
                self.retire(&completion, sink);
            }
            count += in_this_turn;
            // Entered in vain: what is to be posted is for another thread to do, or was done and
            // the kernel left its flag up, which it does when the thread that submitted has ended.
            if has_entered && in_this_turn == 0 {
                return count;
            }
            has_entered = self.run_task_work(ring);
            if !has_entered && in_this_turn == 0 {
                return count;
            }
        }
    }

    fn retire<S: WakeSink>(&self, completion: &Completion, sink: &mut S) {
        // An operation retires on its last completion only.
        if cqueue::more(completion.flags) {
            let flying = self.slots.look_up(completion.name, Finisher::share);
            let waker = flying.and_then(|it| it.progress(completion.result, completion.flags));
            if let Some(waker) = waker {
                sink.wake(waker);
            }
            return;
        }
        let Some(finisher) = self.slots.retire(completion.name) else {
            return;
        };
        if let Some(waker) = finisher.complete(completion.result, completion.flags) {
            sink.wake(waker);
        }
    }

    /// Enters the kernel if it has completions that it can only post from inside. Returns whether
    /// it did.
    ///
    /// A peer may do this for a worker that is stuck ([`DriverHandle::service`](crate::DriverHandle::service)),
    /// and is not stuck by it. The call asks for no completions, so it waits for none. It moves what has
    /// overflowed, and runs task work of the calling thread only, which each return from a system call runs as
    /// well. What it might wait for is the kernel's lock of this ring: a thread that submits holds that for as
    /// long as the requests take that it begins, and such a thread holds `submission`, which we only try.
    fn run_task_work(&self, ring: &Ring) -> bool {
        let Some(_guard) = self.submission.try_lock() else {
            return false;
        };
        // SAFETY: we hold the submission lock (invariant 1).
        if !unsafe { ring.wants_entering() } {
            // Another entering has had them posted.
            // ORDERING: Relaxed: see `must_retry`. Asked first, to leave the cache line alone.
            if self.is_unflushed.load(Ordering::Relaxed) {
                self.is_unflushed.store(false, Ordering::Relaxed);
            }
            return false;
        }
        let has_entered = ring.enter_for_events().is_ok();
        // ORDERING: Relaxed: see `must_retry`.
        self.is_unflushed.store(!has_entered, Ordering::Relaxed);
        has_entered
    }
}
