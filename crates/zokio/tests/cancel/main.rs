//! The cancellation ledger: futures of operations dropped at each state, many thousand times, with the
//! ring and without it, on one worker and on two.
//!
//! These are counted, before and after: descriptors of the process, registrations, operations in
//! flight, buffers of operations, tasks, bytes of memory; and what a peer sent: each byte, datagram
//! and connection arrives once and in order, however many futures that waited for it were dropped.
//!
//! Whole pieces of work are dropped at each point where they wait: see [`points`].
//!
//! The states: see [`ledger::State`]. `ZOKIO_CANCEL_ROUNDS` sets how many futures each test drops
//! for each runtime (10,000 unless set).
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, unreachable_pub)] // Peers are threads.

mod accept;
mod connect;
mod files;
mod ledger;
mod memory;
mod points;
mod recv;
mod send;
mod shutdown;
mod streams;
