//! The readiness of one registered descriptor, and its waiters.
//!
//! A reaper that finds an event calls [`ScheduledIo::set_ready`] and then
//! [`ScheduledIo::take_wakers`]. A task that wants to do I/O looks at the word, tries, and if the
//! system says that it would block, clears what it had seen with [`ScheduledIo::clear`], and waits.
//! Waiters are of three kinds: one slot for each direction (the poll functions), any number of
//! [`Readiness`] futures in a list, and one slot for a task that has no room to read and wants to know only
//! whether the source has failed ([`ScheduledIo::watch_failure`]).
//!
//! Nothing here knows of descriptors or of the system, so all of it is model-checked.
//!
//! The word: six bits of [`Ready`], one that says the driver is gone, and above them a tick that
//! grows with each event.
//!
//! Invariants:
//!
//! 1. `clear` takes bits away only if the tick is the one that was seen together with them: an
//!    event that came in between is never lost.
//! 2. The bit of shutdown is never taken away, and a closed bit only by whoever was told since that its side
//!    is open (`reopen`): a named pipe has ended with its last writer, and goes on with the next.
//! 3. A waiter puts its waker in place under the lock and looks at the word again before it lets
//!    the lock go. A reaper changes the word first and takes wakers under the lock afterwards. So
//!    either the waiter sees the new word, or the reaper finds the waker.
//! 4. A list node is touched under the lock only, and its future removes it from the list before
//!    it goes away.
//! 5. Wakers are never woken, and never dropped if that can be avoided, under the lock.
#![allow(unsafe_code)]

use super::ready::{Interest, READY_BITS, Ready};
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};
use zokio_base::bits::Field;
use zokio_base::foreign::KeptWaker;
use zokio_base::list::{Links, List, Node};
use zokio_base::sync::atomic::{AtomicU64, Ordering};
use zokio_base::sync::{Mutex, UnsafeCell};

const READY: Field = Field::lowest(READY_BITS);
const SHUTDOWN: Field = READY.then(1);
const TICK: Field = SHUTDOWN.then(64 - READY_BITS - 1);

/// What a source that has failed is. A socket with an error is closed for writing in every set: epoll
/// reports both (`EPOLLERR`, `EPOLLHUP`), kqueue and AFD the end only.
const FAILURE: Ready = Ready::WRITE_CLOSED;

/// Which of the two slots a poll function waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Reads, receives, accepts.
    Read,
    /// Writes, sends, connects.
    Write,
}

impl Direction {
    /// The events that end a wait in this direction.
    pub fn mask(self) -> Ready {
        match self {
            Self::Read => Ready::READABLE | Ready::READ_CLOSED,
            Self::Write => Ready::WRITABLE | Ready::WRITE_CLOSED,
        }
    }
}

/// A look at the word: the readiness, and its tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyEvent {
    tick: u64,
    ready: Ready,
    shutdown: bool,
    urgent: bool,
}

impl ReadyEvent {
    /// The readiness.
    pub fn ready(&self) -> Ready {
        self.ready
    }

    /// The event with other readiness, for clearing a part of it.
    #[must_use]
    pub fn with_ready(self, ready: Ready) -> Self {
        Self { ready, ..self }
    }

    /// Whether the driver is gone.
    pub fn is_shutdown(&self) -> bool {
        self.shutdown
    }

    /// Whether urgent data has been announced, wanted or not: a read may stop in front of it, with more
    /// behind.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// For a source that is in no set yet: try, and see. The tick is that of a source that no event
    /// has come for, so clearing such an event never takes a real one away.
    pub(crate) fn assume(ready: Ready) -> Self {
        Self {
            tick: 0,
            ready,
            shutdown: false,
            urgent: false,
        }
    }

    fn from_word(word: u64, mask: Ready) -> Self {
        Self {
            tick: TICK.get(word),
            ready: Ready::from_bits(READY.get(word)) & mask,
            shutdown: SHUTDOWN.get(word) != 0,
            urgent: Ready::from_bits(READY.get(word)).is_priority(),
        }
    }

    /// Whether a waiter has something to do.
    fn ends_wait(&self) -> bool {
        self.shutdown || !self.ready.is_empty()
    }
}

struct Waiter {
    links: Links<Waiter>,
    waker: Option<KeptWaker>,
    mask: Ready,
}

// SAFETY: a node is reached under the lock only (invariant 4), and what it holds may move.
unsafe impl Send for Waiter {}

