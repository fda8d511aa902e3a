//! Layer 1 of Zokio: one task, from its allocation to its last reference, and the context in which
//! it is polled.
//!
//! # Handles
//!
//! A task is one allocation (`cell.rs`) with a count of references in its state word (`state.rs`).
//! Each of these is one reference:
//!
//! | handle                | how many        | may                                              |
//! | --------------------- | --------------- | ------------------------------------------------ |
//! | [`Notified`]          | at most one     | be queued through the task's own link, and run   |
//! | a run                 | at most one     | poll, drop the future, write the outcome         |
//! | [`JoinHandle`]        | at most one     | wait, take or drop the outcome, abort            |
//! | [`AbortHandle`]       | any number      | abort                                            |
//! | a waker               | any number      | make a `Notified` if there is none               |
//! | the shard's entry     | until completion | lead a shutdown to the task                     |
//!
//! Which fields each may touch, and when, is said at the head of `cell.rs`; the bits, transitions
//! and numbered invariants at the head of `state.rs`; what happens around panics and drops at the
//! head of `harness.rs`. That those protocols hold is shown by the models in `model.rs`, each pair
//! of handles against one another.
//!
//! # The proof in short
//!
//! The future is touched by the holder of the `RUNNING` bit only, which one compare-and-swap gives
//! to one thread. The outcome is written before `COMPLETE` is set, by that holder, and from then on
//! has one owner, whom the same compare-and-swap names. A woken task has one notification, because
//! only the update that sets `NOTIFIED` on an idle task makes one. Memory is freed by the update
//! that takes the count of references to zero, and every handle is counted.
//!
//! A large future is in a box (`large.rs`), which is the stage's future like any other: the holder of
//! `RUNNING` polls it through the stage's pointer and drops it, and with it its memory, before it sets
//! `COMPLETE`. No handle ever reads the stage before `COMPLETE`, and after it the stage holds the
//! outcome: so no handle can reach the memory that was given back, however long it stays. The models
//! run with both kinds, and check that the future is gone while handles are in use.

#![deny(unsafe_code)]

mod abort;
pub mod block_on;
mod cell;
pub mod context;
pub mod coop;
mod error;
mod harness;
pub mod id;
mod join;
pub mod large;
mod location;
mod meta;
#[cfg(all(test, zokio_loom))]
mod model;
mod notified;
mod queue;
mod raw;
pub mod schedule;
mod shard;
mod state;
mod table;
#[cfg(all(test, not(zokio_shuttle)))]
mod testing;
#[cfg(all(test, not(zokio_model)))]
mod tests;
mod waker;

pub use abort::AbortHandle;
pub use cell::Header;
pub use error::JoinError;
pub use id::Id;
pub use join::{JoinHandle, poll_finished};
pub use meta::{Priority, SpawnMeta};
pub use notified::Notified;
pub use queue::TaskQueue;
pub use schedule::Schedule;
pub use shard::Shard;
