//! Futures together: all of them, the first of them, one after another.
//!
//! These are the tools of the `futures` crates under this crate's roof, not others: their types are
//! the same, and so is their documentation. They need no runtime. The feature `futures`, which is on by default, brings them.
//!
//! | to have | there is |
//! | --- | --- |
//! | the outputs of all | [`join_all`]; [`try_join_all`] stops at the first error |
//! | the output of the first (a race) | [`select()`] of two, [`select_all`] of many; [`select_ok`] for the first success |
//! | another output, or what comes next | [`FutureExt::map`], [`FutureExt::then`], [`TryFutureExt::map_err`], ... |
//!
//! A known number of futures is better served by the macros [`join!`](crate::join),
//! [`try_join!`](crate::try_join) and [`select!`](macro@crate::select), which allocate nothing. All futures of a
//! combination run inside of one task: to have them run in parallel, spawn them, in a
//! [`JoinSet`](crate::task::JoinSet) for instance.
//!
//! # Cancel safety
//! Dropping a combination drops the futures in it. What [`select()`] has not chosen is given back
//! and loses nothing.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use zokio::future::{Either, FutureExt, join_all, select};
//! use zokio::time::sleep;
//!
//! zokio::block_on(async {
//!     let squares = join_all((1..4).map(|n| async move { n * n })).await;
//!     assert_eq!(squares, [1, 4, 9]);
//!
//!     let quick = async { 1 }.map(|n| n + 1).boxed();
//!     let slow = Box::pin(sleep(Duration::from_secs(60)));
//!     match select(quick, slow).await {
//!         Either::Left((two, _)) => assert_eq!(two, 2),
//!         Either::Right(_) => panic!("a minute has gone by"),
//!     }
//! });
//! ```

pub use futures_util::future::{
    Either, FutureExt, JoinAll, Select, SelectAll, SelectOk, TryFutureExt, TryJoinAll, join_all,
    select, select_all, select_ok, try_join_all,
};
