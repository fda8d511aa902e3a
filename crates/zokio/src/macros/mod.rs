//! The macros, and what they expand to.
//!
//! `macro_rules!` macros use `$crate`, so they work wherever they are re-exported. Those whose input
//! needs real parsing hand it, with `$crate` in front, to `zokio-macros`.

mod join;
mod pin;
mod select;
#[doc(hidden)]
pub mod support;
pub(crate) mod task_local;
#[cfg(all(test, not(zokio_model)))]
mod tests;
