//! Waiters that are woken one at a time or all at once.
//!
//! One word holds what a future has to know without the lock: whether somebody waits, whether a
//! notification is stored for the next to come, and how often everybody was notified. Waiters are
//! nodes inside of their futures, in lists behind a lock. The word has 64 bits on every target: the
//! number of rounds says in which list a node is, and must not come round while the node is there.
//!
//! Notifying everybody must not wake under the lock, nor let go of the lock with a list that a
//! dropped future could not leave. So all who wait move to a second list, `draining`, in one step;
//! they count as notified from then on, and their wakers are taken from there batch by batch.
//!
//! Invariants:
//!
//! 1. The word's mode is `WAITING` exactly while `waiting` is not empty. It enters and leaves this
//!    mode under the lock only.
//! 2. A future keeps the number of rounds (calls that notify everybody) it has seen when it was
//!    made. A node in a list is in `waiting` if that is still the number of rounds, else in
//!    `draining`. The number changes under the lock only.
//! 3. A node's `links` and `waker` are touched under the lock, or by its own future while it is in
//!    no list.
//! 4. A notifier that takes a node out of a list takes its waker first and
//!    stores `outcome` last: the future may be gone right after that.
//! 5. A future that was chosen by a notification of one and is dropped before it saw that hands
//!    the notification on.
#![allow(unsafe_code)]

use std::cell::UnsafeCell as LinkUnsafeCell;
use std::fmt;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};
use zokio_base::foreign::KeptWaker;
use zokio_base::list::{Links, List, Node};
use zokio_base::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use zokio_base::sync::{Mutex, MutexGuard, UnsafeCell};
use zokio_base::wake_list::WakeList;

/// The word's mode: nobody waits, nothing is stored.
const EMPTY: u64 = 0;
/// Somebody waits.
const WAITING: u64 = 1;
/// A notification is stored for the next to come.
const STORED: u64 = 2;
/// The mode's bits. The number of rounds stands above them.
const MODE: u64 = 0b11;
/// One round.
const ROUND: u64 = MODE + 1;

/// `Waiter::outcome`: none yet.
const NONE: u8 = 0;
/// Chosen from the front by a notification of one.
const FIRST: u8 = 1;
/// Chosen from the back by a notification of one.
const LAST: u8 = 2;
/// Notified with everybody.
const ALL: u8 = 3;

/// From which end a notification of one chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The waiter that has waited longest.
    First,
    /// The waiter that came last.
    Last,
}

/// The shared side.
pub(crate) struct NotifyCore {
    word: AtomicU64,
    lists: Mutex<Lists>,
    /// Whether a notification of one that finds nobody is kept for the next to come.
    stores: bool,
}

struct Lists {
    waiting: List<Waiter>,
    draining: List<Waiter>,
}

/// A future's place in the lists.
struct Waiter {
    links: LinkUnsafeCell<Links<Waiter>>,
    waker: UnsafeCell<Option<KeptWaker>>,
    outcome: AtomicU8,
}

// SAFETY: the links are a field of the node, reached without a reference to it.
unsafe impl Node for Waiter {
    unsafe fn links(node: NonNull<Self>) -> NonNull<Links<Self>> {
        // SAFETY: the caller promises a live node, so the field's address is in bounds; the cell
        // allows writing through an address that came from a shared reference.
        unsafe {
            let cell = &raw const (*node.as_ptr()).links;
            NonNull::new_unchecked(LinkUnsafeCell::raw_get(cell))
        }
    }
}

// SAFETY: a waiter is shared under invariants 3 and 4; wakers may move between threads.
unsafe impl Send for Waiter {}
// SAFETY: as above.
unsafe impl Sync for Waiter {}

impl fmt::Debug for NotifyCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a snapshot to look at.
        let mode = match self.word.load(Ordering::Relaxed) & MODE {
            WAITING => "waited for",
            STORED => "notified",
            _ => "empty",
        };
        f.debug_struct("Notify").field("state", &mode).finish()
    }
}

impl NotifyCore {
    /// Nobody waits, nothing is stored.
    #[cfg(not(zokio_loom))]
    pub(crate) const fn new(stores: bool) -> Self {
        Self {
            word: AtomicU64::new(EMPTY),
            lists: Mutex::new(Lists {
                waiting: List::new(),
                draining: List::new(),
            }),
            stores,
        }
    }

    /// Nobody waits, nothing is stored.
    #[cfg(zokio_loom)]
    pub(crate) fn new(stores: bool) -> Self {
        Self {
            word: AtomicU64::new(EMPTY),
            lists: Mutex::new(Lists {
                waiting: List::new(),
                draining: List::new(),
            }),
            stores,
        }
    }

    /// How often everybody was notified, as the word has it.
    #[inline]
    pub(crate) fn rounds(&self) -> u64 {
        // SeqCst: a caller that looks at its own condition after this must not see it older than
        // the round; pairs with the addition in `notify_all`.
        self.word.load(Ordering::SeqCst) & !MODE
    }

