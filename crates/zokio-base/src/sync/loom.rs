//! Loom behind the door of [`crate::sync`]: every schedule of a small program is run.
#![allow(unsafe_code)]

/// Runs a future on the calling thread of a model.
pub use loom::future::block_on;
pub use loom::hint;
pub use loom::thread_local;
// Loom has no constant initialisers. No model has two threads inside of a context that it asks for.
pub use std::thread_local as per_thread;

/// Loom's atomics. A compiler fence has no meaning of its own in a model: where the protocol pairs
/// it with `membarrier`, both sides are modelled as sequentially consistent fences.
pub mod atomic {
    pub use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    /// Stands for one side of an asymmetric barrier.
    pub fn compiler_fence(_order: Ordering) {
        fence(Ordering::SeqCst);
    }
}

/// Loom's threads.
pub mod thread {
    pub use loom::thread::{Builder, JoinHandle, ThreadId, spawn, yield_now};

    /// The identity of the calling thread.
    pub fn current_id() -> ThreadId {
        loom::thread::current().id()
    }

    /// Whether this thread is unwinding.
    pub fn panicking() -> bool {
        std::thread::panicking()
    }

    /// Models have no time: another thread may run here.
    pub fn sleep(_duration: std::time::Duration) {
        loom::thread::yield_now();
    }
}

/// Runs `f` under every schedule, within the bounds that loom's environment variables set
/// (`LOOM_MAX_PREEMPTIONS` is 2 unless it says otherwise).
pub fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(2);
    }
    builder.check(f);
}

/// A cell whose accesses loom checks.
#[derive(Debug)]
pub struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    /// Calls `f` with a pointer that may only be read through.
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.0.with(f)
    }

    /// Calls `f` with a pointer that may be written through.
    #[track_caller]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(f)
    }

    /// Exclusive access needs no closure.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` proves that no other access is under way, and the pointer that
        // loom hands out is valid for as long as `self` is borrowed.
        self.0.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: Default> Default for UnsafeCell<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// A mutual exclusion lock without poisoning.
#[derive(Debug)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// Holds a [`Mutex`] locked.
pub type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    /// Wraps `value`.
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.0
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// A condition variable that goes with [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    /// Makes a condition variable that nobody waits for.
    pub fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    /// Unlocks, waits for a notification, locks again.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0
            .wait(guard)
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// Models have no time, so this waits for a notification.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _timeout: std::time::Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        (self.wait(guard), false)
    }

    /// Wakes one waiter.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes every waiter.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