// SAFETY: the links are a field of the node.
unsafe impl Node for Waiter {
    unsafe fn links(node: NonNull<Self>) -> NonNull<Links<Self>> {
        // SAFETY: the caller promises a live node, so the field's address is in bounds.
        unsafe { NonNull::new_unchecked(&raw mut (*node.as_ptr()).links) }
    }
}

#[derive(Default)]
struct Waiters {
    reader: Option<KeptWaker>,
    writer: Option<KeptWaker>,
    /// Of a task that watches for a failure.
    watcher: Option<KeptWaker>,
    list: List<Waiter>,
}

/// Readiness of one descriptor, shared by the set it is in and the socket it belongs to.
pub(crate) struct ScheduledIo {
    word: AtomicU64,
    waiters: Mutex<Waiters>,
}

impl fmt::Debug for ScheduledIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a snapshot for people.
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("ScheduledIo")
            .field("event", &ReadyEvent::from_word(word, Ready::ALL))
            .finish_non_exhaustive()
    }
}

impl ScheduledIo {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            waiters: Mutex::new(Waiters::default()),
        }
    }

    /// The part of `mask` that is ready.
    pub(crate) fn event(&self, mask: Ready) -> ReadyEvent {
        // Acquire pairs with the release in `update`: who sees an event sees what came before it.
        ReadyEvent::from_word(self.word.load(Ordering::Acquire), mask)
    }

    fn update(&self, change: impl Fn(u64) -> Option<u64>) {
        // Acquire and release: each change is ordered after the one it builds on, and `event`
        // acquires the last. Acquire on failure: the next try builds on what was read.
        let _ = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }

    /// Has the source start out with `ready`, before the first event and before anybody waits.
    pub(crate) fn assume(&self, ready: Ready) {
        self.update(|word| Some(word | ready.bits()));
    }

    /// Adds `ready`. To be followed by [`take_wakers`](Self::take_wakers).
    pub(crate) fn set_ready(&self, ready: Ready) {
        self.update(|word| {
            let tick = TICK.get(word).wrapping_add(1) & TICK.max();
            Some(TICK.set(word | ready.bits(), tick))
        });
    }

    /// Says that the driver is gone. To be followed by [`take_wakers`](Self::take_wakers).
    pub(crate) fn set_shutdown(&self) {
        self.update(|word| Some(word | SHUTDOWN.mask()));
    }

    /// Takes what `event` saw away, unless something came since (invariants 1 and 2).
    pub(crate) fn clear(&self, event: ReadyEvent) {
        let cleared = event.ready - Ready::READ_CLOSED - Ready::WRITE_CLOSED;
        self.take_away(event, cleared);
    }

    /// As [`clear`](Self::clear), with the closed bits.
    pub(crate) fn reopen(&self, event: ReadyEvent) {
        self.take_away(event, event.ready);
    }

    fn take_away(&self, event: ReadyEvent, cleared: Ready) {
        self.update(|word| {
            let unchanged = TICK.get(word) == event.tick && word & cleared.bits() != 0;
            unchanged.then_some(word & !cleared.bits())
        });
    }

    /// Gives every waker that waits for a part of `ready` to `take`, and takes its waiter out of
    /// the list. `take` runs under the lock: it collects, no more.
    pub(crate) fn take_wakers(&self, ready: Ready, take: &mut impl FnMut(Waker)) {
        let mut give = |waker: KeptWaker| take(waker.into_inner());
        let mut waiters = self.waiters.lock();
        if ready.intersects(Direction::Read.mask()) {
            waiters.reader.take().map(&mut give);
        }
        if ready.intersects(Direction::Write.mask()) {
            waiters.writer.take().map(&mut give);
            if ready.intersects(FAILURE) {
                waiters.watcher.take().map(&mut give);
            }
        }
        let mut cursor = waiters.list.front();
        while let Some(node) = cursor {
            // SAFETY: invariant 4, the node is in this list, alive, and we hold the lock.
            unsafe {
                cursor = waiters.list.next(node);
                let waiter = node.as_ptr();
                if (*waiter).mask.intersects(ready) {
                    waiters.list.remove(node);
                    (*waiter).waker.take().map(&mut give);
                }
            }
        }
    }

    /// Waits in the slot of `direction`. Only the last waker of each direction is woken.
    pub(crate) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<ReadyEvent> {
        let mask = direction.mask();
        let event = self.event(mask);
        if event.ends_wait() {
            return Poll::Ready(event);
        }
        let event = self.wait_in(cx, mask, |waiters| match direction {
            Direction::Read => &mut waiters.reader,
            Direction::Write => &mut waiters.writer,
        });
        if event.ends_wait() {
            Poll::Ready(event)
        } else {
            Poll::Pending
        }
    }

    /// Has the task of `cx` woken when the source may have failed, and says what is known of that. The
    /// waker is in place in any case: a side that is closed stays so, and the next event may bring the
    /// error. Only the last waker is woken.
    pub(crate) fn watch_failure(&self, cx: &mut Context<'_>) -> ReadyEvent {
        self.wait_in(cx, FAILURE, |waiters| &mut waiters.watcher)
    }

    /// Puts the waker of `cx` into a slot, and looks what of `mask` is ready.
    fn wait_in(
        &self,
        cx: &mut Context<'_>,
        mask: Ready,
        slot: impl FnOnce(&mut Waiters) -> &mut Option<KeptWaker>,
    ) -> ReadyEvent {
        // Cloned before the lock is taken: wakers are foreign code.
        let new = KeptWaker::of(cx.waker());
        let mut waiters = self.waiters.lock();
        let slot = slot(&mut waiters);
        let replaced = match slot {
            Some(waker) if waker.will_wake(&new) => Some(new),
            _ => slot.replace(new),
        };
        // Invariant 3: the waker is in place, so look again before the lock is let go.
        let event = self.event(mask);
        drop(waiters);
        drop(replaced);
        event
    }

    /// Forgets the wakers of the poll functions: the source is going away.
    pub(crate) fn clear_wakers(&self) {
        let mut waiters = self.waiters.lock();
        let dropped = (
            waiters.reader.take(),
            waiters.writer.take(),
            waiters.watcher.take(),
        );
        drop(waiters);
        drop(dropped);
    }

    /// Waits for `interest`, beside any number of others.
    pub(crate) fn readiness(&self, interest: Interest) -> Readiness<'_> {
        Readiness {
            io: self,
            waiter: UnsafeCell::new(Waiter {
                links: Links::new(),
                waker: None,
                mask: Ready::from_interest(interest),
            }),
            mask: Ready::from_interest(interest),
            queued: Cell::new(false),
        }
    }
}

