//! The holder of a core: seats, tenures, and how a core changes hands while its thread is stuck.
//!
//! Each worker has a [`Seat`]. A thread that runs the worker holds the seat through a [`Tenure`],
//! of which each thread makes its own. Holding the seat is the right to touch the core. A seat
//! changes hands in three ways: its holder gives it away (`block_in_place`), a taker takes it
//! while the holder is stuck in a poll (stall containment), or the holder retires it (shutdown).
//! Where no thread can be had for the core, a visitor does what is needed in the place of a holder
//! that is stuck, and the holder keeps the seat.
//!
//! # The protocol of taking
//!
//! The holder's word says whether it is in a poll (`IN_POLL`), where it does not touch the core,
//! or in a *section*, where it may. The word is written by the holder only, with plain stores. A
//! poll that needs the core (a wake, a spawn) opens a section for it.
//!
//! Holder, opening a section:
//!
//! - H1. store the word without `IN_POLL`
//! - H2. compiler fence
//! - H3. load `stolen`; if clear, the core is ours
//! - H4. otherwise lock the seat and read who holds it: that is the answer. A free seat is claimed
//!   back. If the answer is yes, clear `stolen`.
//!
//! Holder, closing the section: H5. store the word with `IN_POLL` (release).
//!
//! Taker, with the seat locked throughout:
//!
//! - T1. store `stolen`
//! - T2. `membarrier`: each running thread of the process executes a full fence between T1 and T3
//! - T3. load the word (acquire)
//! - T4. if it has `IN_POLL`: the seat is free, and the taker may have another thread claim it;
//!   otherwise back out, and leave `stolen` set
//!
//! A visitor does the same, touches the core between T3 and T4 while it still has the lock, and
//! leaves the seat with the holder.
//!
//! **Invariant 1:** at no time do two threads touch the core. Proof: let the holder's section be
//! concurrent with a taking that succeeds. The barrier T2 falls somewhere into the holder's
//! program order. If it falls after H1, T3 sees H1's store or a later one. As the taker saw
//! `IN_POLL`, it saw a later one: H5 of this section or of one after it, and with the acquire all
//! that the section did happens before what the taker does. If it falls before H1, then T1 happens
//! before H3, which reads `stolen` set (invariant 4); H4 then waits for the lock and learns the
//! truth. Models execute H2 and T2 as sequentially consistent fences.
//!
//! **Invariant 2:** a seat that is [`Holder::Free`] is claimed under its lock, by one thread.
//!
//! **Invariant 3:** `stolen` is set whenever the seat is not held by its tenure, so that H3 sends
//! every thread that lost the core to H4. It may also be set while the tenure holds the seat: that
//! costs the thread one look at the lock.
//!
//! **Invariant 4:** only the thread of a tenure clears its `stolen`, and only under the seat's lock.
//! So a thread that reads it clear at H3 has passed through the lock since another thread was last
//! in the core (a taker that gave the core back, a visitor, a thread that had the core in between),
//! and what that thread did to the core happens before H3. A relaxed load is enough there.
//!
//! **Invariant 5:** a seat is freed or retired only by the tenure that holds it. A thread that lost
//! its core and ends by a panic frees nothing.

use std::panic::Location;
use std::ptr::null_mut;
use zokio_base::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, compiler_fence,
};
use zokio_base::sync::{Arc, Mutex};

/// Set in a tenure's word while its thread polls a task and stays away from the core. The bits
/// above count the polls.
const IN_POLL: u64 = 1;

/// One thread's time as the runner of a worker.
#[derive(Debug)]
pub(crate) struct Tenure {
    /// Number of the poll, and [`IN_POLL`]. Written by the holder only.
    word: AtomicU64,
    /// Written by takers under the seat's lock, and by the holder when it gives the core away.
    stolen: AtomicBool,
    /// The holder gave the core away on purpose and does not want it back (yet). Holder only.
    away: AtomicBool,
    /// The task that is polled, for reports. Written by the holder only.
    task: AtomicU64,
    /// Where that task was spawned.
    location: AtomicPtr<Location<'static>>,
    /// The kernel's name for the thread; zero if it has none that helps.
    thread: AtomicU32,
}

/// The part of a tenure that the monitor sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glimpse {
    /// The word: equal words mean the same poll.
    pub(crate) word: u64,
    /// The kernel's name for the thread.
    pub(crate) thread: u32,
}

