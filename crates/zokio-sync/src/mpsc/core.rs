//! A queue of blocks: many threads push, one pops.
//!
//! A push reserves the next position with one compare-and-swap on the tail, writes its value into
//! the position's slot, and swaps the slot's state to `READY`. A pop looks at the state of the slot
//! at the head: no atomic read-modify-write. A receiver that finds its slot empty waits *in the
//! slot* (state `WAITING`), so that exactly the push that fills it wakes it, and no other.
//!
//! Positions count slots, and one more per block: at the last value of a lap no slot is free and
//! the next block is being hung in, which takes its pusher a few instructions. The others spin.
//! Emptied blocks are used again: one is kept at hand.
//!
//! The end of the senders is a position of its own with a slot whose state is `END`.
//!
//! Invariants:
//!
//! 1. A block is reached through `tail.block` by whoever reserved a position in it, until it has
//!    swapped its slot's state; it does not touch the block afterwards. The receiver gives a block
//!    away when it has popped its last slot, so nobody uses it then.
//! 2. Who reserves the last slot of a block hangs in the next block, as `next` and as
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
use zokio_base::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};
use zokio_base::sync::{UnsafeCell, hint, thread};

/// Positions per block, one of which has no slot. A power of two.
#[cfg(not(loom))]
const LAP: usize = 32;
/// Small, so that models meet the end of a block.
#[cfg(loom)]
const LAP: usize = 4;
/// Slots per block.
const SLOTS: usize = LAP - 1;

/// In the tail: the receiver takes no more.
const RECEIVER_CLOSED: usize = 0b01;
/// In the tail: the last position is the end of the senders.
const SENDERS_GONE: usize = 0b10;
/// The tail's position stands above the flags.
const SHIFT: u32 = 2;
/// One position.
const ONE: usize = 1 << SHIFT;

/// Nothing yet.
const EMPTY: u8 = 0;
/// Nothing yet, and the receiver's waker is registered.
const WAITING: u8 = 1;
/// A value.
const READY: u8 = 2;
/// No value: all senders are gone.
const END: u8 = 3;

/// How often a pusher spins before it lets other threads run.
const SPINS_MAX: u32 = 32;

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
    index: AtomicUsize,
    block: AtomicPtr<Block<T>>,
}

struct Head<T> {
    position: usize,
    block: NonNull<Block<T>>,
}

/// The queue.
pub(super) struct Queue<T> {
    tail: CachePadded<Tail<T>>,
    head: CachePadded<HeadUnsafeCell<Head<T>>>,
    /// An empty block to be used next, or null.
    spare: AtomicPtr<Block<T>>,
}

// SAFETY: values move through the queue from thread to thread; all else is shared under the
// invariants above.
unsafe impl<T: Send> Send for Queue<T> {}
// SAFETY: as above. No reference to a value is ever given out.
unsafe impl<T: Send> Sync for Queue<T> {}

/// What a pop finds.
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

/// What the push has to do next.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The receiver waits for this very slot: wake it.
    WakeReceiver,
    /// Nobody waits.
    Done,
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
                index: AtomicUsize::new(0),
                block: AtomicPtr::new(block.as_ptr()),
            }),
            head: CachePadded::new(HeadUnsafeCell::new(Head { position: 0, block })),
            spare: AtomicPtr::new(ptr::null_mut()),
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
    fn reserve(&self, respect: usize, set: usize) -> Result<Reserved<T>, Closed> {
        let mut spins = 0;
        let mut next = None;
        // Acquire pairs with the release of whoever moved the tail: invariant 3 for the block.
        let mut index = self.tail.index.load(Ordering::Acquire);
        let reserved = loop {
            if index & respect != 0 {
                break Err(Closed);
            }
            let offset = (index >> SHIFT) % LAP;
            if offset == SLOTS {
                relax(&mut spins);
                index = self.tail.index.load(Ordering::Acquire);
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
        // Release pairs with the acquire in `reserve`. An addition, because flags may be set
        // meanwhile.
        self.tail.index.fetch_add(ONE, Ordering::Release);
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
    #[inline]
    pub(super) unsafe fn pop(&self) -> Popped<T> {
        // SAFETY: invariant 5, the caller's promise.
        let head = unsafe { &mut *self.head.get() };
        let offset = head.position % LAP;
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
        let state = &block.states[head.position % LAP];
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
        const POSITIONS: usize = usize::MAX >> SHIFT;
        let distance = (index >> SHIFT).wrapping_sub(head) & POSITIONS;
        // Each end of a lap on the way is no value.
        let ends = (head % LAP + distance) / LAP;
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
        // What came after the receiver had emptied the queue goes with the last handle of all,
        // whichever that is: panics of destructors are contained.
        // SAFETY: nobody else uses the queue: we are the receiver.
        while let Popped::Value(value) = unsafe { self.pop() } {
            drop_value(value);
        }
        // What is left is the head's block, the one behind it if it was hung in already, and the
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

/// Waits a little for another thread that is a few instructions from done.
#[inline]
pub(super) fn relax(spins: &mut u32) {
    if *spins < SPINS_MAX {
        *spins += 1;
        hint::spin_loop();
    } else {
        thread::yield_now();
    }
}
