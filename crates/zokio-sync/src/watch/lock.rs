//! A lock for many readers or one writer, whose readers may read again.
//!
//! A thread that holds a value borrowed and borrows again must not wait: the writer that it would wait
//! for waits for its first borrow. That holds across channels too, where one thread borrows from A and
//! then from B, another from B and then from A, and both have a writer waiting. The standard
//! library's lock lets readers wait behind a writer that waits, whoever they are, so it is not used.
//!
//! One word tells readers and writers whether they may enter; in the common case they change nothing
//! else. Those who cannot enter wait behind a mutex. A thread counts the borrows that it holds, of all
//! channels.
//!
//! # Who waits for whom
//!
//! - A reader that holds nothing waits for the writer that is inside and for writers that wait. So
//!   readers that come one after the other cannot keep a writer out.
//! - A reader that holds a borrow of any channel waits for the writer that is inside, and for no other.
//! - A writer waits for the readers and the writer inside.
//! - A writer that leaves admits all readers that wait, before it wakes the next writer. So writers that
//!   come one after the other cannot keep a reader out.
//!
//! A writer that is inside runs the closure of a `send_modify`, and ends, unless the closure itself
//! waits. A thread that sends while it holds a borrow of the same channel waits for itself; upstream
//! documents that.
//!
//! # Invariants
//!
//! 1. The value is reached by the writer while `WRITER` is set, and by readers, of which the word has
//!    the number, while it is clear.
//! 2. `WRITERS_WAIT` and `READERS_WAIT` are set under the mutex by whoever is going to wait, with the
//!    same operation that looks whether it has to. Whoever makes room afterwards sees the bit, takes
//!    the mutex, which the one who waits lets go of only by waiting, and notifies.
//! 3. `WRITERS_WAIT` is set while `Waiting::writers` is above 0; `READERS_WAIT` while
//!    `Waiting::readers` is. A writer is inside or about to be woken whenever readers wait: a reader
//!    waits only for a writer that is inside or that waits, and a writer that waits waits for readers
//!    inside or for a writer.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use zokio_base::foreign::Contained;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{Condvar, Mutex, UnsafeCell, hint};

/// A writer is inside.
const WRITER: usize = 0b001;
/// A writer waits.
const WRITERS_WAIT: usize = 0b010;
/// A reader waits.
const READERS_WAIT: usize = 0b100;
/// Above the flags: how many readers are inside.
const READER: usize = 0b1000;

/// How often a thread looks again before it waits: a value is usually held for a few instructions.
#[cfg(not(zokio_model))]
const SPINS_MAX: u32 = 64;
/// Models wait at once: the spins are theirs to choose.
#[cfg(zokio_model)]
const SPINS_MAX: u32 = 0;

#[cfg(not(zokio_model))]
zokio_base::sync::per_thread! {
    /// How many borrows this thread holds.
    static HELD: Cell<usize> = const { Cell::new(0) };
}
#[cfg(zokio_model)]
zokio_base::sync::thread_local! {
    static HELD: Cell<usize> = Cell::new(0);
}

/// Changes the number of this thread's borrows.
#[inline]
fn count_held(change: impl FnOnce(usize) -> usize) {
    // A thread whose locals are gone counts none, and waits behind writers.
    let _ = HELD.try_with(|held| held.set(change(held.get())));
}

fn holds_one() -> bool {
    HELD.try_with(|held| held.get() > 0).unwrap_or(false)
}

/// A value behind the lock. As several handles share the value, its destructor's panic is contained.
pub(super) struct Lock<T> {
    word: AtomicUsize,
    waiting: Mutex<Waiting>,
    readers: Condvar,
    writers: Condvar,
    /// Invariant 1.
    value: UnsafeCell<Contained<T>>,
}

/// The threads that wait.
#[derive(Default)]
struct Waiting {
    readers: usize,
    writers: usize,
    /// How often the readers that waited were admitted.
    admissions: usize,
}

// SAFETY: the lock owns the value.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: readers share the value, and a writer has it to itself (invariant 1).
unsafe impl<T: Send + Sync> Sync for Lock<T> {}

impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read(WRITER) {
            Some(guard) => guard.fmt(f),
            None => f.write_str("<locked>"),
        }
    }
}

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            word: AtomicUsize::new(0),
            waiting: Mutex::new(Waiting::default()),
            readers: Condvar::new(),
            writers: Condvar::new(),
            value: UnsafeCell::new(Contained::new(value)),
        }
    }

    // ---- Readers ----

    /// Waits until the value may be read.
    #[inline]
    pub(super) fn read(&self) -> ReadGuard<'_, T> {
        match self.try_read(WRITER | WRITERS_WAIT) {
            Some(guard) => guard,
            None => self.read_or_wait(),
        }
    }

    fn reading(&self) -> ReadGuard<'_, T> {
        count_held(|held| held + 1);
        ReadGuard {
            lock: self,
            _not_send: PhantomData,
        }
    }

    /// Enters unless a flag of `respect` is set.
    #[inline]
    fn try_read(&self, respect: usize) -> Option<ReadGuard<'_, T>> {
        // Relaxed: the swap below is what acquires.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & respect == 0 {
            assert!(word < usize::MAX - READER, "too many borrows of a value");
            // Acquire pairs with the release in `leave_writing`: we see the value as it was left.
            match self.word.compare_exchange_weak(
                word,
                word + READER,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(self.reading()),
                Err(actual) => word = actual,
            }
        }
        None
    }

    #[cold]
    fn read_or_wait(&self) -> ReadGuard<'_, T> {
        let respect = match holds_one() {
            true => WRITER,
            false => WRITER | WRITERS_WAIT,
        };
        for _ in 0..SPINS_MAX {
            if let Some(guard) = self.try_read(respect) {
                return guard;
            }
            hint::spin_loop();
        }
        let mut waiting = self.waiting.lock();
        // Invariant 2. Acquire as in `try_read`.
        let mut word = self.word.fetch_or(READERS_WAIT, Ordering::Acquire) | READERS_WAIT;
        while word & respect == 0 {
            // There is room after all: enter, with the bit as it belongs (invariant 3).
            let others = if waiting.readers > 0 { READERS_WAIT } else { 0 };
            let next = (word & !READERS_WAIT | others) + READER;
            // Acquire as in `try_read`.
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => return self.reading(),
                Err(actual) => word = actual,
            }
        }
        waiting.readers += 1;
        let admissions = waiting.admissions;
        while waiting.admissions == admissions {
            waiting = self.readers.wait(waiting);
        }
        // The writer that left has counted us among the readers inside. What it wrote we see by the
        // mutex.
        drop(waiting);
        self.reading()
    }

    #[inline]
    fn leave_reading(&self) {
        count_held(|held| held.saturating_sub(1));
        // Release pairs with the acquire in `write`: what we read is not written before.
        let before = self.word.fetch_sub(READER, Ordering::Release);
        if before & !(WRITERS_WAIT | READERS_WAIT) == READER && before & WRITERS_WAIT != 0 {
            self.wake_writer();
        }
    }

    // ---- Writers ----

    /// Waits until the value may be written.
    #[inline]
    pub(super) fn write(&self) -> WriteGuard<'_, T> {
        // Acquire pairs with the releases of those who were inside before.
        let entered = self
            .word
            .compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed);
        if entered.is_err() {
            self.write_or_wait();
        }
        WriteGuard { lock: self }
    }

    /// Enters if nobody is inside. The flags stay, but for `clear`.
    fn try_write(&self, clear: usize) -> bool {
        // Relaxed: the swap below is what acquires.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & !(WRITERS_WAIT | READERS_WAIT) == 0 {
            let next = word & !clear | WRITER;
            // Acquire as in `write`.
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(actual) => word = actual,
            }
        }
        false
    }

    #[cold]
    fn write_or_wait(&self) {
        for _ in 0..SPINS_MAX {
            if self.try_write(0) {
                return;
            }
            hint::spin_loop();
        }
        let mut waiting = self.waiting.lock();
        waiting.writers += 1;
        loop {
            // Invariant 2. Relaxed: `try_write` looks and acquires. It loads the word after this
            // swap, and a word that is changed later has the bit.
            self.word.fetch_or(WRITERS_WAIT, Ordering::Relaxed);
            // Invariant 3: the bit goes with the last.
            let clear = if waiting.writers == 1 {
                WRITERS_WAIT
            } else {
                0
            };
            if self.try_write(clear) {
                waiting.writers -= 1;
                return;
            }
            waiting = self.writers.wait(waiting);
        }
    }

    #[inline]
    fn leave_writing(&self) {
        // Release pairs with the acquires of those who enter next.
        let left = self
            .word
            .compare_exchange(WRITER, 0, Ordering::Release, Ordering::Relaxed);
        if left.is_err() {
            self.admit_who_waits();
        }
    }

    /// A writer leaves and somebody waits: the readers are next, or else a writer.
    #[cold]
    fn admit_who_waits(&self) {
        let mut waiting = self.waiting.lock();
        let readers = std::mem::take(&mut waiting.readers);
        // Nobody sets or clears the flags but under the mutex, and no reader enters while we are
        // inside: the difference is what the word lacks.
        let flag = if readers > 0 { READERS_WAIT } else { 0 };
        // Release as in `leave_writing`.
        self.word.fetch_sub(
            (WRITER + flag).wrapping_sub(readers * READER),
            Ordering::Release,
        );
        if readers > 0 {
            waiting.admissions = waiting.admissions.wrapping_add(1);
            drop(waiting);
            self.readers.notify_all();
        } else {
            drop(waiting);
            self.writers.notify_one();
        }
    }

    /// The last reader has left and a writer waits.
    #[cold]
    fn wake_writer(&self) {
        // Invariant 2: the writer waits by now, or has seen that we left.
        drop(self.waiting.lock());
        self.writers.notify_one();
    }
}

