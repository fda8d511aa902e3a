//! Layer 2 of Zokio: operations in, completions out.
//!
//! Each worker of a runtime has two planes, and anyone may reap either:
//!
//! - the **readiness plane** ([`poll`]): one edge-triggered set per worker, through `mio`, for
//!   sockets, pipes and whatever else says when it is ready;
//! - the **completion plane** ([`op`], [`uring`]): operations on files, on a ring where there is
//!   one and on threads that may block elsewhere.
//!
//! [`driver`] holds the two together: a handle for everybody, and a part for each worker that
//! waits and reaps.
//!
//! The contract of the completion plane: exactly one completion per operation, and buffers belong
//! to the operation until then.

#![deny(unsafe_code)]

pub mod bell;
pub mod buf;
#[cfg(unix)]
#[path = "sys/children.rs"]
pub mod children;
pub mod driver;
#[cfg(unix)]
pub mod fd;
pub mod op;
#[cfg(unix)]
#[path = "sys/peer.rs"]
pub mod peer;
pub mod poll;
#[cfg(unix)]
#[path = "sys/signals.rs"]
pub mod signals;
#[cfg(unix)]
#[path = "sys/stream.rs"]
pub mod stream;
pub mod uring;

mod flight;
mod guard;
#[cfg(all(test, unix, not(zokio_model)))]
#[allow(unsafe_code)] // What a flight asks of its two parties.
mod shown;
mod sys;
#[cfg(all(test, not(zokio_shuttle)))]
mod testing;

pub use driver::{
    Driver, DriverHandle, DriverMetrics, DriverOptions, DriverUnparker, WorkerDriver,
};
pub use poll::{Direction, Interest, Ready, ReadyEvent, Registration};
pub use sys::SourceId;
pub use uring::IoMode;
