//! The procedural macros of Zokio: the attributes `main` and `test`, and the expansions behind
//! `select!`, `join!` and `try_join!`.
//!
//! - `entry.rs` turns an `async fn` into a function that builds a runtime and blocks on the body;
//!   `options.rs` reads the attribute's arguments. The path of the runtime's crate is a parameter, with
//!   one entry for each name that the crate is published under: [`macro@main`] and
//!   [`macro@main_tokio`].
//! - `select.rs` and `join.rs` get the path of the crate `zokio` as their first argument, from the
//!   `macro_rules!` macros in `zokio` that users call: so `$crate` survives each re-export.
//!
//! Nothing here is used directly: users meet it through `zokio` and through the package `tokio` that
//! re-exports it.

#![forbid(unsafe_code)]

mod entry;
mod join;
mod options;
mod select;
#[cfg(test)]
mod tests;

use entry::Kind;
use proc_macro::TokenStream;

/// Runs an `async fn` on a runtime, which it builds.
///
/// The function becomes an ordinary one that blocks until its body is done. By default the runtime has
/// a worker for each core; everything is enabled. Only the body runs inside of the runtime: it is
/// not a task of its own, so leave heavy work to `spawn`.
///
/// # Options
/// - `flavor = "multi_thread"` (default), `"current_thread"` or `"local"`, on which `spawn_local`
///   works anywhere
/// - `worker_threads = 4`: how many workers; multi-thread only
/// - `start_paused = true`: the clock stands, see `zokio::time::pause`; current-thread only
/// - `unhandled_panic = "shutdown_runtime"` or `"ignore"`: what a task's panic does; current-thread
///   only
/// - `name = "text"`: the runtime's name
/// - `crate = "path"`: where the runtime's crate is, if it was renamed
///
/// # Examples
/// ```ignore
/// #[zokio::main]
/// async fn main() {
///     println!("Hello");
/// }
///
/// #[zokio::main(flavor = "current_thread")]
/// async fn run() -> std::io::Result<()> {
///     Ok(())
/// }
/// ```
///
/// # Panics
/// If the runtime cannot be built.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(args.into(), item.into(), Kind::Main, "::zokio").into()
}

/// Makes a test of an `async fn`, with a runtime of its own.
///
/// As `main`, with `flavor = "current_thread"` for the default.
///
/// # Examples
/// ```ignore
/// #[zokio::test]
/// async fn adds() {
///     assert_eq!(async { 1 + 1 }.await, 2);
/// }
///
/// #[zokio::test(start_paused = true)]
/// async fn takes_no_time() {
///     zokio::time::sleep(std::time::Duration::from_secs(3600)).await;
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(args.into(), item.into(), Kind::Test, "::zokio").into()
}

/// [`macro@main`] under the name `tokio`.
#[proc_macro_attribute]
pub fn main_tokio(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(args.into(), item.into(), Kind::Main, "tokio").into()
}

/// [`macro@test`] under the name `tokio`.
#[proc_macro_attribute]
pub fn test_tokio(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(args.into(), item.into(), Kind::Test, "tokio").into()
}

/// The expansion of `zokio::select!`. First argument: the crate's path in brackets.
#[doc(hidden)]
#[proc_macro]
pub fn __select(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as select::Select);
    input.expand().into()
}

/// The expansion of `zokio::join!`. First argument: the crate's path in brackets.
#[doc(hidden)]
#[proc_macro]
pub fn __join(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as join::Join);
    input.expand().into()
}

/// The expansion of `zokio::try_join!`. First argument: the crate's path in brackets.
#[doc(hidden)]
#[proc_macro]
pub fn __try_join(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as join::Join);
    input.expand_try().into()
}
