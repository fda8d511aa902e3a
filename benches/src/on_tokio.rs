//! The programs with `rt` meaning Tokio.

pub(crate) use tokio as rt;

#[path = "under/mod.rs"]
pub(crate) mod under;

/// Tokio has no containment: asking for it changes nothing.
pub(crate) fn contain(_builder: &mut rt::runtime::Builder, _on: bool) {}
