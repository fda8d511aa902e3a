//! One allocation that two handles share, and the word that says whose turn it is.
//!
//! Bits of the word; each is set once, by the side named, and but for the wakers' never cleared:
//!
//! - `SENT` (sender): the value is in its cell and now belongs to the receiver. Never set once
//!   `CLOSED` is.
//! - `CLOSED` (receiver): nothing more may be sent.
//! - `SENDER_GONE`, `RECEIVER_GONE`: this side touches the memory no more. Whoever finds the other
//!   one's bit when it sets its own frees the memory.
//! - `RECEIVER_WAITS` (receiver): its waker is in its cell; `SENDER_WAITS` (sender) likewise.
//!
//! Invariants:
//!
//! 1. The value's cell belongs to the sender until `SENT` is set, to the receiver afterwards, and
//!    to whoever frees the memory in the end.
//! 2. The receiver's waker cell is written by the receiver only, while `RECEIVER_WAITS` is clear.
//!    While it is set both sides may read. The receiver clears it, and looks whether `SENT` or
//!    `SENDER_GONE` came first: if so the sender may be reading, and the cell stays as it is.
//! 3. The sender's waker cell is the same with the sides exchanged, and `CLOSED` for `SENT`.
//! 4. Where nobody has to be woken, the last word that a side writes says that it is gone as well:
//!    a send is one compare-and-swap, and a receiver that finds `SENDER_GONE` frees the memory
//!    without another.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::task::Waker;
use zokio_base::foreign::{FirstPanic, KeptWaker};
use zokio_base::sync::UnsafeCell;
use zokio_base::sync::atomic::{AtomicU32, Ordering};

const SENT: u32 = 1;
const CLOSED: u32 = 1 << 1;
const SENDER_GONE: u32 = 1 << 2;
const RECEIVER_GONE: u32 = 1 << 3;
const RECEIVER_WAITS: u32 = 1 << 4;
const SENDER_WAITS: u32 = 1 << 5;

/// The state that the handles share.
struct Shared<T> {
    word: AtomicU32,
    value: UnsafeCell<Option<T>>,
    sender: UnsafeCell<Option<KeptWaker>>,
    receiver: UnsafeCell<Option<KeptWaker>>,
}

/// The findings of the receiver.
pub(super) enum Found<T> {
    /// The value, which is now taken.
    Value(T),
    /// There is none and there never will be.
    Nothing,
    /// There is none yet.
    NotYet,
}

/// The sender's side of the memory.
pub(super) struct Tx<T>(NonNull<Shared<T>>);

/// The receiver's side of the memory.
pub(super) struct Rx<T>(NonNull<Shared<T>>);

// SAFETY: the sides share the value by handing it over, and the rest under invariants 2 and 3.
unsafe impl<T: Send> Send for Tx<T> {}
// SAFETY: a shared sender gives no access to a value.
unsafe impl<T: Send> Sync for Tx<T> {}
// SAFETY: as for `Tx`.
unsafe impl<T: Send> Send for Rx<T> {}
// SAFETY: a shared receiver gives no access to the value.
unsafe impl<T: Send> Sync for Rx<T> {}

/// Makes the two sides.
pub(super) fn new<T>() -> (Tx<T>, Rx<T>) {
    let shared = Box::new(Shared {
        word: AtomicU32::new(0),
        value: UnsafeCell::new(None),
        sender: UnsafeCell::new(None),
        receiver: UnsafeCell::new(None),
    });
    let shared = NonNull::from(Box::leak(shared));
    (Tx(shared), Rx(shared))
}

/// Sets `gone` and frees the memory if the other side is gone.
///
/// # Safety
/// The caller is the side whose bit `gone` is, has not set it yet, and touches the memory no more.
unsafe fn leave<T>(shared: NonNull<Shared<T>>, gone: u32) {
    // Release pairs with the acquire of the other side, whose last accesses come after ours or
    // before, and with its freeing. Acquire for the same reason the other way round.
    // SAFETY: the memory is there until both sides have left.
    let before = unsafe { shared.as_ref() }
        .word
        .fetch_or(gone, Ordering::AcqRel);
    if before & (SENDER_GONE | RECEIVER_GONE) != 0 {
        // SAFETY: the other side has left, and so have we.
        unsafe { free(shared) };
    }
}

/// # Safety
/// Both sides have left.
unsafe fn free<T>(shared: NonNull<Shared<T>>) {
    // SAFETY: it came from a box, and the caller promises that nobody uses it.
    drop(unsafe { Box::from_raw(shared.as_ptr()) });
}

impl<T> Tx<T> {
    fn shared(&self) -> &Shared<T> {
        // SAFETY: the memory is there until we leave.
        unsafe { self.0.as_ref() }
    }