    /// Notifies one: a waiter, or, where notifications are stored, the next to come.
    #[inline]
    pub(crate) fn notify_one(&self, end: End) {
        // SeqCst here and below: the notifier's earlier writes and the waiter's later reads are in
        // one order with the word, whichever way they meet.
        let mut word = self.word.load(Ordering::SeqCst);
        while word & MODE != WAITING {
            if !self.stores {
                return;
            }
            let next = word & !MODE | STORED;
            // Also where one is stored already: the swap releases what this caller did before.
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return,
                Err(actual) => word = actual,
            }
        }
        let lists = self.lists.lock();
        self.choose(lists, end);
    }

    /// Takes a waiter from `end`, or stores the notification if nobody waits any more.
    fn choose(&self, mut lists: MutexGuard<'_, Lists>, end: End) {
        let node = match end {
            End::First => lists.waiting.pop_front(),
            End::Last => lists.waiting.pop_back(),
        };
        let Some(node) = node else {
            if self.stores {
                // Nobody waits, so the mode is EMPTY or STORED and stays so while we hold the
                // lock: a waiter may take a stored one meanwhile, which the loop tolerates.
                let mut word = self.word.load(Ordering::SeqCst);
                while let Err(actual) = self.word.compare_exchange_weak(
                    word,
                    word & !MODE | STORED,
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                ) {
                    word = actual;
                }
            }
            return;
        };
        if lists.waiting.is_empty() {
            // Invariant 1.
            self.word.fetch_and(!MODE, Ordering::SeqCst);
        }
        // SAFETY: it was in a list until just now, so it is alive until `outcome` is stored
        // (invariant 4), and we hold the lock.
        let waker = unsafe {
            node.as_ref().finish(match end {
                End::First => FIRST,
                End::Last => LAST,
            })
        };
        drop(lists);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Notifies all who wait, and all futures that were made before and not polled yet.
    pub(crate) fn notify_all(&self) {
        let mut lists = self.lists.lock();
        if lists.waiting.is_empty() {
            // The mode is not WAITING. Futures that were made but not polled see the new number.
            self.word.fetch_add(ROUND, Ordering::SeqCst);
            return;
        }
        // Invariants 1 and 2: the mode is WAITING, which only we can change now.
        let word = self.word.load(Ordering::SeqCst);
        self.word
            .store((word & !MODE).wrapping_add(ROUND), Ordering::SeqCst);
        let Lists { waiting, draining } = &mut *lists;
        draining.append(waiting);
        let mut wakers = WakeList::new();
        loop {
            while wakers.can_push() {
                let Some(node) = lists.draining.pop_front() else {
                    break;
                };
                // SAFETY: as in `choose`.
                if let Some(waker) = unsafe { node.as_ref().finish(ALL) } {
                    wakers.push(waker);
                }
            }
            let more = !lists.draining.is_empty();
            drop(lists);
            wakers.wake_all();
            if !more {
                return;
            }
            lists = self.lists.lock();
        }
    }
}

impl Waiter {
    /// Records why the waiter left its list. Returns whom to wake.
    ///
    /// # Safety
    /// The caller holds the lock and took the waiter out of its list. `self` may be gone when
    /// this returns.
    unsafe fn finish(&self, outcome: u8) -> Option<KeptWaker> {
        // SAFETY: invariant 3, we hold the lock.
        let waker = self.waker.with_mut(|waker| unsafe { (*waker).take() });
        // Release pairs with the acquire in `Ticket::poll`. The last touch (invariant 4).
        self.outcome.store(outcome, Ordering::Release);
        waker
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Made, in no list.
    Fresh,
    /// Was put into a list. Whether it still is, `outcome` says.
    Listed,
    /// Saw its notification.
    Done,
}

/// The waiting side: what a future that waits is made of. It must be dropped through
/// [`leave`](Self::leave).
pub(crate) struct Ticket {
    rounds: u64,
    stage: Stage,
    waiter: Waiter,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl Ticket {
    /// Sees every round that begins after this.
    #[inline]
    pub(crate) fn new(core: &NotifyCore) -> Self {
        Self {
            rounds: core.rounds(),
            stage: Stage::Fresh,
            waiter: Waiter {
                links: LinkUnsafeCell::new(Links::new()),
                waker: UnsafeCell::new(None),
                outcome: AtomicU8::new(NONE),
            },
        }
    }

    /// Waits for a notification; without a context, only joins those who wait.
    ///
    /// # Safety
    /// The ticket is pinned, is always used with this `core`, and is left before it is dropped.
    pub(crate) unsafe fn poll(
        &mut self,
        core: &NotifyCore,
        cx: Option<&mut Context<'_>>,
    ) -> Poll<()> {
        let waker = cx.map(|cx| cx.waker());
        match self.stage {
            Stage::Done => Poll::Ready(()),
            // SAFETY: the caller's promise.
            Stage::Fresh => unsafe { self.join(core, waker) },
            // SAFETY: as above.
            Stage::Listed => unsafe { self.poll_listed(core, waker) },
        }
    }

    fn done(&mut self) -> Poll<()> {
        self.stage = Stage::Done;
        Poll::Ready(())
    }

    /// Whether the ticket need not wait: a round has begun since it was made, or there is a stored
    /// notification, which it takes. A round goes first, so that the stored one stays for another.
    fn is_notified(&self, core: &NotifyCore) -> bool {
        let mut word = core.word.load(Ordering::SeqCst);
        loop {
            if word & !MODE != self.rounds {
                return true;
            }
            if word & MODE != STORED {
                return false;
            }
            // SeqCst as in `notify_one`.
            match core.word.compare_exchange_weak(
                word,
                word & !MODE,
                Ordering::SeqCst,
                Ordering::SeqCst,
            ) {
                Ok(_) => return true,
                Err(actual) => word = actual,
            }
        }
    }

    /// # Safety
    /// As for [`poll`](Self::poll).
    unsafe fn join(&mut self, core: &NotifyCore, waker: Option<&Waker>) -> Poll<()> {
        if self.is_notified(core) {
            return self.done();
        }
        // Cloned before the lock is taken: wakers are foreign code.
        let waker = waker.map(KeptWaker::of);
        let mut lists = core.lists.lock();
        let mut word = core.word.load(Ordering::SeqCst);
        loop {
            if word & !MODE != self.rounds {
                drop(lists);
                return self.done();
            }
            // From EMPTY to WAITING, or, if one was stored meanwhile, from STORED to EMPTY.
            let next = match word & MODE {
                WAITING => break,
                STORED => word & !MODE | EMPTY,
                _ => word & !MODE | WAITING,
            };
            match core
                .word
                .compare_exchange_weak(word, next, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) if next & MODE == WAITING => break,
                Ok(_) => {
                    drop(lists);
                    return self.done();
                }
                Err(actual) => word = actual,
            }
        }
        // SAFETY: invariant 3, we are in no list yet.
        self.waiter.waker.with_mut(|slot| unsafe { *slot = waker });
        self.stage = Stage::Listed;
        // SAFETY: the caller promises that the ticket is pinned and left before it is dropped.
        unsafe { lists.waiting.push_back(NonNull::from(&self.waiter)) };
        Poll::Pending
    }

