//! The state that the senders and the receiver of one channel share, bounded or not.
//!
//! A [`Gate`] decides who may push: the bounded one hands out permits, the unbounded one looks
//! whether the receiver has closed.
//!
//! Invariants:
//!
//! 1. `senders` counts the strong senders; when it falls to 0 the end is pushed, once. It never
//!    rises from 0 again.
//! 2. The receiver waits for three things: the slot at the head is filled (the push finds
//!    `WAITING` there and wakes it), the senders are gone (the end is such a push), or, once the
//!    receiver has closed, the last permit comes back ([`Chan::permits_returned`]).

use super::core::{Popped, Pushed, Queue, SPINS_MAX};
use super::error::TryRecvError;
use crate::Notify;
use crate::semaphore::core::Semaphore;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll, ready};
use zokio_base::atomic_waker::AtomicWaker;
use zokio_base::foreign::FirstPanic;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{Arc, hint};
use zokio_task::coop;

/// The right to push.
pub(super) trait Gate: Sized {
    /// The receiver takes no more.
    fn close<T>(chan: &Chan<T, Self>);

    /// Whether the receiver has closed.
    fn is_closed<T>(chan: &Chan<T, Self>) -> bool;

    /// Whether nobody may push any more. Only asked by a receiver that found nothing and waits in
    /// its slot already.
    fn is_finished<T>(chan: &Chan<T, Self>, receiver: &Receiving) -> bool;

    /// `count` values were taken out.
    fn taken<T>(chan: &Chan<T, Self>, count: usize);
}

/// Permits for as many values as the channel holds.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) semaphore: Semaphore,
    pub(super) bound: usize,
}

impl Bounded {
    /// Whether the receiver has closed and all permits have come back.
    fn is_finished(&self) -> bool {
        self.semaphore.is_closed() && self.semaphore.available() == self.bound
    }
}

impl Gate for Bounded {
    fn close<T>(chan: &Chan<T, Self>) {
        chan.gate.semaphore.close();
    }

    fn is_closed<T>(chan: &Chan<T, Self>) -> bool {
        chan.gate.semaphore.is_closed()
    }

    fn is_finished<T>(chan: &Chan<T, Self>, _: &Receiving) -> bool {
        chan.gate.is_finished()
    }

    fn taken<T>(chan: &Chan<T, Self>, count: usize) {
        chan.gate.semaphore.release(count);
    }
}

/// Everybody may push until the receiver closes.
#[derive(Debug)]
pub(super) struct Unbounded;

impl Gate for Unbounded {
    fn close<T>(chan: &Chan<T, Self>) {
        chan.queue.close();
    }

    fn is_closed<T>(chan: &Chan<T, Self>) -> bool {
        chan.queue.is_closed()
    }

    fn is_finished<T>(chan: &Chan<T, Self>, receiver: &Receiving) -> bool {
        chan.queue.is_closed() && !chan.has_reserved(receiver)
    }

    fn taken<T>(_: &Chan<T, Self>, _: usize) {}
}

/// Stands for being the receiver: the one value of it lives in the channel's receiving half.
#[derive(Debug)]
pub(super) struct Receiving(PhantomData<()>);

/// The shared state.
pub(super) struct Chan<T, G> {
    queue: Queue<T>,
    pub(super) gate: G,
    receiver: AtomicWaker,
    /// Wakes senders that wait for the receiver to close.
    closed: Notify,
    senders: AtomicUsize,
    weak: AtomicUsize,
}

impl<T, G: Gate + fmt::Debug> fmt::Debug for Chan<T, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chan")
            .field("queue", &self.queue)
            .field("gate", &self.gate)
            .field("senders", &self.strong_count())
            .field("weak_senders", &self.weak_count())
            .finish_non_exhaustive()
    }
}

impl<T, G: Gate> Chan<T, G> {
    /// A channel with one sender, and the proof of being its receiver.
    pub(super) fn new(gate: G) -> (Arc<Self>, Receiving) {
        let chan = Arc::new(Self {
            queue: Queue::new(),
            gate,
            receiver: AtomicWaker::new(),
            closed: Notify::new(),
            senders: AtomicUsize::new(1),
            weak: AtomicUsize::new(0),
        });
        (chan, Receiving(PhantomData))
    }

