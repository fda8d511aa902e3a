//! The one rule for user code that panics where no user could catch it.
//!
//! The runtime calls code that it did not write: hooks, wakers (`wake`, `drop`), and destructors of
//! values that it holds (futures, outputs, messages, panic payloads). If such a call unwound into
//! the runtime, a batch of wake-ups would end half-way, a worker's thread would end with its core,
//! or a second panic would abort the process.
//!
//! **The rule.** The runtime finishes its own change of state first and holds no lock. Then it
//! calls foreign code through [`contain`], which catches the panic and counts it, and the runtime
//! goes on as if the call had returned. The panic hook of the process has reported the panic by
//! then. By kind of call:
//!
//! | foreign code | its panic |
//! | --- | --- |
//! | hooks | is contained |
//! | `Waker`: `wake`, `wake_by_ref`, `drop` | is contained: the waker belongs to another task than the caller's |
//! | `Waker::clone` within a poll | goes to the poll's caller; the structure is as it was before the poll |
//! | poll and destructor of a task's future | becomes the task's result |
//! | closures and `Clone` of values that a call was given | goes to the call's caller; no lock or permit stays taken |
//! | destructor of a value that is the caller's to drop | goes to the caller, see below |
//! | destructor of a value that several handles share | is contained, see below |
//!
//! **Values.** A call may have several values to drop: a receiver that goes drops every message in
//! its channel. Each of them is dropped, whatever the destructors of the others do, after the
//! structure is complete. Whether the caller learns of a panic depends on whose the values are:
//!
//! - The call *always* drops them: a channel's receiver that goes, and a value that a `send` of
//!   `watch` replaces. The panic is the caller's, as with `Vec`: the first one goes on once all values
//!   are gone ([`FirstPanic`]). Those that follow are contained. All are, if the caller is unwinding
//!   already, because a second panic would abort the process.
//! - They go with whichever handle or thread *happens* to be the last: an output that nobody joins, a
//!   message of `broadcast` that the last of its receivers has read or lost, what is in a channel when
//!   both its halves are gone, the last value of `watch`. That caller cannot know, so the panic is
//!   contained ([`Contained`], [`drop_value`]).
//!
//! Structures keep wakers as [`KeptWaker`]s, so that no path on which a waker is dropped can be
//! forgotten.
//!
//! **Rejected.** To abort: one task's destructor would end the process of all. To let each panic go
//! on to whoever happened to call: the code that wakes is not the code that is at fault, and what it
//! had still to do would not be done.
#![allow(unsafe_code)]

use crate::sync::std_atomic::{AtomicU64, Ordering};
use std::any::Any;
use std::fmt;
use std::mem::{ManuallyDrop, needs_drop};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// Panics that were contained since the process began.
static CONTAINED: AtomicU64 = AtomicU64::new(0);

/// Runs `call`, which is foreign code. None if it panicked: the panic is counted and goes no further.
#[inline]
pub fn contain<R>(call: impl FnOnce() -> R) -> Option<R> {
    // Unwind safety: the caller's state is complete before the call, as the rule above asks.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            count_and_drop(payload);
            None
        }
    }
}

/// Wakes `waker`, whose code may be foreign.
#[inline]
pub fn wake(waker: Waker) {
    let _ = contain(|| waker.wake());
}

/// Wakes each of `wakers`, whatever the others do.
pub fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    let mut wakers = wakers.into_iter();
    // A panic ends the inner loop; the outer one goes on behind the waker that panicked.
    while contain(|| wakers.by_ref().for_each(Waker::wake)).is_none() {}
}

/// Wakes `waker`, whose code may be foreign, and leaves it where it is.
#[inline]
pub fn wake_by_ref(waker: &Waker) {
    let _ = contain(|| waker.wake_by_ref());
}

/// Drops `value`, whose destructor may be foreign.
#[inline]
pub fn drop_value<T>(value: T) {
    if needs_drop::<T>() {
        let _ = contain(|| drop(value));
    }
}

/// Counts a panic that was caught elsewhere, and drops its payload, which may panic again.
#[cold]
pub fn count_and_drop(payload: Box<dyn Any + Send>) {
    // Relaxed: a metric.
    CONTAINED.fetch_add(1, Ordering::Relaxed);
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A payload whose destructor panics with another such payload would never end: the second
        // one is leaked.
        std::mem::forget(second);
    }
}

/// How many panics of foreign code were contained since the process began.
pub fn contained() -> u64 {
    // Relaxed: a metric.
    CONTAINED.load(Ordering::Relaxed)
}

/// Drops values that are the caller's to drop, and keeps the first panic until all are gone.
#[derive(Default)]
#[must_use = "the first panic goes on in `resume`"]
pub struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    /// No value has panicked.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Drops `value`.
    #[inline]
    pub fn drop_value<T>(&mut self, value: T) {
        if !needs_drop::<T>() {
            return;
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            self.keep(payload);
        }
    }

    #[cold]
    fn keep(&mut self, payload: Box<dyn Any + Send>) {
        if self.0.is_none() && !std::thread::panicking() {
            self.0 = Some(payload);
        } else {
            count_and_drop(payload);
        }
    }

    /// Lets the first panic go on, if there was one. The last step of the caller's call.
    #[inline]
    pub fn resume(self) {
        if let Some(payload) = self.0 {
            resume_unwind(payload);
        }
    }
}