/// Holds the value for reading.
pub(super) struct ReadGuard<'a, T> {
    lock: &'a Lock<T>,
    /// The thread counts it.
    _not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives out shared references to the value.
unsafe impl<T: Sync> Sync for ReadGuard<'_, T> {}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: invariant 1, we are one of the readers.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T: fmt::Debug> fmt::Debug for ReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.leave_reading();
    }
}

/// Holds the value for writing.
pub(super) struct WriteGuard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: invariant 1, we are the writer.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.leave_writing();
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread;

    impl<T> Lock<T> {
        /// Waits until somebody waits whom `flag` stands for.
        fn until(&self, flag: usize) {
            while self.word.load(Ordering::Relaxed) & flag == 0 {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn a_thread_that_reads_may_read_again_while_a_writer_waits() {
        let (lock, other) = (Lock::new(1), Lock::new(2));
        thread::scope(|scope| {
            let held = lock.read();
            scope.spawn(|| *lock.write() += 10);
            lock.until(WRITERS_WAIT);
            // Both again, and another lock on which a writer waits too.
            assert_eq!((*lock.read(), *lock.read()), (1, 1));
            let (holds, held_there) = channel();
            let (go, gone) = channel();
            let (lock, other) = (&lock, &other);
            let holder = scope.spawn(move || {
                let also_held = other.read();
                holds.send(()).unwrap();
                // Crosswise: we hold the second and want the first, the other thread the reverse.
                gone.recv().unwrap();
                assert_eq!(*lock.read(), 1);
                drop(also_held);
            });
            held_there.recv().unwrap();
            scope.spawn(|| *other.write() += 10);
            other.until(WRITERS_WAIT);
            assert_eq!(*other.read(), 2);
            go.send(()).unwrap();
            holder.join().unwrap();
            drop(held);
        });
        assert_eq!((*lock.read(), *other.read()), (11, 12));
        assert_eq!(lock.word.load(Ordering::Relaxed), 0);
        assert!(!holds_one());
    }

    #[test]
    fn a_reader_that_holds_nothing_waits_behind_a_writer_and_is_admitted_by_it() {
        let lock = Lock::new(0);
        thread::scope(|scope| {
            let held = lock.read();
            for _ in 0..2 {
                scope.spawn(|| *lock.write() += 1);
            }
            while lock.waiting.lock().writers < 2 {
                thread::yield_now();
            }
            let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| *lock.read())).collect();
            while lock.waiting.lock().readers < 3 {
                thread::yield_now();
            }
            assert_eq!(format!("{lock:?}"), "0");
            drop(held);
            // Not behind the second writer: it has not been let in between.
            for reader in readers {
                assert_eq!(reader.join().unwrap(), 1);
            }
        });
        assert_eq!(*lock.read(), 2);
        let writing = lock.write();
        assert_eq!(format!("{lock:?}"), "<locked>");
        drop(writing);
        assert_eq!(lock.word.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn stress_two_halves_of_a_value_are_changed_together() {
        let lock = Lock::new((0_u64, 0_u64));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let mut value = lock.write();
                        value.0 += 1;
                        value.1 += 1;
                    }
                });
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let first = lock.read();
                        let second = lock.read();
                        assert_eq!(first.0, second.1);
                    }
                });
            }
        });
        assert_eq!(*lock.read(), (10_000, 10_000));
        assert_eq!(lock.word.load(Ordering::Relaxed), 0);
    }
}
