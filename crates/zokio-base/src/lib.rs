//! Layer 0 of Zokio: what every other crate stands on.
//!
//! Three things live here and nowhere else:
//!
//! - **The only door to atomics, locks and threads** ([`sync`]). The same names are backed by the
//!   standard library, by loom (`--cfg zokio_loom`) or by shuttle (`--cfg zokio_shuttle`), so that the code that
//!   is model-checked is the code that ships.
//! - **The only door to nondeterminism**: time ([`clock`]), random numbers ([`rand`]) and hash
//!   order ([`hash`]).
//! - **The seams** through which sibling crates meet without knowing each other ([`park`]).
//!
//! Beside them stand small data structures, each with its own tests. Nothing here is public API:
//! only the crate `zokio` makes promises.

#![deny(unsafe_code)]

pub mod atomic_waker;
pub mod bits;
pub mod clock;
pub mod foreign;
pub mod hash;
pub mod list;
pub mod pad;
pub mod park;
pub mod parker;
pub mod rand;
pub mod slab;
pub mod sync;
pub mod wake_list;