    #[cfg(all(test, not(zokio_model)))]
    pub(super) fn queue(&self) -> &Queue<T> {
        &self.queue
    }

    // ---- Senders ----

    /// Pushes with a permit.
    #[inline]
    pub(super) fn push(&self, value: T) {
        self.pushed(self.queue.push(value));
    }

    /// Pushes unless the receiver has closed.
    #[inline]
    pub(super) fn push_open(&self, value: T) -> Result<(), T> {
        self.pushed(self.queue.push_open(value)?);
        Ok(())
    }

    #[inline]
    pub(super) fn pushed(&self, pushed: Pushed) {
        if pushed == Pushed::WakeReceiver {
            self.receiver.wake();
        }
    }

    /// Whether the receiver has closed.
    pub(super) fn is_closed(&self) -> bool {
        G::is_closed(self)
    }

    /// Waits until the receiver closes.
    pub(super) async fn closed(&self) {
        loop {
            let notified = self.closed.notified();
            if self.is_closed() {
                return;
            }
            notified.await;
        }
    }

    /// Another sender.
    pub(super) fn add_sender(&self) {
        // Relaxed: who adds one has one.
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    /// One sender less. The last one tells the receiver.
    pub(super) fn remove_sender(&self) {
        // Release and acquire: what all senders did comes before the end.
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.pushed(self.queue.push_end());
        }
    }

    /// Another sender, from a weak one: if there is one left.
    pub(super) fn try_add_sender(&self) -> bool {
        // Relaxed: invariant 1 needs the count only.
        let mut count = self.senders.load(Ordering::Relaxed);
        while count > 0 {
            match self.senders.compare_exchange_weak(
                count,
                count + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(actual) => count = actual,
            }
        }
        false
    }

