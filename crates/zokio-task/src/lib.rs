//! Layer 1 of Zokio: one task.

#![deny(unsafe_code)]

pub mod context;
pub mod coop;
pub mod id;
pub mod schedule;
