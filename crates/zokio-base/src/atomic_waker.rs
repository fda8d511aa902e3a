//! One waker slot with one consumer that registers and any number of threads that wake.
//!
//! State, one word of two bits:
//!
//! - `REGISTERING`: the consumer is writing the slot. Set and cleared by the consumer.
//! - `WAKING`: a waker of others is taking the slot's content, or wants to. Set by whoever wakes;
//!   cleared by whoever found the word zero when setting it, or by the consumer in whose
//!   registration it fell.
//!
//! Invariants:
//!
//! 1. The slot is touched only by the thread that moved the word away from zero.
//! 2. A wake that finds a registration under way leaves `WAKING` set; the consumer then finds it
//!    when it ends the registration and wakes itself. So no wake is lost.
//! 3. [`AtomicWaker::register`] is never called by two threads at once. A second call that overlaps
//!    is not undefined behaviour: it wakes its own waker, so that the caller polls again.
//! 4. A registration ends also if cloning the waker panics: the slot then holds the waker that it held
//!    before, and a wake that came meanwhile wakes that one.
#![allow(unsafe_code)]

use crate::foreign::{self, KeptWaker};
use crate::sync::UnsafeCell;
use crate::sync::atomic::{AtomicU32, Ordering};
use std::fmt;
use std::task::Waker;

const IDLE: u32 = 0;
const REGISTERING: u32 = 0b01;
const WAKING: u32 = 0b10;

/// A slot for one waker that other threads may wake.
pub struct AtomicWaker {
    state: AtomicU32,
    slot: UnsafeCell<Option<KeptWaker>>,
}

// SAFETY: the slot is touched only under invariant 1, and wakers may move between threads.
unsafe impl Send for AtomicWaker {}
// SAFETY: as above; the word serialises every access to the slot.
unsafe impl Sync for AtomicWaker {}

impl fmt::Debug for AtomicWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicWaker").finish_non_exhaustive()
    }
}

impl Default for AtomicWaker {
    fn default() -> Self {
        Self::new()
    }
}

impl AtomicWaker {
    /// An empty slot.
    #[cfg(not(zokio_loom))]
    pub const fn new() -> Self {
        Self {
            state: AtomicU32::new(IDLE),
            slot: UnsafeCell::new(None),
        }
    }

    /// An empty slot.
    #[cfg(zokio_loom)]
    pub fn new() -> Self {
        Self {
            state: AtomicU32::new(IDLE),
            slot: UnsafeCell::new(None),
        }
    }

    /// Sets the waker that the next [`wake`](Self::wake) wakes. The caller checks its condition
    /// again afterwards: a wake that came before is not remembered.
    ///
    /// # Panics
    /// If cloning `waker` panics (invariant 4).
    pub fn register(&self, waker: &Waker) {
        // Acquire pairs with the release that ends a `take`, so that we see the slot as it left it.
        match self
            .state
            .compare_exchange(IDLE, REGISTERING, Ordering::Acquire, Ordering::Acquire)
        {
            Ok(_) => self.write(waker),
            // Somebody is waking the former waker right now: the new one must not miss it.
            // Somebody else is registering: invariant 3.
            Err(_) => {
                foreign::wake_by_ref(waker);
                crate::sync::hint::spin_loop();
            }
        }
    }