impl Glimpse {
    /// Whether the thread was in a poll.
    pub(crate) fn in_poll(self) -> bool {
        self.word & IN_POLL != 0
    }

    /// Which poll this is, or was last.
    pub(crate) fn poll(self) -> u64 {
        self.word >> 1
    }
}

/// The right to touch the core, for a while.
#[derive(Debug)]
#[must_use]
pub(crate) struct Section<'a> {
    tenure: &'a Tenure,
    /// The word to restore.
    outer: u64,
}

impl Section<'_> {
    /// Whether the section was opened by code in a poll (and not by the loop between polls).
    #[inline]
    pub(crate) fn is_of_poll(&self) -> bool {
        self.outer & IN_POLL != 0
    }
}

impl Drop for Section<'_> {
    #[inline]
    fn drop(&mut self) {
        // H5. Release pairs with T3.
        self.tenure.word.store(self.outer, Ordering::Release);
    }
}

impl Tenure {
    /// A tenure that holds no seat yet, of the thread that the kernel calls `thread`.
    pub(crate) fn new(thread: u32) -> Arc<Self> {
        Arc::new(Self {
            word: AtomicU64::new(0),
            stolen: AtomicBool::new(true),
            away: AtomicBool::new(false),
            task: AtomicU64::new(0),
            location: AtomicPtr::new(null_mut()),
            thread: AtomicU32::new(thread),
        })
    }

    /// Opens a section, nested or not. None if the core is in other hands.
    #[inline]
    pub(crate) fn section(self: &Arc<Self>, seat: &Seat) -> Option<Section<'_>> {
        // Relaxed: the word is our own.
        let outer = self.word.load(Ordering::Relaxed);
        if outer & IN_POLL == 0 {
            return Some(Section {
                tenure: self,
                outer,
            });
        }
        if self.open(outer, seat) {
            return Some(Section {
                tenure: self,
                outer,
            });
        }
        // Relaxed: the core was not touched.
        self.word.store(outer, Ordering::Relaxed);
        None
    }

    /// Steps H1 to H4. Whether the core is ours.
    #[inline]
    fn open(self: &Arc<Self>, word: u64, seat: &Seat) -> bool {
        // H1. Relaxed: ordered by H2 and its counterpart T2.
        self.word.store(word & !IN_POLL, Ordering::Relaxed);
        // H2. Only the compiler is held back; T2 supplies the rest.
        compiler_fence(Ordering::SeqCst);
        // H3. Relaxed: as H1.
        !self.stolen.load(Ordering::Relaxed) || self.settle(seat)
    }

    /// Step H4.
    #[cold]
    fn settle(self: &Arc<Self>, seat: &Seat) -> bool {
        // Relaxed: `away` is our own.
        !self.away.load(Ordering::Relaxed) && seat.settle(self)
    }

    /// A poll begins: from here on the core is left alone.
    #[inline]
    pub(crate) fn begin_poll(&self, task: u64, location: Option<&'static Location<'static>>) {
        // Relaxed: for reports, which read them when the word did not change for long.
        self.task.store(task, Ordering::Relaxed);
        self.location.store(
            location.map_or(null_mut(), |location| {
                std::ptr::from_ref(location).cast_mut()
            }),
            Ordering::Relaxed,
        );
        // Relaxed: the word is our own.
        let word = self.word.load(Ordering::Relaxed);
        debug_assert_eq!(word & IN_POLL, 0);
        // H5. Release pairs with T3. Adding two counts the poll.
        self.word
            .store(word.wrapping_add(2) | IN_POLL, Ordering::Release);
    }

    /// The poll ended. Whether the core is still ours.
    #[inline]
    #[must_use]
    pub(crate) fn end_poll(self: &Arc<Self>, seat: &Seat) -> bool {
        // Relaxed: the word is our own.
        let word = self.word.load(Ordering::Relaxed);
        debug_assert_eq!(word & IN_POLL, IN_POLL);
        let held = self.open(word, seat);
        if !held {
            self.leave();
        }
        held
    }

    /// The thread runs its worker no more: the core is in other hands, or about to be, and no section that
    /// this thread opens from now on gets it, nor claims a free seat, which nobody would give back.
    pub(crate) fn leave(&self) {
        self.set_away(true);
        // Relaxed: the word is our own.
        let word = self.word.load(Ordering::Relaxed);
        // H5. Release pairs with T3. Adding two tells it from the poll that has ended.
        self.word
            .store(word.wrapping_add(2) | IN_POLL, Ordering::Release);
    }

    /// Whether the thread is in a poll. For the thread itself.
    pub(crate) fn in_poll(&self) -> bool {
        // Relaxed: the word is our own.
        self.word.load(Ordering::Relaxed) & IN_POLL != 0
    }

    /// Says that the core, which was just given away, is not wanted back until `false` is said.
    pub(crate) fn set_away(&self, away: bool) {
        // Relaxed: read by this thread only.
        self.away.store(away, Ordering::Relaxed);
    }

    /// The part that can be seen from outside.
    pub(crate) fn glimpse(&self) -> Glimpse {
        // Relaxed: a guess that the taking checks.
        Glimpse {
            word: self.word.load(Ordering::Relaxed),
            thread: self.thread.load(Ordering::Relaxed),
        }
    }

    /// The task of the current poll, for reports.
    #[allow(unsafe_code)]
    pub(crate) fn task(&self) -> (u64, Option<&'static Location<'static>>) {
        // Relaxed: the word was seen not to change, so these belong to the poll that is stuck.
        let task = self.task.load(Ordering::Relaxed);
        let location = self.location.load(Ordering::Relaxed);
        // SAFETY: the pointer is null or was made from a `&'static` in `begin_poll`.
        (task, unsafe { location.as_ref() })
    }
}

