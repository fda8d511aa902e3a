//! The sockets' own methods with `rt` meaning Zokio.

use zokio as rt;

#[path = "same.rs"]
mod same;

pub(super) use same::{accept, datagrams, echo, file, listen, proxy, receive, send, take};
