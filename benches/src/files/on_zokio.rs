//! The programs with `rt` meaning Zokio.

use zokio as rt;

#[path = "same.rs"]
mod same;

pub(super) use same::{append, open_and_read, seek_and_read, sum_of, whole};
