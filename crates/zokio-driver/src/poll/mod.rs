//! The readiness plane.
//!
//! - `ready`: sets of readiness and interest;
//! - `scheduled`: what one source is ready for and who waits for it;
//! - `set`: one worker's edge-triggered set;
//! - `token`: what a set calls its members;
//! - `park_state`: whether a worker waits in its set;
//! - `watch`: which idle worker keeps an eye on the sets of busy ones;
//! - `registration`: a source's side: when it enters a set, how it tries, waits and leaves.

pub(crate) mod park_state;
mod ready;
mod registration;
mod scheduled;
pub(crate) mod set;
mod token;
pub(crate) mod watch;

#[cfg(all(test, zokio_loom))]
mod model;

pub use ready::{Interest, Ready};
pub use registration::Registration;
pub use scheduled::{Direction, ReadyEvent};
pub use set::{gone as shutdown_error, is_shutdown_error};
