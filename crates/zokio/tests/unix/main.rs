//! The types that only unix has: its sockets, pipes, and foreign descriptors. Each module tests one kind,
//! as a program that uses it sees it; most tests run on both kinds of runtime.
#![cfg(unix)]
#![allow(unsafe_code)] // Registering a descriptor is a promise.
#![allow(clippy::disallowed_methods, unreachable_pub)] // Peers are threads.
#![cfg_attr(not(target_os = "linux"), allow(unused_imports))] // Some tests are for Linux.

mod async_fd;
mod async_fd_guards;
mod datagram;
mod datagram_waits;
#[cfg(target_os = "linux")]
mod full_peer;
mod kit;
mod pipe;
mod socket;
mod split;
mod stream;
mod vectored;
