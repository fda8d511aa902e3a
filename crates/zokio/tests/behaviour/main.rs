//! Behaviour of sockets, files, processes and signals that Tokio's own tests do not look at: each
//! test holds a behaviour that once was different here.
#![allow(unreachable_pub)]

mod copying;
mod readiness;
