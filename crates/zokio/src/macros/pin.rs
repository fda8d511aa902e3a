//! `pin!`.

/// Pins values to the stack.
///
/// Each variable is shadowed by a pinned reference to its value, which lives until the end of the
/// block. With `let` a value is made and pinned in one go.
///
/// # Examples
/// ```
/// # async fn work() {}
/// # async fn demo() {
/// let first = work();
/// zokio::pin!(first);
/// (&mut first).await;
///
/// zokio::pin! {
///     let second = work();
///     let third = work();
/// }
/// zokio::select! {
///     _ = &mut second => {}
///     _ = &mut third => {}
/// }
/// # }
/// ```
#[macro_export]
macro_rules! pin {
    ($($name:ident),* $(,)?) => {
        $(
            #[allow(unused_mut)]
            let mut $name = ::core::pin::pin!($name);
        )*
    };
    ($(let $name:ident = $value:expr;)*) => {
        $(
            let $name = $value;
            #[allow(unused_mut)]
            let mut $name = ::core::pin::pin!($name);
        )*
    };
}
