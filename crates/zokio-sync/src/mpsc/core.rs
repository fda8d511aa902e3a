//! A queue of blocks: many threads push, one pops.
//!
//! A push reserves the next position with one compare-and-swap on the tail, writes its value into
//! the position's slot, and swaps the slot's state to `READY`. A pop looks at the state of the slot
//! at the head: no atomic read-modify-write. A receiver that finds its slot empty waits *in the
//! slot* (state `WAITING`), so that exactly the push that fills it wakes it, and no other.
//!
//! Positions count slots, and one more per block: at the last value of a lap no slot is free and
//! the next block is being hung in, which takes its pusher a few instructions. The others spin
//! [`SPINS_MAX`] times. A pusher that was preempted meanwhile may take longer, and for ever if it is
//! the spinning threads that keep it off its processor; so the others then sleep until it has done:
//! (P1) the others set `LAP_WAITED` in the tail, under the mutex `lap`, if it still stands at the end
//! of the lap, and sleep; (P2) the pusher moves the tail past the end, and if it finds the flag there,
//! takes the mutex, clears the flag and wakes them. P1 is a swap of the word that P2 changes: if it
//! comes first, P2 sees the flag; if it comes second, it fails, as the tail has moved.
//! Rejected: to let the others hang in the block themselves. One that is preempted in the midst of
//! that would reach a block that the receiver has given away since.
//!
//! Emptied blocks are used again: one is kept at hand.
//!
//! Positions have 64 bits less the flags on every target. With 32, a pusher that sleeps between its
//! look at the tail and its swap for as long as 2^29 pushes take, some ten seconds, would find the
//! same word and use a block that is gone.
//!
//! The end of the senders is a position of its own with a slot whose state is `END`.
//!
//! Invariants:
//!
//! 1. A block is reached through `tail.block` by whoever reserved a position in it, until it has
//!    swapped its slot's state; it does not touch the block afterwards. The receiver gives a block
//!    away when it has popped its last slot, so nobody uses it then.
//! 2. The sender that reserves the last slot of a block hangs in the next block, as `next` and as
//!    `tail.block`, before it moves the tail past the end of the lap and before it fills the slot.
//! 3. `tail.block` is the block of the tail's position, whenever that is not at the end of a lap.
//! 4. A slot's value is initialised exactly while its state is `READY`.
//! 5. `Head` is touched by the receiver only, and by whoever drops the queue.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::UnsafeCell as HeadUnsafeCell;
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use zokio_base::foreign::drop_value;
use zokio_base::pad::CachePadded;
use zokio_base::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};
use zokio_base::sync::{Condvar, Mutex, UnsafeCell, hint};

/// Positions per block, one of which has no slot. A power of two.
#[cfg(not(zokio_loom))]
const LAP: usize = 32;
/// Small, so that models meet the end of a block.
#[cfg(zokio_loom)]
const LAP: usize = 4;
/// Slots per block.
const SLOTS: usize = LAP - 1;

/// In the tail: the receiver takes no more.
const RECEIVER_CLOSED: u64 = 0b01;
/// In the tail: the last position is the end of the senders.
const SENDERS_GONE: u64 = 0b10;
/// In the tail, where a lap ends: pushers sleep until the next block is there.
const LAP_WAITED: u64 = 0b100;
/// The tail's position stands above the flags.
const SHIFT: u32 = 3;
/// One position.
const ONE: u64 = 1 << SHIFT;

/// Nothing yet.
const EMPTY: u8 = 0;
/// Nothing yet, and the receiver's waker is registered.
const WAITING: u8 = 1;
/// A value.
const READY: u8 = 2;
/// No value: all senders are gone.
const END: u8 = 3;

/// How often a thread looks again for what another is a few instructions from doing, before it sleeps.
#[cfg(not(zokio_model))]
pub(super) const SPINS_MAX: u32 = 128;
/// Models sleep at once: the spins are theirs to choose.
#[cfg(zokio_model)]
pub(super) const SPINS_MAX: u32 = 0;

struct Block<T> {
    next: AtomicPtr<Block<T>>,
    states: [AtomicU8; SLOTS],
    values: [UnsafeCell<MaybeUninit<T>>; SLOTS],
}