    pub(super) fn add_weak(&self) {
        // Relaxed: only counted.
        self.weak.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_weak(&self) {
        // Relaxed: only counted.
        self.weak.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn strong_count(&self) -> usize {
        // Acquire pairs with the release in `remove_sender`.
        self.senders.load(Ordering::Acquire)
    }

    pub(super) fn weak_count(&self) -> usize {
        // Relaxed: only counted.
        self.weak.load(Ordering::Relaxed)
    }
}

impl<T> Chan<T, Bounded> {
    /// Gives permits back unused.
    pub(super) fn return_permits(&self, count: usize) {
        self.gate.semaphore.release(count);
        self.permits_returned();
    }

    /// Permits came back unused. A receiver that has closed may have waited for the last of them.
    ///
    /// The receiver registers its waker and then counts the permits; we return a permit and then
    /// look for the waker. Both the waker's slot and the semaphore's word are only ever swapped, so
    /// one of us sees the other.
    #[inline]
    pub(super) fn permits_returned(&self) {
        if self.gate.is_finished() {
            self.receiver.wake();
        }
    }
}

impl<T, G> UnwindSafe for Chan<T, G> {}
impl<T, G> RefUnwindSafe for Chan<T, G> {}

/// The receiver's side. Each method asks for the proof of being the receiver.
#[allow(unsafe_code)]
impl<T, G: Gate> Chan<T, G> {
    #[inline(always)]
    fn pop(&self, _: &mut Receiving) -> Popped<T> {
        // SAFETY: there is one `Receiving` per channel.
        unsafe { self.queue.pop() }
    }

    pub(super) fn has_reserved(&self, _: &Receiving) -> bool {
        // SAFETY: there is one `Receiving` per channel. It cannot be in use for a pop, which
        // borrows it exclusively.
        unsafe { self.queue.has_reserved() }
    }

    /// How many values are in the channel.
    pub(super) fn len(&self, _: &Receiving) -> usize {
        // SAFETY: as in `has_reserved`.
        unsafe { self.queue.len() }
    }

    /// Waits for a value.
    pub(super) fn poll_recv(
        &self,
        receiver: &mut Receiving,
        cx: &mut Context<'_>,
    ) -> Poll<Option<T>> {
        let unit = ready!(coop::poll_proceed(cx));
        let mut popped = self.pop(receiver);
        if matches!(popped, Popped::Empty) {
            if !self.register(receiver, cx) {
                return Poll::Pending;
            }
            popped = self.pop(receiver);
        }
        unit.made_progress();
        Poll::Ready(match popped {
            Popped::Value(value) => {
                G::taken(self, 1);
                Some(value)
            }
            // Nothing in spite of `register`: nobody may push any more.
            Popped::Empty | Popped::End => None,
        })
    }

    /// Waits for values and takes up to `limit` of them. Returns how many.
    pub(super) fn poll_recv_many(
        &self,
        receiver: &mut Receiving,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        if limit == 0 {
            return Poll::Ready(0);
        }
        let unit = ready!(coop::poll_proceed(cx));
        let before = buffer.len();
        let ended = self.take_many(receiver, buffer, limit);
        if buffer.len() == before && !ended {
            if !self.register(receiver, cx) {
                return Poll::Pending;
            }
            self.take_many(receiver, buffer, limit);
        }
        unit.made_progress();
        Poll::Ready(buffer.len() - before)
    }

    /// Takes up to `limit` values. Returns whether it met the end of the senders.
    fn take_many(&self, receiver: &mut Receiving, buffer: &mut Vec<T>, limit: usize) -> bool {
        let before = buffer.len();
        let mut ended = false;
        while buffer.len() - before < limit {
            if buffer.len() == buffer.capacity() {
                // Room for all that is there, at once; none where nothing is.
                buffer.reserve(self.len(receiver).min(limit - (buffer.len() - before)));
            }
            match self.pop(receiver) {
                Popped::Value(value) => buffer.push(value),
                Popped::Empty => break,
                Popped::End => {
                    ended = true;
                    break;
                }
            }
        }
        G::taken(self, buffer.len() - before);
        ended
    }

    /// Registers the receiver's waker. Returns true if there is something to pop, or never will
    /// be again.
    fn register(&self, receiver: &mut Receiving, cx: &mut Context<'_>) -> bool {
        self.receiver.register(cx.waker());
        // SAFETY: as in `pop`.
        let waits = unsafe { self.queue.wait() };
        !waits || G::is_finished(self, receiver)
    }

    /// Takes a value if there is one.
    pub(super) fn try_recv(&self, receiver: &mut Receiving) -> Result<T, TryRecvError> {
        let mut spins = 0;
        loop {
            match self.pop(receiver) {
                Popped::Value(value) => {
                    G::taken(self, 1);
                    return Ok(value);
                }
                Popped::End => return Err(TryRecvError::Disconnected),
                // First, as the end of the senders may just be on its way: nothing comes before it.
                Popped::Empty if G::is_finished(self, receiver) => {
                    return Err(TryRecvError::Disconnected);
                }
                // The first sender is still writing, but one behind it may be done, and its value
                // must be found.
                Popped::Empty if self.has_reserved(receiver) => {
                    if spins < SPINS_MAX {
                        spins += 1;
                        hint::spin_loop();
                    } else {
                        self.sleep_until_written(receiver);
                    }
                }
                Popped::Empty => return Err(TryRecvError::Empty),
            }
        }
    }

    /// Sleeps until the sender that has reserved the first slot has filled it. That sender was preempted:
    /// a thread that went on looking might keep it off its processor.
    #[cold]
    fn sleep_until_written(&self, receiver: &mut Receiving) {
        // A poll may have left a waker here: its task looks again, and finds what it finds.
        self.receiver.wake();
        zokio_task::block_on::block_on(std::future::poll_fn(|cx| {
            match self.register(receiver, cx) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
    }

    /// Takes no more.
    pub(super) fn close(&self, _: &mut Receiving) {
        if !self.is_closed() {
            G::close(self);
            self.closed.notify_waiters();
        }
    }

    /// Whether nothing more can be sent: closed, or no sender left.
    pub(super) fn is_closed_for_receiver(&self) -> bool {
        self.is_closed() || self.strong_count() == 0
    }

    /// The receiver goes: closes, and drops what is in the channel. The first panic of a value's
    /// destructor goes on when all are gone: they are the caller's to drop.
    pub(super) fn drop_receiver(&self, receiver: &mut Receiving) {
        self.close(receiver);
        let mut first = FirstPanic::new();
        while let Popped::Value(value) = self.pop(receiver) {
            G::taken(self, 1);
            first.drop_value(value);
        }
        drop(self.receiver.take());
        first.resume();
    }
}
