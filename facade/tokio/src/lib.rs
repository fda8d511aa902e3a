//! Zokio under the name `tokio`, for crates that ask for that name.
//!
//! An application moves by one entry in its root manifest:
//!
//! ```toml
//! [patch.crates-io]
//! tokio = { path = "path/to/zokio/facade/tokio" }
//! ```
//!
//! Everything here is a re-export: `tokio::X` and `zokio::X` are the same type. `macro_rules`
//! macros resolve through `$crate`; the attribute macros come in a version that names `tokio`,
//! because that is the name in scope where they are used. `cargo xtask tidy` checks that this file
//! holds nothing else.
//!
//! What it does not do: features select nothing. The names exist so that dependents can ask for
//! them.

#![forbid(unsafe_code)]

/// Says that this `tokio` is Zokio: a test suite that does not find it runs on something else.
pub const ZOKIO_FACADE: &str = env!("CARGO_PKG_VERSION");

pub use zokio::*;
// In place of `main` and `test` above.
pub use zokio_macros::{main_tokio as main, test_tokio as test};
