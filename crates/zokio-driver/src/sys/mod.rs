//! The calls that the driver makes to the system beyond `mio`. Each back end provides:
//!
//! - `SourceId`: names a source of events; `register` and `deregister` act on it;
//! - `ready_now`: what a source is ready for, without a set;
//! - `SetFd`: names a readiness set, for waiting on it from outside;
//! - `RingFd` and `watch_ring`: has a set watch a ring;
//! - `nest` and `take_out`: a set as a member of another one;
//! - `split_timeout` and `wait_fine`: waits that are finer than the set's own;
//! - `is_for_now`: whether an error says that the system lacks something for a while.
//!
//! On unix there is `poll` besides, for waits of single descriptors.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::SourceId;
#[cfg(unix)]
pub(crate) use unix::{
    RingFd, SetFd, deregister, is_for_now, nest, ready_now, register, take_out, watch_ring,
};

#[cfg(unix)]
mod poll;
#[cfg(unix)]
pub(crate) use poll::{poll, poll_of};

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub use other::SourceId;
#[cfg(not(unix))]
pub(crate) use other::{
    RingFd, SetFd, deregister, is_for_now, nest, ready_now, register, split_timeout, take_out,
    wait_fine, watch_ring,
};

#[cfg(any(target_os = "linux", target_os = "android", target_os = "illumos"))]
mod epoll;
#[cfg(any(target_os = "linux", target_os = "android", target_os = "illumos"))]
pub(crate) use epoll::{split_timeout, wait_fine};

#[cfg(all(
    unix,
    not(any(target_os = "linux", target_os = "android", target_os = "illumos"))
))]
mod kqueue;
#[cfg(all(
    unix,
    not(any(target_os = "linux", target_os = "android", target_os = "illumos"))
))]
pub(crate) use kqueue::{split_timeout, wait_fine};
