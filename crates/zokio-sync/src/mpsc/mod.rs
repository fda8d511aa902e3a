//! A channel from many senders to one receiver.
//!
//! [`channel`] makes a bounded channel: [`Sender::send`] waits while it is full, so that a fast
//! producer is slowed down. [`unbounded_channel`] makes one without a limit, whose
//! [`UnboundedSender::send`] never waits.
//!
//! The channel ends when all senders are dropped: the receiver gets what was sent, then `None`. It
//! also ends when the receiver is dropped or closed: senders fail then, and values that were not
//! received are dropped. [`Receiver::close`] lets the receiver empty the channel first.
//!
//! Senders and receivers may be used inside and outside of a runtime, with the `blocking_*` methods
//! on threads that may block; both ends of a channel may be in different runtimes.
//!
//! # Examples
//! ```
//! use zokio_sync::mpsc;
//!
//! let (sender, mut receiver) = mpsc::channel(4);
//! std::thread::spawn(move || {
//!     for number in 0..10 {
//!         sender.blocking_send(number).unwrap();
//!     }
//! });
//! zokio_task::block_on::block_on(async {
//!     let mut sum = 0;
//!     while let Some(number) = receiver.recv().await {
//!         sum += number;
//!     }
//!     assert_eq!(sum, 45);
//! });
//! ```

mod bounded;
mod chan;
mod core;
pub mod error;
// The fuzzer's door.
#[cfg(all(any(feature = "fuzz", test), not(zokio_model)))]
#[doc(hidden)]
pub mod fuzz;
mod half;
#[cfg(all(test, zokio_loom))]
mod model;
mod permit;
#[cfg(all(test, not(zokio_model)))]
mod tests;
mod unbounded;

pub use self::bounded::{Receiver, Sender, WeakSender, channel};
pub use self::permit::{OwnedPermit, Permit, PermitIterator};
pub use self::unbounded::{
    UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel,
};
