//! Layer 6 of Zokio: adapters between Zokio and other libraries.
//!
//! - `hyper` (feature `hyper`, on by default): I/O, tasks and timers for hyper 1.x.
//!
//! Nothing here reaches below the public API of `zokio`: what an adapter can do, a user can.
#![deny(unsafe_code)]

#[cfg(feature = "hyper")]
pub mod hyper;
