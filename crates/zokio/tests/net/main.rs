//! Sockets of IP and what resolves names for them: what a user of `zokio::net` sees of streams,
//! listeners, datagrams, options and addresses, on each kind of runtime.
#![allow(clippy::disallowed_methods, unreachable_pub)] // Some peers are threads.

mod addresses;
mod fresh;
mod kit;
mod outside;
mod sockets;
mod tcp_copy;
mod tcp_halves;
mod tcp_linger;
mod tcp_listener;
mod tcp_socket;
mod tcp_stream;
mod tcp_try;
mod udp;
mod udp_options;
mod udp_peek;
