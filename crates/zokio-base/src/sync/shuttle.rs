//! Shuttle behind the door of [`crate::sync`]: many random schedules of a larger program are run.
#![allow(unsafe_code)]

pub use shuttle::hint;
pub use shuttle::thread_local;
pub use shuttle::thread_local as per_thread;

/// Shuttle's atomics, which are sequentially consistent whatever the ordering says.
pub mod atomic {
    pub use shuttle::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    /// Stands for one side of an asymmetric barrier.
    pub fn compiler_fence(order: Ordering) {
        fence(order);
    }
}

/// Shuttle's threads.
pub mod thread {
    pub use shuttle::thread::{Builder, JoinHandle, ThreadId, panicking, sleep, spawn, yield_now};

    /// The identity of the calling thread.
    pub fn current_id() -> ThreadId {
        shuttle::thread::current().id()
    }
}

/// The stack of each of shuttle's threads.
const STACK_BYTES: usize = 512 << 10;

/// How many changes of priority a schedule with priorities has: it finds every bug that needs that
/// many orderings between threads, with a probability that has a lower bound.
const PRIORITY_CHANGES: usize = 3;

/// Runs `f` under random schedules: `ZOKIO_SHUTTLE_ITERATIONS` of them, 1,000 unless it is set. One
/// half chooses among all threads at every step; the other half runs the thread with the highest
/// of random priorities, so that some threads stand still for long.
///
/// A failure prints its schedule. With that text in `ZOKIO_SHUTTLE_SCHEDULE`, only this schedule
/// runs.
pub fn model(f: impl Fn() + Send + Sync + 'static) {
    use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler};
    let f = std::sync::Arc::new(f);
    let run = |scheduler: Box<dyn shuttle::scheduler::Scheduler + Send>| {
        let mut config = shuttle::Config::new();
        // The default of 32 KiB is less than an unoptimised worker needs.
        config.stack_size = STACK_BYTES;
        // That it takes every ordering for the strongest is known: loom and the sanitizer do not.
        config.silence_warnings = true;
        let f = f.clone();
        shuttle::Runner::new(scheduler, config).run(move || f());
    };
    if let Ok(schedule) = std::env::var("ZOKIO_SHUTTLE_SCHEDULE") {
        return run(Box::new(ReplayScheduler::new_from_encoded(&schedule)));
    }
    let iterations: usize = std::env::var("ZOKIO_SHUTTLE_ITERATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000);
    run(Box::new(RandomScheduler::new(iterations.div_ceil(2))));
    run(Box::new(PctScheduler::new(
        PRIORITY_CHANGES,
        iterations / 2,
    )));
}

/// A cell. Shuttle runs one thread at a time and does not check accesses.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Calls `f` with a pointer that may only be read through.
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Calls `f` with a pointer that may be written through.
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }

    /// Exclusive access needs no closure.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// A mutual exclusion lock without poisoning.
#[derive(Debug, Default)]
pub struct Mutex<T: ?Sized>(shuttle::sync::Mutex<T>);

/// Holds a [`Mutex`] locked.
pub type MutexGuard<'a, T> = shuttle::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.0
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// A condition variable that goes with [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    /// Makes a condition variable that nobody waits for.
    pub const fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    /// Unlocks, waits for a notification, locks again.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0
            .wait(guard)
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// As [`wait`](Self::wait): shuttle has no time of its own.
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