/// Waits until a descriptor is ready. Made by [`ScheduledIo::readiness`].
pub(crate) struct Readiness<'a> {
    io: &'a ScheduledIo,
    /// Touched under the lock only once `queued` is set (invariant 4).
    waiter: UnsafeCell<Waiter>,
    mask: Ready,
    /// Whether the node was ever put into the list. Touched by polls and the drop only, which
    /// have the future to themselves.
    queued: Cell<bool>,
}

// SAFETY: the node is reached under the lock of `io`, from whatever thread; wakers may move.
unsafe impl Send for Readiness<'_> {}
// SAFETY: nothing can be done with a shared reference: polls and the drop need an exclusive one.
unsafe impl Sync for Readiness<'_> {}

impl Future for Readiness<'_> {
    type Output = ReadyEvent;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ReadyEvent> {
        let this = self.as_ref().get_ref();
        let event = this.io.event(this.mask);
        if event.ends_wait() {
            return Poll::Ready(event);
        }
        // Cloned before the lock is taken: wakers are foreign code.
        let new = KeptWaker::of(cx.waker());
        let mut waiters = this.io.waiters.lock();
        let replaced = this.waiter.with_mut(|waiter| {
            // SAFETY: invariant 4, we hold the lock. The node is alive and pinned with the future,
            // and is pushed only while it is in no list.
            unsafe {
                if !(*waiter).links.is_linked() {
                    waiters.list.push_back(NonNull::new_unchecked(waiter));
                    this.queued.set(true);
                }
                match &(*waiter).waker {
                    Some(waker) if waker.will_wake(&new) => Some(new),
                    _ => (*waiter).waker.replace(new),
                }
            }
        });
        // Invariant 3, as in `poll_ready`.
        let event = this.io.event(this.mask);
        drop(waiters);
        drop(replaced);
        if event.ends_wait() {
            Poll::Ready(event)
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Readiness<'_> {
    fn drop(&mut self) {
        if !self.queued.get() {
            return;
        }
        let mut waiters = self.io.waiters.lock();
        self.waiter.with_mut(|waiter| {
            // SAFETY: invariant 4, we hold the lock, and the node is in this list or in none.
            unsafe { waiters.list.remove(NonNull::new_unchecked(waiter)) }
        });
    }
}