impl<T> Block<T> {
    /// Allocates in place: a block of large values must not pass over the stack.
    fn new() -> NonNull<Self> {
        let layout = Layout::new::<Self>();
        // SAFETY: a block has states, so its size is not zero.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }.cast::<Self>()) else {
            handle_alloc_error(layout)
        };
        let place = block.as_ptr();
        // SAFETY: the memory is ours and has the layout of a block; each field is written once.
        unsafe {
            (&raw mut (*place).next).write(AtomicPtr::new(ptr::null_mut()));
            for index in 0..SLOTS {
                (&raw mut (*place).states[index]).write(AtomicU8::new(EMPTY));
                (&raw mut (*place).values[index]).write(UnsafeCell::new(MaybeUninit::uninit()));
            }
        }
        block
    }

    /// # Safety
    /// Nobody uses the block any more, and its values are gone.
    unsafe fn free(block: NonNull<Self>) {
        // SAFETY: it was allocated with this layout, and no field needs a drop.
        unsafe { dealloc(block.as_ptr().cast(), Layout::new::<Self>()) };
    }
}

struct Tail<T> {
    index: AtomicU64,
    block: AtomicPtr<Block<T>>,
}

struct Head<T> {
    position: u64,
    block: NonNull<Block<T>>,
}

/// The queue.
pub(super) struct Queue<T> {
    tail: CachePadded<Tail<T>>,
    head: CachePadded<HeadUnsafeCell<Head<T>>>,
    /// An empty block to be used next, or null.
    spare: AtomicPtr<Block<T>>,
    /// Where pushers sleep at the end of a lap.
    lap: Mutex<()>,
    lap_ended: Condvar,
}

// SAFETY: values move through the queue from thread to thread; all else is shared under the
// invariants above.
unsafe impl<T: Send> Send for Queue<T> {}
// SAFETY: as above. No reference to a value is ever given out.
unsafe impl<T: Send> Sync for Queue<T> {}

/// The findings of a pop.
pub(super) enum Popped<T> {
    /// A value.
    Value(T),
    /// Nothing now.
    Empty,
    /// Nothing any more: the senders are gone.
    End,
}

/// The receiver takes no more.
pub(super) struct Closed;

/// The next duty of the push.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The receiver waits for this very slot: wake it.
    WakeReceiver,
    /// Nobody waits.
    Done,
}

/// Where in its block a position is.
#[inline]
const fn offset(position: u64) -> usize {
    position as usize % LAP
}