impl fmt::Debug for FirstPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FirstPanic")
            .field(&self.0.is_some())
            .finish()
    }
}

/// A value whose destructor may panic without consequences for whoever drops it.
#[derive(Default, Clone, PartialEq, Eq)]
#[repr(transparent)]
pub struct Contained<T>(ManuallyDrop<T>);

impl<T> Contained<T> {
    /// Keeps `value`.
    #[inline]
    pub const fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }

    /// Gives the value to the caller, who drops it on his own account.
    #[inline]
    pub fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither dropped nor used again.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Drop for Contained<T> {
    #[inline]
    fn drop(&mut self) {
        /// Out of line: most drops are of options that hold nothing, in futures on hot paths, and the
        /// landing pad of a `catch_unwind` keeps what surrounds it from being inlined.
        #[inline(never)]
        fn drop_contained<T>(value: &mut ManuallyDrop<T>) {
            // SAFETY: the value is there until now and is not used again.
            let _ = contain(|| unsafe { ManuallyDrop::drop(value) });
        }
        if needs_drop::<T>() {
            drop_contained(&mut self.0);
        }
    }
}

impl<T> Deref for Contained<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Contained<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Contained<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A waker that a structure keeps until an event comes. It is as large as a `Waker`, and so is an
/// option of it.
pub type KeptWaker = Contained<Waker>;

const _: () = assert!(size_of::<Option<KeptWaker>>() == size_of::<Waker>());

impl Contained<Waker> {
    /// A clone of `waker`. If that panics, the panic goes to the caller: to be called before the
    /// structure is changed, and with no lock held.
    #[inline]
    pub fn of(waker: &Waker) -> Self {
        Self::new(waker.clone())
    }

    /// Wakes it.
    #[inline]
    pub fn wake(self) {
        wake(self.into_inner());
    }

    /// Wakes it, and leaves it where it is.
    #[inline]
    pub fn wake_by_ref(&self) {
        wake_by_ref(self);
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::panic::panic_any;

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic_any(PanicsOnDrop);
        }
    }

    #[test]
    fn a_panic_is_counted_and_goes_no_further() {
        let before = contained();
        assert_eq!(contain(|| 7), Some(7));
        assert_eq!(contain(|| panic!("expected")), None::<()>);
        assert!(contained() > before);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_leaked_at_the_second_time() {
        let before = contained();
        drop_value(PanicsOnDrop);
        assert!(contained() > before);
    }

    #[test]
    fn each_waker_is_woken_whatever_the_others_do() {
        struct Wakes(std::sync::Arc<AtomicU64>, bool);
        impl std::task::Wake for Wakes {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
                assert!(!self.1, "expected");
            }
        }
        let woken = std::sync::Arc::new(AtomicU64::new(0));
        let waker = |panics| Waker::from(std::sync::Arc::new(Wakes(woken.clone(), panics)));
        wake_all((0..100).map(|index| waker(index % 3 == 0)));
        assert_eq!(woken.load(Ordering::Relaxed), 100);
        KeptWaker::new(waker(true)).wake_by_ref();
        KeptWaker::of(&waker(true)).wake();
        assert_eq!(woken.load(Ordering::Relaxed), 102);
        assert_eq!(std::sync::Arc::strong_count(&woken), 1);
    }

    /// Counts its drops, and panics in each.
    struct Falls<'a>(&'a std::cell::Cell<u32>);

    impl Drop for Falls<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            panic_any(self.0.get());
        }
    }

    #[test]
    fn the_first_of_several_panics_goes_on_after_the_last_value() {
        let dropped = std::cell::Cell::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut first = FirstPanic::new();
            for _ in 0..10 {
                first.drop_value(Falls(&dropped));
            }
            first.resume();
        }));
        let payload = result.expect_err("the first panic goes on");
        assert_eq!(payload.downcast_ref(), Some(&1_u32));
        assert_eq!(dropped.get(), 10);
        FirstPanic::new().resume();
    }

    #[test]
    fn no_panic_goes_on_while_the_caller_unwinds() {
        struct Receiver<'a>(&'a std::cell::Cell<u32>);
        impl Drop for Receiver<'_> {
            fn drop(&mut self) {
                let mut first = FirstPanic::new();
                first.drop_value(Falls(self.0));
                first.drop_value(Falls(self.0));
                first.resume();
            }
        }
        let dropped = std::cell::Cell::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _receiver = Receiver(&dropped);
            panic_any("the caller's own");
        }));
        let payload = result.expect_err("it panicked");
        assert_eq!(payload.downcast_ref(), Some(&"the caller's own"));
        assert_eq!(dropped.get(), 2);
    }

    #[test]
    fn a_contained_value_falls_without_consequences() {
        let dropped = std::cell::Cell::new(0);
        drop(Contained::new(Falls(&dropped)));
        assert_eq!(dropped.get(), 1);
        let own = catch_unwind(AssertUnwindSafe(|| {
            drop(Contained::new(Falls(&dropped)).into_inner());
        }));
        assert!(own.is_err());
        assert_eq!(dropped.get(), 2);
        let mut text = Contained::new(String::from("a"));
        text.push('b');
        assert_eq!(format!("{text:?}"), "\"ab\"");
    }
}
