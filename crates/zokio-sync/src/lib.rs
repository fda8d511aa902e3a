//! Layer 3 of Zokio: channels, locks and other primitives for tasks.
//!
//! None of them needs a runtime: they wake whatever waker their future was polled with. Each has a
//! folder with its public API (`mod.rs`), its algorithm (`core.rs`), and its models (`model.rs`).
//!
//! What the algorithms have in common:
//!
//! 1. The uncontended path is one or two atomic operations and takes no lock.
//! 2. Who waits is a node inside of its future, in a list behind a lock. Waiting allocates nothing,
//!    and a future that is dropped leaves the list; it must be pinned for that, as futures are.
//! 3. Wakers are foreign code: they are cloned, dropped and woken while no lock is held, and woken
//!    in batches.
//! 4. What a waiter gets is handed to it before it is woken. It does not have to compete for it
//!    again, and it is woken once.
//! 5. A future that is dropped after something was handed to it, but before it saw that, hands it
//!    on.

#![deny(unsafe_code)]

mod blocking;
mod marker;
#[cfg(test)]
mod testing;

pub mod mpsc;
mod notify;
pub mod oneshot;
mod semaphore;
pub mod watch;

pub use notify::Notify;
pub use semaphore::{
    AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError,
};

/// Futures that have a name.
pub mod futures {
    pub use crate::notify::{Notified, OwnedNotified};
}
