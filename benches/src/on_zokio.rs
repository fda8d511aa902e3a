//! The programs with `rt` meaning Zokio.

pub(crate) use zokio as rt;

#[path = "under/mod.rs"]
pub(crate) mod under;

/// Switches stall containment.
pub(crate) fn contain(builder: &mut rt::runtime::Builder, on: bool) {
    if !on {
        builder.stall_threshold(None);
    }
}
