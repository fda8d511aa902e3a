//! The programs with `rt` meaning Zokio.

pub(crate) use zokio as rt;

#[path = "under/mod.rs"]
pub(crate) mod under;

/// Switches stall containment.
pub(crate) fn contain(_builder: &mut rt::runtime::Builder, _on: bool) {}