/// A position in the queue that belongs to its holder, who must fill it.
struct Reserved<T> {
    block: NonNull<Block<T>>,
    offset: usize,
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a snapshot to look at.
        let tail = self.tail.index.load(Ordering::Relaxed);
        f.debug_struct("Queue")
            .field("tail", &(tail >> SHIFT))
            .field("receiver_closed", &(tail & RECEIVER_CLOSED != 0))
            .field("senders_gone", &(tail & SENDERS_GONE != 0))
            .finish_non_exhaustive()
    }
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let block = Block::new();
        Self {
            tail: CachePadded::new(Tail {
                index: AtomicU64::new(0),
                block: AtomicPtr::new(block.as_ptr()),
            }),
            head: CachePadded::new(HeadUnsafeCell::new(Head { position: 0, block })),
            spare: AtomicPtr::new(ptr::null_mut()),
            lap: Mutex::new(()),
            lap_ended: Condvar::new(),
        }
    }

    /// Adds a value, whether the receiver has closed or not: for holders of a permit.
    #[inline]
    pub(super) fn push(&self, value: T) -> Pushed {
        match self.reserve(0, 0) {
            Ok(reserved) => reserved.fill(value),
            Err(Closed) => unreachable!("no flag was to be respected"),
        }
    }

    /// Adds a value, unless the receiver has closed.
    #[inline]
    pub(super) fn push_open(&self, value: T) -> Result<Pushed, T> {
        match self.reserve(RECEIVER_CLOSED, 0) {
            Ok(reserved) => Ok(reserved.fill(value)),
            Err(Closed) => Err(value),
        }
    }

    /// Marks the end of the senders. Called once, by the last.
    pub(super) fn push_end(&self) -> Pushed {
        match self.reserve(0, SENDERS_GONE) {
            Ok(reserved) => reserved.publish(END),
            Err(Closed) => unreachable!("no flag was to be respected"),
        }
    }

    /// Reserves the next position unless a flag of `respect` is set; sets the flags `set` with it.
    #[inline]
    fn reserve(&self, respect: u64, set: u64) -> Result<Reserved<T>, Closed> {
        let mut spins = 0;
        let mut next = None;
        // Acquire pairs with the release of whoever moved the tail: invariant 3 for the block.
        let mut index = self.tail.index.load(Ordering::Acquire);
        let reserved = loop {
            if index & respect != 0 {
                break Err(Closed);
            }
            let offset = offset(index >> SHIFT);
            if offset == SLOTS {
                index = self.pass_end_of_lap(&mut spins);
                continue;
            }
            // Acquire pairs with the release in `hang_in`. It may be a later block than that of
            // `index`; the swap below fails then.
            let block = self.tail.block.load(Ordering::Acquire);
            if offset + 1 == SLOTS && next.is_none() {
                next = Some(self.take_block());
            }
            let moved = index.wrapping_add(ONE) | set;
            // Acquire as above; release pairs with the acquire of the next to reserve.
            match self.tail.index.compare_exchange_weak(
                index,
                moved,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    // SAFETY: invariant 3, and `tail.block` is never null.
                    let block = unsafe { NonNull::new_unchecked(block) };
                    break Ok(Reserved { block, offset });
                }
                Err(actual) => index = actual,
            }
        };
        if let Some(next) = next {
            match &reserved {
                Ok(at) if at.offset + 1 == SLOTS => self.hang_in(at.block, next),
                // Somebody else was faster.
                _ => self.keep_block(next),
            }
        }
        reserved
    }

    /// Invariant 2.
    fn hang_in(&self, block: NonNull<Block<T>>, next: NonNull<Block<T>>) {
        // Release pairs with the acquire in `reserve`: the block is seen initialised.
        self.tail.block.store(next.as_ptr(), Ordering::Release);
        // Relaxed: the receiver reads it after it has seen our slot filled.
        // SAFETY: invariant 1, we have not filled our slot yet.
        unsafe { block.as_ref() }
            .next
            .store(next.as_ptr(), Ordering::Relaxed);
        // P2. Release pairs with the acquire in `reserve`. An addition, because flags may be set
        // meanwhile.
        let before = self.tail.index.fetch_add(ONE, Ordering::Release);
        if before & LAP_WAITED != 0 {
            self.wake_at_end_of_lap();
        }
    }

    /// Waits a little while another thread hangs in the next block. Returns the tail's word, which is
    /// to be looked at again.
    #[cold]
    fn pass_end_of_lap(&self, spins: &mut u32) -> u64 {
        if *spins < SPINS_MAX {
            *spins += 1;
            hint::spin_loop();
            // Acquire as in `reserve`.
            return self.tail.index.load(Ordering::Acquire);
        }
        let lap = self.lap.lock();
        // Acquire as in `reserve`.
        let index = self.tail.index.load(Ordering::Acquire);
        if offset(index >> SHIFT) != SLOTS {
            return index;
        }
        // P1. Relaxed: `hang_in` publishes nothing to the flag, and what it does we acquire below.
        let waits = self.tail.index.compare_exchange(
            index,
            index | LAP_WAITED,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if waits.is_ok() {
            drop(self.lap_ended.wait(lap));
        }
        // Acquire as in `reserve`.
        self.tail.index.load(Ordering::Acquire)
    }

    /// P2: pushers sleep.
    #[cold]
    fn wake_at_end_of_lap(&self) {
        let lap = self.lap.lock();
        // A flag that stands for another lap by now: its pushers wake, look, and set it again.
        // Relaxed: set and cleared under the mutex, and read with the tail's position.
        self.tail.index.fetch_and(!LAP_WAITED, Ordering::Relaxed);
        drop(lap);
        self.lap_ended.notify_all();
    }

    fn take_block(&self) -> NonNull<Block<T>> {
        // Acquire pairs with the release in `keep_block`: the block is seen reset.
        let spare = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
        NonNull::new(spare).unwrap_or_else(Block::new)
    }

    /// Keeps an empty block that nobody uses for later.
    fn keep_block(&self, block: NonNull<Block<T>>) {
        // Release pairs with the acquire in `take_block`, and acquire with the release of whoever
        // put the old one here.
        let old = self.spare.swap(block.as_ptr(), Ordering::AcqRel);
        if let Some(old) = NonNull::new(old) {
            // SAFETY: what was in `spare` is used by nobody and holds no values.
            unsafe { Block::free(old) };
        }
    }

    /// Takes no more through [`push_open`](Self::push_open).
    pub(super) fn close(&self) {
        // Release pairs with the acquire in `is_closed`.
        self.tail.index.fetch_or(RECEIVER_CLOSED, Ordering::AcqRel);
    }

    /// Whether [`close`](Self::close) was called.
    pub(super) fn is_closed(&self) -> bool {
        // Acquire pairs with the release in `close`.
        self.tail.index.load(Ordering::Acquire) & RECEIVER_CLOSED != 0
    }

    /// Takes the first value out.
    ///
    /// # Safety
    /// The caller is the receiver.
    // Always: as a call it costs a receive 9 % of its instructions.
    #[inline(always)]
    pub(super) unsafe fn pop(&self) -> Popped<T> {
        // SAFETY: invariant 5, the caller's promise.
        let head = unsafe { &mut *self.head.get() };
        let offset = offset(head.position);
        // SAFETY: the head's block is ours until we give it away.
        let block = unsafe { head.block.as_ref() };
        // Acquire pairs with the swap in `Reserved::publish`: we see the value, and `next`.
        match block.states[offset].load(Ordering::Acquire) {
            READY => {}
            END => return Popped::End,
            _ => return Popped::Empty,
        }
        // SAFETY: invariant 4; we step past the slot, so the value is read once.
        let value = block.values[offset].with(|value| unsafe { (*value).assume_init_read() });
        head.position = head.position.wrapping_add(1);
        if offset + 1 == SLOTS {
            self.next_block(head);
        }
        Popped::Value(value)
    }

    /// Goes on to the next block and gives the emptied one away.
    fn next_block(&self, head: &mut Head<T>) {
        let emptied = head.block;
        // SAFETY: the block is ours until we give it away.
        let block = unsafe { emptied.as_ref() };
        // Relaxed: written before the last slot was filled (invariant 2), which we have seen.
        let next = block.next.load(Ordering::Relaxed);
        debug_assert!(!next.is_null());
        head.position = head.position.wrapping_add(1);
        // SAFETY: invariant 2.
        head.block = unsafe { NonNull::new_unchecked(next) };
        // Relaxed, all: `keep_block` publishes them.
        for state in &block.states {
            state.store(EMPTY, Ordering::Relaxed);
        }
        block.next.store(ptr::null_mut(), Ordering::Relaxed);
        // Invariant 1: nobody else uses the block any more.
        self.keep_block(emptied);
    }

    /// Has the next push wake the receiver, whose waker is registered. Returns false if there is
    /// something to pop already.
    ///
    /// # Safety
    /// The caller is the receiver.
    pub(super) unsafe fn wait(&self) -> bool {
        // SAFETY: as in `pop`.
        let (head, block) = unsafe {
            let head = &*self.head.get();
            (head, head.block.as_ref())
        };
        let state = &block.states[offset(head.position)];
        // Release pairs with the swap in `Reserved::publish`: the pusher sees our waker. Acquire
        // for the case that it was faster.
        match state.compare_exchange(EMPTY, WAITING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) | Err(WAITING) => true,
            Err(_) => false,
        }
    }

    /// How many values there are, those included that are just being written.
    ///
    /// # Safety
    /// The caller is the receiver.
    pub(super) unsafe fn len(&self) -> usize {
        // SAFETY: as in `pop`.
        let head = unsafe { (*self.head.get()).position };
        // Acquire pairs with the release in `reserve`.
        let index = self.tail.index.load(Ordering::Acquire);
        const POSITIONS: u64 = u64::MAX >> SHIFT;
        let distance = ((index >> SHIFT).wrapping_sub(head) & POSITIONS) as usize;
        // Each end of a lap on the way is no value.
        let ends = (offset(head) + distance) / LAP;
        distance - ends - usize::from(index & SENDERS_GONE != 0)
    }

    /// Whether a position is reserved that was not popped yet: a value, one that is just being
    /// written, or the end of the senders.
    ///
    /// # Safety
    /// The caller is the receiver.
    pub(super) unsafe fn has_reserved(&self) -> bool {
        // Acquire pairs with the release in `reserve`.
        let gone = self.tail.index.load(Ordering::Acquire) & SENDERS_GONE != 0;
        // SAFETY: the caller's promise.
        gone || unsafe { self.len() } > 0
    }
}