    /// # Safety
    /// As for [`poll`](Self::poll).
    unsafe fn poll_listed(&mut self, core: &NotifyCore, waker: Option<&Waker>) -> Poll<()> {
        if self.is_chosen() {
            return self.done();
        }
        let waker = waker.map(KeptWaker::of);
        let mut lists = core.lists.lock();
        if self.is_chosen() {
            drop(lists);
            return self.done();
        }
        if core.rounds() != self.rounds {
            // Invariant 2: notified, and still to be taken out of `draining`.
            // SAFETY: the node is ours and in this list; invariant 3, we hold the lock.
            let old = unsafe {
                lists.draining.remove(NonNull::from(&self.waiter));
                self.waiter.waker.with_mut(|slot| (*slot).take())
            };
            drop(lists);
            drop(old);
            return self.done();
        }
        let old = waker.and_then(|new| {
            // SAFETY: invariant 3, we hold the lock.
            self.waiter
                .waker
                .with_mut(|slot| unsafe { (*slot).replace(new) })
        });
        drop(lists);
        drop(old);
        Poll::Pending
    }

    /// The end from which a notification of one chose this ticket, if that is what woke it.
    pub(crate) fn chosen_from(&self) -> Option<End> {
        // Acquire as in `is_chosen`.
        match self.waiter.outcome.load(Ordering::Acquire) {
            FIRST => Some(End::First),
            LAST => Some(End::Last),
            _ => None,
        }
    }

    fn is_chosen(&self) -> bool {
        // Acquire pairs with the release in `Waiter::finish`: what the notifier did before is seen
        // by us.
        self.waiter.outcome.load(Ordering::Acquire) != NONE
    }

    /// Leaves the lists for good, and hands on a notification of one that was not seen.
    ///
    /// # Safety
    /// As for [`poll`](Self::poll).
    pub(crate) unsafe fn leave(&mut self, core: &NotifyCore) {
        if self.stage != Stage::Listed {
            return;
        }
        self.stage = Stage::Done;
        let mut lists = core.lists.lock();
        // Relaxed: written under the lock that we hold.
        let end = match self.waiter.outcome.load(Ordering::Relaxed) {
            FIRST => End::First,
            LAST => End::Last,
            ALL => return,
            _ => {
                // SAFETY: invariant 2 says which list the node is in.
                unsafe { self.unlink(core, &mut lists) };
                return;
            }
        };
        // Invariant 5.
        core.choose(lists, end);
    }

    /// # Safety
    /// The node is in one of `lists`.
    unsafe fn unlink(&self, core: &NotifyCore, lists: &mut Lists) {
        let node = NonNull::from(&self.waiter);
        if core.rounds() != self.rounds {
            // SAFETY: invariant 2.
            unsafe { lists.draining.remove(node) };
            return;
        }
        // SAFETY: invariant 2.
        unsafe { lists.waiting.remove(node) };
        if lists.waiting.is_empty() {
            // Invariant 1: the mode was WAITING.
            core.word.fetch_and(!MODE, Ordering::SeqCst);
        }
    }
}
