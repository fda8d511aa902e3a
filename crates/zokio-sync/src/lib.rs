//! Layer 3 of Zokio: channels, locks and other primitives for tasks.
//!
//! None of them needs a runtime: they wake whatever waker their future was polled with. Each has a
//! folder with its public API (`mod.rs`), its algorithm (`core.rs`), and its models (`model.rs`).
//!
//! The algorithms have this in common:
//!
//! 1. The uncontended path is one or two atomic operations and takes no lock.
//! 2. A waiter is a node inside of its future, in a list behind a lock. Waiting allocates nothing,
//!    and a future that is dropped leaves the list; it must be pinned for that, as futures are.
//! 3. Wakers are foreign code: they are cloned, dropped and woken while no lock is held, and woken
//!    in batches.
//! 4. A permit, a value or a notification is handed to its waiter before the waiter is woken. So it does not
//!    have to compete again, and is woken once.
//! 5. A future that is dropped after something was handed to it, but before it saw that, hands it
//!    on.

#![deny(unsafe_code)]

#[cfg(all(test, not(zokio_model)))]
mod auto_traits;
mod blocking;
#[cfg(all(test, not(zokio_model)))]
mod foreign_tests;
mod guard;
mod marker;
#[cfg(all(test, zokio_loom))]
mod modeling;
#[cfg(all(test, not(zokio_model)))]
mod testing;

mod barrier;
pub mod broadcast;
mod condvar;
pub mod mpsc;
mod mutex;
mod notify;
mod once_cell;
pub mod oneshot;
mod rwlock;
mod semaphore;
mod set_once;
pub mod watch;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::Condvar;
pub use mutex::{
    MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard, TryLockError,
};
pub use notify::Notify;
pub use once_cell::{OnceCell, SetError};
pub use rwlock::{
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};
pub use semaphore::{
    AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError,
};
pub use set_once::{SetOnce, SetOnceError};

/// Futures that have a name.
pub mod futures {
    pub use crate::notify::{Notified, OwnedNotified};
}