    /// Hands the value over, or back if the receiver refuses it, and leaves.
    ///
    /// # Safety
    /// This or [`leave`](Self::leave) is called once, and nothing else afterwards.
    pub(super) unsafe fn send(&self, value: T) -> Result<(), T> {
        let shared = self.shared();
        // SAFETY: invariant 1, `SENT` is not set.
        shared.value.with_mut(|slot| unsafe { *slot = Some(value) });
        // Acquire pairs with the receiver's registration, so that we see its waker.
        let mut word = shared.word.load(Ordering::Acquire);
        loop {
            if word & CLOSED != 0 {
                // SAFETY: invariant 1, `SENT` will not be set.
                let value = shared.value.with_mut(|slot| unsafe { (*slot).take() });
                // SAFETY: we are the sender, and have not left yet.
                unsafe { leave(self.0, SENDER_GONE) };
                return match value {
                    Some(value) => Err(value),
                    None => unreachable!("the value was stored above"),
                };
            }
            let waits = word & RECEIVER_WAITS != 0;
            // Invariant 4.
            let next = word | SENT | if waits { 0 } else { SENDER_GONE };
            // Release publishes the value to the receiver; acquire as above.
            match shared
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) if waits => break,
                Ok(_) => return Ok(()),
                Err(actual) => word = actual,
            }
        }
        // SAFETY: we have not left yet.
        unsafe { wake_and_leave(self.0, &shared.receiver, SENDER_GONE) };
        Ok(())
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire pairs with the receiver's `close`.
        self.shared().word.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Has `waker` woken when the receiver closes. Returns true if it has done so.
    pub(super) fn register(&mut self, waker: &Waker) -> bool {
        let shared = self.shared();
        register(&shared.word, &shared.sender, SENDER_WAITS, CLOSED, waker)
    }

    /// Leaves without a value.
    ///
    /// # Safety
    /// As for [`send`](Self::send).
    pub(super) unsafe fn leave(&self) {
        let shared = self.shared();
        // Acquire pairs with the receiver's registration, so that we see its waker.
        let mut word = shared.word.load(Ordering::Acquire);
        loop {
            // A receiver that waits must find out. `CLOSED` tells it as well as `SENDER_GONE`, and
            // leaves us time to wake it; it closes the channel itself if it does not wait.
            let waits = word & RECEIVER_WAITS != 0 && word & CLOSED == 0;
            let next = word | if waits { CLOSED } else { SENDER_GONE };
            // Release pairs with the acquire of whoever frees; acquire as above.
            match shared
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                // SAFETY: we have not left yet.
                Ok(_) if waits => unsafe {
                    return wake_and_leave(self.0, &shared.receiver, SENDER_GONE);
                },
                Ok(_) => break,
                Err(actual) => word = actual,
            }
        }
        if word & RECEIVER_GONE != 0 {
            // SAFETY: both have left.
            unsafe { free(self.0) };
        }
    }
}

/// Wakes the other side and leaves.
///
/// # Safety
/// The other side's waker is in `cell` and stays there (invariants 2 and 3); the caller is the side
/// whose bit `gone` is and has not left.
unsafe fn wake_and_leave<T>(
    shared: NonNull<Shared<T>>,
    cell: &UnsafeCell<Option<KeptWaker>>,
    gone: u32,
) {
    // A panic of the waker is contained.
    wake(cell);
    // SAFETY: the caller's promise.
    unsafe { leave(shared, gone) };
}

/// Wakes the waker in `cell`, which the caller may read (invariants 2 and 3).
fn wake(cell: &UnsafeCell<Option<KeptWaker>>) {
    cell.with(|waker| {
        // Woken where it is: a clone is foreign code as well, and this is no poll. The other side
        // leaves the cell as it is (invariants 2 and 3), whatever the waker does.
        // SAFETY: the caller may read the cell.
        if let Some(waker) = unsafe { &*waker } {
            waker.wake_by_ref();
        }
    });
}

/// Puts `waker` into the caller's own cell. Returns true if one of the bits `over` says that
/// waiting has no more point.
fn register(
    word: &AtomicU32,
    cell: &UnsafeCell<Option<KeptWaker>>,
    waits: u32,
    over: u32,
    waker: &Waker,
) -> bool {
    // Acquire pairs with what set a bit of `over`.
    let mut seen = word.load(Ordering::Acquire);
    if seen & over != 0 {
        return true;
    }
    if seen & waits != 0 {
        // SAFETY: invariant 2, both sides may read.
        let same =
            cell.with(|old| unsafe { (*old).as_ref().is_some_and(|old| old.will_wake(waker)) });
        if same {
            return false;
        }
    }
    // Before anything is changed: the clone may panic, and the waker of before stays then.
    let new = Some(KeptWaker::of(waker));
    if seen & waits != 0 {
        // Acquire as above. Release is for nobody: the cell was not written.
        seen = word.fetch_and(!waits, Ordering::AcqRel);
        if seen & over != 0 {
            // The other side may be reading, so the cell stays as it is.
            return true;
        }
    }
    // SAFETY: invariant 2, our bit is clear.
    let old = cell.with_mut(|slot| unsafe { std::mem::replace(&mut *slot, new) });
    // Release publishes the waker; acquire as above.
    seen = word.fetch_or(waits, Ordering::AcqRel);
    drop(old);
    seen & over != 0
}

