//! `join!` and `try_join!`.

/// Waits for several futures at once, on one task, and returns their outputs as a tuple.
///
/// The futures run concurrently but never in parallel: while one computes, the others stand still. To
/// use several threads, `spawn` them and join the handles. Each time the task is polled another
/// future comes first, so that none can use up the task's budget for itself; with `biased;` in front
/// they are always polled in the order in which they are written.
///
/// # Cancel safety
/// Dropping the surrounding future drops all of them.
///
/// # Examples
/// ```
/// # async fn a() -> u32 { 1 }
/// # async fn b() -> &'static str { "two" }
/// # async fn demo() {
/// let (one, two) = zokio::join!(a(), b());
/// assert_eq!((one, two), (1, "two"));
///
/// let (one, two) = zokio::join!(biased; a(), b());
/// # }
/// ```
#[macro_export]
macro_rules! join {
    ($($input:tt)*) => {
        $crate::macros::support::__join!([$crate] $($input)*)
    };
}

/// Waits for several futures at once, on one task, until all have succeeded or one has failed.
///
/// Returns `Ok` with a tuple of their values, or the first error; the others are then dropped when
/// the macro's future is. Otherwise as [`join!`](crate::join).
///
/// # Cancel safety
/// Dropping the surrounding future drops all of them.
///
/// # Examples
/// ```
/// # async fn a() -> Result<u32, String> { Ok(1) }
/// # async fn b() -> Result<u32, String> { Err("no".into()) }
/// # async fn demo() {
/// let result = zokio::try_join!(a(), b());
/// assert_eq!(result, Err("no".to_owned()));
/// # }
/// ```
#[macro_export]
macro_rules! try_join {
    ($($input:tt)*) => {
        $crate::macros::support::__try_join!([$crate] $($input)*)
    };
}
