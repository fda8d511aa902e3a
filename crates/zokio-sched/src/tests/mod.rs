//! The scheduler as a whole, over a [`Park`] that only waits.

mod current;
mod multi;
mod stall;
mod step;
mod support;