/// The holder of the right to a core.
#[derive(Debug)]
enum Holder {
    /// Nobody: the first claim gets it.
    Free,
    /// This tenure's thread.
    Held(Arc<Tenure>),
    /// Nobody ever again but the one who ends the scheduler.
    Retired,
}

/// Whether a thread is on its way to a seat. A thread takes its time to start, and cores may be given
/// away and claimed back many times until then: one is enough.
///
/// The thread: C1. clears the flag; C2. looks at the seat, under its lock. Whoever left the seat free:
/// D1. has freed it, under the lock; D2. sets the flag, and sends a thread only if it was clear. If D2
/// finds the flag set, C1 does not happen before it, so C2 does not come before D1 in the order of the
/// lock: the thread finds the seat free, or another that has claimed it.
#[derive(Debug, Default)]
pub(crate) struct Coming(AtomicBool);

impl Coming {
    /// D2. Whether a thread is to be sent.
    #[must_use]
    pub(crate) fn begin(&self) -> bool {
        // Relaxed: ordered by the seat's lock (D1, C2), as shown above.
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// C1, or there is no thread.
    pub(crate) fn end(&self) {
        // Relaxed: as above.
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A worker's place.
#[derive(Debug)]
pub(crate) struct Seat {
    holder: Mutex<Holder>,
}

impl Seat {
    /// A free seat.
    pub(crate) fn new() -> Self {
        Self {
            holder: Mutex::new(Holder::Free),
        }
    }

    /// Claims a free seat for `tenure`, which is the calling thread's.
    pub(crate) fn claim(&self, tenure: &Arc<Tenure>) -> bool {
        let mut holder = self.holder.lock();
        if !matches!(*holder, Holder::Free) {
            return false;
        }
        *holder = Holder::Held(tenure.clone());
        // Relaxed: read by this very thread; the lock orders the rest (invariant 4).
        tenure.stolen.store(false, Ordering::Relaxed);
        true
    }

    /// Step H4: whether the seat is, or now becomes again, `tenure`'s.
    fn settle(&self, tenure: &Arc<Tenure>) -> bool {
        let mut holder = self.holder.lock();
        match &*holder {
            Holder::Held(other) if Arc::ptr_eq(other, tenure) => {}
            Holder::Held(_) | Holder::Retired => return false,
            Holder::Free => *holder = Holder::Held(tenure.clone()),
        }
        // Relaxed: read by this very thread; the lock orders the rest (invariant 4).
        tenure.stolen.store(false, Ordering::Relaxed);
        true
    }

    /// Leaves the seat free, if `tenure`, which is the calling thread's, holds it. A caller that still
    /// runs has opened a section. Returns whether the seat is free now.
    pub(crate) fn give_away(&self, tenure: &Arc<Tenure>) -> bool {
        self.release(tenure, Holder::Free)
    }

    /// Leaves the seat for good, if `tenure`, which is the calling thread's, holds it.
    pub(crate) fn retire(&self, tenure: &Arc<Tenure>) -> bool {
        self.release(tenure, Holder::Retired)
    }

    /// Puts `left` in the place of `tenure` (invariant 5). Returns whether `tenure` was there.
    fn release(&self, tenure: &Arc<Tenure>, left: Holder) -> bool {
        let mut holder = self.holder.lock();
        let is_held = matches!(&*holder, Holder::Held(held) if Arc::ptr_eq(held, tenure));
        if is_held {
            // Relaxed: read by this very thread (invariant 3).
            tenure.stolen.store(true, Ordering::Relaxed);
            *holder = left;
        }
        is_held
    }

    /// Takes the core from a holder whose word is still `word`, which has `IN_POLL` set. `barrier`
    /// is step T2. Returns the tenure that lost the core.
    pub(crate) fn take(&self, word: u64, barrier: impl FnOnce() -> bool) -> Option<Arc<Tenure>> {
        let mut holder = self.holder.lock();
        let tenure = Self::stop(&holder, word, barrier)?.clone();
        *holder = Holder::Free;
        Some(tenure)
    }

    /// Runs `visit`, which may touch the core, in the place of a holder whose word is still `word`,
    /// which has `IN_POLL` set. The holder keeps the seat. `visit` runs under the lock: it calls no
    /// foreign code.
    pub(crate) fn visit<R>(
        &self,
        word: u64,
        barrier: impl FnOnce() -> bool,
        visit: impl FnOnce() -> R,
    ) -> Option<R> {
        let holder = self.holder.lock();
        Self::stop(&holder, word, barrier)?;
        // The lock is held until `visit` returns, so that H4 waits for it.
        Some(visit())
    }

    /// Steps T1 to T3, under the lock: the holder, if it is in the poll that `word` stands for. As
    /// long as the lock is held it opens no section.
    fn stop(holder: &Holder, word: u64, barrier: impl FnOnce() -> bool) -> Option<&Arc<Tenure>> {
        let Holder::Held(tenure) = holder else {
            return None;
        };
        // Relaxed: a shortcut; T3 decides.
        if tenure.word.load(Ordering::Relaxed) != word {
            return None;
        }
        // T1. Relaxed: ordered by T2. Only the holder's thread clears it again (invariant 4).
        tenure.stolen.store(true, Ordering::Relaxed);
        // T2 and T3. Acquire pairs with H5.
        let is_stopped = barrier() && tenure.word.load(Ordering::Acquire) == word;
        is_stopped.then_some(tenure)
    }

    /// Gives the core back to `tenure`, another thread's, if nobody claimed it in the meantime: there
    /// was no thread to run it. `stolen` stays set, so that its thread passes through the lock before
    /// it touches the core (invariant 4).
    pub(crate) fn give_back(&self, tenure: &Arc<Tenure>) -> bool {
        let mut holder = self.holder.lock();
        let is_free = matches!(*holder, Holder::Free);
        if is_free {
            *holder = Holder::Held(tenure.clone());
        }
        is_free
    }

    /// Whether `tenure` holds the seat.
    pub(crate) fn is_held_by(&self, tenure: &Arc<Tenure>) -> bool {
        matches!(&*self.holder.lock(), Holder::Held(held) if Arc::ptr_eq(held, tenure))
    }

    /// Whether nobody holds the seat, and somebody may.
    pub(crate) fn is_free(&self) -> bool {
        matches!(*self.holder.lock(), Holder::Free)
    }

    /// Whether a thread holds the seat.
    pub(crate) fn is_held(&self) -> bool {
        matches!(*self.holder.lock(), Holder::Held(_))
    }

    /// The tenure that holds the seat.
    pub(crate) fn holder(&self) -> Option<Arc<Tenure>> {
        match &*self.holder.lock() {
            Holder::Held(tenure) => Some(tenure.clone()),
            Holder::Free | Holder::Retired => None,
        }
    }
}

#[cfg(all(test, zokio_loom))]
#[path = "tests/model_handoff.rs"]
mod model;

#[cfg(all(test, not(zokio_model)))]
#[path = "tests/handoff.rs"]
mod tests;