impl<T> Reserved<T> {
    #[inline]
    fn fill(self, value: T) -> Pushed {
        // SAFETY: the position is ours alone and its slot holds nothing.
        let block = unsafe { self.block.as_ref() };
        block.values[self.offset].with_mut(|slot| unsafe {
            // SAFETY: as above.
            (*slot).write(value);
        });
        self.publish(READY)
    }

    #[inline]
    fn publish(self, state: u8) -> Pushed {
        // SAFETY: invariant 1, our slot is not filled yet.
        let block = unsafe { self.block.as_ref() };
        // Release pairs with the acquire in `pop`; acquire with the release in `wait`.
        match block.states[self.offset].swap(state, Ordering::AcqRel) {
            WAITING => Pushed::WakeReceiver,
            _ => Pushed::Done,
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        // Values that came after the receiver had emptied the queue go with the last handle of all,
        // whichever that is: panics of destructors are contained.
        // SAFETY: nobody else uses the queue: we are the receiver.
        while let Popped::Value(value) = unsafe { self.pop() } {
            drop_value(value);
        }
        // The blocks that are left are the head's, the one behind it if it was hung in already, and the
        // spare one.
        let mut block = Some(self.head.get_mut().block);
        while let Some(this) = block {
            // Relaxed: nobody else uses the queue.
            // SAFETY: the chain's blocks are alive and nobody else's.
            unsafe {
                block = NonNull::new(this.as_ref().next.load(Ordering::Relaxed));
                Block::free(this);
            }
        }
        // Acquire pairs with the release in `keep_block`.
        if let Some(spare) = NonNull::new(self.spare.load(Ordering::Acquire)) {
            // SAFETY: as in `keep_block`.
            unsafe { Block::free(spare) };
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
impl<T> Queue<T> {
    /// A pusher that is preempted when it has reserved its position: the closure goes on.
    pub(super) fn push_in_two_steps(&self) -> impl FnOnce(T) -> Pushed {
        let reserved = self.reserve(0, 0).ok().unwrap();
        move |value| reserved.fill(value)
    }

    /// Whether the receiver waits in the slot at the head.
    pub(super) fn is_waited_for(&self) -> bool {
        // SAFETY: in these tests nothing is popped meanwhile.
        let (head, block) = unsafe {
            let head = &*self.head.get();
            (head, head.block.as_ref())
        };
        // Relaxed: asked for again until it is so.
        block.states[offset(head.position)].load(Ordering::Relaxed) == WAITING
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_pusher_sleeps_until_a_preempted_one_has_hung_in_the_next_block() {
        let queue = Queue::new();
        for value in 0..SLOTS - 1 {
            let _ = queue.push(value);
        }
        // Preempted between the two halves of `reserve`.
        let block = NonNull::new(queue.tail.block.load(Ordering::Acquire)).unwrap();
        queue.tail.index.fetch_add(ONE, Ordering::AcqRel);
        std::thread::scope(|scope| {
            for value in [SLOTS, SLOTS + 1] {
                let queue = &queue;
                scope.spawn(move || queue.push(value));
            }
            while queue.tail.index.load(Ordering::Acquire) & LAP_WAITED == 0 {
                std::thread::yield_now();
            }
            queue.hang_in(block, Block::new());
            let last = Reserved {
                block,
                offset: SLOTS - 1,
            };
            let _ = last.fill(SLOTS - 1);
        });
        let mut values = Vec::new();
        // SAFETY: this thread is the receiver.
        while let Popped::Value(value) = unsafe { queue.pop() } {
            values.push(value);
        }
        values.sort_unstable();
        assert!(values.into_iter().eq(0..SLOTS + 2));
        assert_eq!(queue.tail.index.load(Ordering::Acquire) & LAP_WAITED, 0);
    }
}