impl<T> Rx<T> {
    fn shared(&self) -> &Shared<T> {
        // SAFETY: the memory is there until we leave.
        unsafe { self.0.as_ref() }
    }

    /// Takes the value if it is there.
    pub(super) fn take(&mut self) -> Found<T> {
        let shared = self.shared();
        // Acquire pairs with the sender's swap, so that we see the value.
        let word = shared.word.load(Ordering::Acquire);
        if word & SENT != 0 {
            // SAFETY: invariant 1.
            match shared.value.with_mut(|slot| unsafe { (*slot).take() }) {
                Some(value) => Found::Value(value),
                None => Found::Nothing,
            }
        } else if word & (CLOSED | SENDER_GONE) != 0 {
            Found::Nothing
        } else {
            Found::NotYet
        }
    }

    /// Whether the value is there.
    pub(super) fn has_value(&self) -> bool {
        let shared = self.shared();
        // Acquire pairs with the sender's swap.
        // SAFETY: invariant 1.
        shared.word.load(Ordering::Acquire) & SENT != 0
            && shared.value.with(|slot| unsafe { (*slot).is_some() })
    }

    /// Has `waker` woken when the value comes or the sender goes. Returns true if that is so
    /// already.
    pub(super) fn register(&mut self, waker: &Waker) -> bool {
        let shared = self.shared();
        let over = SENT | CLOSED | SENDER_GONE;
        register(&shared.word, &shared.receiver, RECEIVER_WAITS, over, waker)
    }

    /// Takes our waker back, so that it does not live as long as the sender does. Not where the
    /// sender may be reading it: that one ends the channel, and the waker goes with the memory.
    fn unregister(&mut self) -> Option<KeptWaker> {
        const OVER: u32 = SENT | CLOSED | SENDER_GONE;
        let shared = self.shared();
        // Relaxed: our own bit, and a guess at the others.
        let seen = shared.word.load(Ordering::Relaxed);
        if seen & RECEIVER_WAITS == 0 || seen & OVER != 0 {
            return None;
        }
        // Acquire and release as in `register`.
        let seen = shared.word.fetch_and(!RECEIVER_WAITS, Ordering::AcqRel);
        if seen & OVER != 0 {
            return None;
        }
        // SAFETY: invariant 2, our bit is clear, and nothing was over when we cleared it.
        shared.receiver.with_mut(|slot| unsafe { (*slot).take() })
    }

    /// Lets the sender send no more.
    pub(super) fn close(&mut self) {
        // Dropped when all else is done.
        let _waker = self.unregister();
        let shared = self.shared();
        // Acquire pairs with the sender's registration, so that we see its waker; release with its
        // look at the word.
        let before = shared.word.fetch_or(CLOSED, Ordering::AcqRel);
        if before & SENDER_WAITS != 0 && before & (SENT | CLOSED | SENDER_GONE) == 0 {
            wake(&shared.sender);
        }
    }
}

impl<T> Drop for Rx<T> {
    fn drop(&mut self) {
        let waker = self.unregister();
        let value = self.leave();
        // All else is done: these are foreign code. The value is the caller's to drop.
        drop(waker);
        if let Some(value) = value {
            let mut first = FirstPanic::new();
            first.drop_value(value);
            first.resume();
        }
    }
}

impl<T> Rx<T> {
    /// The receiver's part in the end of the channel. Returns a value that was sent and not taken.
    /// Called once, by the drop.
    fn leave(&mut self) -> Option<T> {
        let mut value = None;
        let shared = self.shared();
        // Acquire pairs with the sender's last swap.
        let mut word = shared.word.load(Ordering::Acquire);
        loop {
            if word & SENT != 0 {
                // SAFETY: invariant 1.
                value = shared.value.with_mut(|slot| unsafe { (*slot).take() });
            }
            if word & SENDER_GONE != 0 {
                // Invariant 4.
                // SAFETY: both have left.
                unsafe { free(self.0) };
                return value;
            }
            let wakes = word & SENDER_WAITS != 0 && word & (SENT | CLOSED) == 0;
            let next = word | CLOSED | if wakes { 0 } else { RECEIVER_GONE };
            // Release pairs with the acquire of whoever frees; acquire as above.
            match shared
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                // SAFETY: we have not left yet.
                Ok(_) if wakes => unsafe {
                    wake_and_leave(self.0, &shared.sender, RECEIVER_GONE);
                    return value;
                },
                Ok(_) => return value,
                Err(actual) => word = actual,
            }
        }
    }
}
