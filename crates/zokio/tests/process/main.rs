//! Child processes on real runtimes.
#![cfg(unix)]
#![allow(unsafe_code)] // Some of it is done to the process itself.
#![allow(clippy::disallowed_methods, unreachable_pub)] // Processes of tests are the standard library's.

mod children;
mod kit;
mod others;
#[cfg(target_os = "linux")]
mod without;