    fn write(&self, waker: &Waker) {
        /// Invariant 4.
        struct Registering<'a>(&'a AtomicWaker);
        impl Drop for Registering<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.end_registration();
            }
        }
        let registering = Registering(self);
        // SAFETY: invariant 1, we moved the word from IDLE to REGISTERING.
        let old = self.slot.with_mut(|slot| unsafe {
            match &*slot {
                Some(old) if old.will_wake(waker) => None,
                _ => {
                    let new = KeptWaker::of(waker);
                    (*slot).replace(new)
                }
            }
        });
        drop(registering);
        drop(old);
    }

    #[inline]
    fn end_registration(&self) {
        // Release publishes the slot to the next `take`; acquire pairs with the `WAKING` of one
        // that came meanwhile, so that what it did before is seen by whom we wake.
        let ended =
            self.state
                .compare_exchange(REGISTERING, IDLE, Ordering::AcqRel, Ordering::Acquire);
        if ended.is_err() {
            self.wake_missed();
        }
    }

    #[cold]
    fn wake_missed(&self) {
        // SAFETY: the word is REGISTERING | WAKING: the waking side left the slot to us
        // (invariant 2), and nobody else touches it before the word is zero.
        let missed = self.slot.with_mut(|slot| unsafe { (*slot).take() });
        // AcqRel: as in `end_registration`, for the next registration and the next wake.
        self.state.swap(IDLE, Ordering::AcqRel);
        if let Some(waker) = missed {
            waker.wake();
        }
    }

    /// Takes the waker out, if one is there and nobody is just taking it.
    pub fn take(&self) -> Option<KeptWaker> {
        // Acquire pairs with the release that ends a registration. Release publishes what the
        // caller did before to a consumer that finds `WAKING`.
        if self.state.fetch_or(WAKING, Ordering::AcqRel) != IDLE {
            return None;
        }
        // SAFETY: invariant 1, we moved the word from IDLE to WAKING.
        let waker = self.slot.with_mut(|slot| unsafe { (*slot).take() });
        // Release pairs with the acquire in `register`.
        self.state.fetch_and(!WAKING, Ordering::Release);
        waker
    }

    /// Wakes and removes the registered waker.
    pub fn wake(&self) {
        if let Some(waker) = self.take() {
            waker.wake();
        }
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use crate::sync::{Arc, atomic::AtomicBool, model, thread};
    use std::future::poll_fn;
    use std::task::Poll;

    fn wait(flag: Arc<AtomicBool>, slot: Arc<AtomicWaker>) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            slot.register(cx.waker());
            if flag.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }

    #[test]
    fn a_wake_is_not_lost() {
        model(|| {
            let flag = Arc::new(AtomicBool::new(false));
            let slot = Arc::new(AtomicWaker::new());
            let (set, wake) = (flag.clone(), slot.clone());
            let other = thread::spawn(move || {
                set.store(true, Ordering::Release);
                wake.wake();
            });
            crate::sync::block_on(wait(flag, slot));
            other.join().unwrap();
        });
    }

    #[test]
    fn of_two_wakes_at_least_one_is_seen() {
        model(|| {
            let flag = Arc::new(AtomicBool::new(false));
            let slot = Arc::new(AtomicWaker::new());
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let (set, wake) = (flag.clone(), slot.clone());
                    thread::spawn(move || {
                        set.store(true, Ordering::Release);
                        wake.wake();
                    })
                })
                .collect();
            crate::sync::block_on(wait(flag, slot));
            for other in others {
                other.join().unwrap();
            }
        });
    }
}

