//! What programs see of sockets, files, processes and signals where Tokio's own tests do not look: each
//! test holds a behaviour that once was different here.
#![allow(unreachable_pub)]

mod copying;
mod readiness;
