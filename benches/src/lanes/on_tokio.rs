//! The sockets' own methods with `rt` meaning Tokio.

use tokio as rt;

#[path = "same.rs"]
mod same;

pub(super) use same::{accept, datagrams, echo, file, proxy, receive, send};