/// More of `model`: a registration that panics.
#[cfg(all(test, zokio_loom))]
mod model_panics {
    use super::*;
    use crate::sync::{Arc, atomic::AtomicBool, model, thread};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::{RawWaker, RawWakerVTable, Wake};

    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| std::panic::panic_any("expected"),
        |_| (),
        |_| (),
        |_| (),
    );

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// Steps of the consumer: it waits with a good waker, then a poll with one whose clone panics
    /// comes in between, then it waits again. Whatever the wake meets, the good waker is woken, or
    /// the last look sees the flag; and the slot works afterwards.
    #[test]
    fn a_clone_that_panics_leaves_the_waker_of_before() {
        std::panic::set_hook(Box::new(|_| ()));
        model(|| {
            let flag = Arc::new(AtomicBool::new(false));
            let slot = Arc::new(AtomicWaker::new());
            let woken = std::sync::Arc::new(Woken(AtomicBool::new(false)));
            let good = Waker::from(woken.clone());
            slot.register(&good);
            let seen_at_first = flag.load(Ordering::Acquire);
            let (set, wake) = (flag.clone(), slot.clone());
            let other = thread::spawn(move || {
                set.store(true, Ordering::Release);
                wake.wake();
            });
            // SAFETY: the functions ignore what they are given.
            let bad = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) };
            let registered = catch_unwind(AssertUnwindSafe(|| slot.register(&bad)));
            drop(registered);
            other.join().unwrap();
            assert!(seen_at_first || woken.0.load(Ordering::Acquire));
            // The word is zero again.
            woken.0.store(false, Ordering::Relaxed);
            slot.register(&good);
            assert!(!woken.0.load(Ordering::Acquire), "no wake came");
            slot.wake();
            assert!(woken.0.load(Ordering::Acquire));
        });
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::{RawWaker, RawWakerVTable, Wake};

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A slot, and a waker whose copying runs `during`, in the midst of the slot's registration.
    struct Inner {
        slot: AtomicWaker,
        during: fn(&AtomicWaker),
        woken: AtomicUsize,
    }

    impl Inner {
        const VTABLE: RawWakerVTable =
            RawWakerVTable::new(Self::copy, Self::wake, Self::wake, |_| ());

        /// Registers the waker, and returns how often it was woken by that.
        fn register(during: fn(&AtomicWaker)) -> (&'static Self, usize) {
            let inner: &'static Self = Box::leak(Box::new(Self {
                slot: AtomicWaker::default(),
                during,
                woken: AtomicUsize::new(0),
            }));
            // SAFETY: the functions below keep the promises of a waker: what they are given lives
            // for ever and may be shared.
            let waker = unsafe { Waker::from_raw(RawWaker::new(inner.address(), &Self::VTABLE)) };
            inner.slot.register(&waker);
            (inner, inner.woken.load(Ordering::Relaxed))
        }

        fn address(&'static self) -> *const () {
            std::ptr::from_ref(self).cast()
        }

        fn at(address: *const ()) -> &'static Self {
            // SAFETY: it came from `address`, and is never freed.
            unsafe { &*address.cast::<Self>() }
        }

        fn copy(address: *const ()) -> RawWaker {
            let inner = Self::at(address);
            (inner.during)(&inner.slot);
            RawWaker::new(address, &Self::VTABLE)
        }

        fn wake(address: *const ()) {
            Self::at(address).woken.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wake_during_a_registration_reaches_who_registers() {
        let (inner, woken) = Inner::register(AtomicWaker::wake);
        assert_eq!(woken, 1);
        inner.slot.wake();
        assert_eq!(inner.woken.load(Ordering::Relaxed), 1, "it was taken out");
    }

    #[test]
    fn a_second_registration_at_once_wakes_its_own_waker() {
        static SECOND: AtomicUsize = AtomicUsize::new(0);
        struct Second;
        impl Wake for Second {
            fn wake(self: Arc<Self>) {
                SECOND.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (inner, woken) = Inner::register(|slot| slot.register(&Arc::new(Second).into()));
        assert_eq!((woken, SECOND.load(Ordering::Relaxed)), (0, 1));
        inner.slot.wake();
        assert_eq!(inner.woken.load(Ordering::Relaxed), 1, "the first is there");
        assert!(format!("{:?}", inner.slot).starts_with("AtomicWaker"));
    }

    #[test]
    fn a_clone_that_panics_leaves_the_slot_as_it_was() {
        static VTABLE: RawWakerVTable =
            RawWakerVTable::new(|_| panic!("expected"), |_| (), |_| (), |_| ());
        // SAFETY: the functions ignore what they are given.
        let bad = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) };
        let panics = |slot: &AtomicWaker| {
            let register = std::panic::AssertUnwindSafe(|| slot.register(&bad));
            assert!(std::panic::catch_unwind(register).is_err());
        };
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let good = count.clone().into();
        let slot = AtomicWaker::new();
        panics(&slot);
        slot.register(&good);
        panics(&slot);
        assert_eq!(count.0.load(Ordering::Relaxed), 0, "nothing happened");
        slot.wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the former is there");
        for _ in 0..3 {
            slot.register(&good);
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "no wait wakes itself");
    }

    #[test]
    fn a_wake_during_a_registration_that_panics_reaches_the_waker_of_before() {
        let other: &'static Inner = Box::leak(Box::new(Inner {
            slot: AtomicWaker::default(),
            during: |slot| {
                slot.wake();
                panic!("expected");
            },
            woken: AtomicUsize::new(0),
        }));
        let count = Arc::new(Count(AtomicUsize::new(0)));
        other.slot.register(&count.clone().into());
        // SAFETY: as in `Inner::register`.
        let waker = unsafe { Waker::from_raw(RawWaker::new(other.address(), &Inner::VTABLE)) };
        let register = std::panic::AssertUnwindSafe(|| other.slot.register(&waker));
        assert!(std::panic::catch_unwind(register).is_err());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(other.woken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn wakes_the_last_registered_once() {
        let first = Arc::new(Count(AtomicUsize::new(0)));
        let second = Arc::new(Count(AtomicUsize::new(0)));
        let slot = AtomicWaker::new();
        slot.wake();
        slot.register(&first.clone().into());
        slot.register(&second.clone().into());
        slot.wake();
        slot.wake();
        assert_eq!(first.0.load(Ordering::Relaxed), 0);
        assert_eq!(second.0.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&first), 1);
        assert_eq!(Arc::strong_count(&second), 1);
    }
}
