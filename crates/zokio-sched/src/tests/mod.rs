//! The scheduler as a whole, over a [`Park`] that only waits.
#![allow(clippy::disallowed_methods)] // Tests start threads and let them wait.

mod current;
mod foreign;
mod multi;
mod observe;
mod shown;
mod stall;
mod step;
mod stress;
mod support;
