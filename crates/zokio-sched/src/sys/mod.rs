//! The calls that the scheduler makes to the operating system. A back end provides:
//!
//! - `barrier_available() -> bool`: whether [`barrier`] works, found out once per process;
//! - `barrier() -> bool`: makes every running thread of the process execute a full fence;
//! - `thread_id() -> u32`: the kernel's name for the calling thread, zero if there is none;
//! - `probe(thread) -> Option<Probe>`: what a thread is doing.

#[cfg(all(target_os = "linux", not(zokio_loom)))]
#[path = "linux.rs"]
mod imp;
#[cfg(any(not(target_os = "linux"), zokio_loom))]
#[path = "other.rs"]
mod imp;

pub(crate) use imp::{barrier, barrier_available, probe, thread_id};

/// The state of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    /// It waits in the kernel; otherwise it runs or wants to.
    pub(crate) blocked: bool,
    /// How long it has run so far, in nanoseconds; none if the kernel does not say.
    pub(crate) ran_ns: Option<u64>,
}
