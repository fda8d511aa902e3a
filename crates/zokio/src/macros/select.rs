//! `select!`.

/// Waits for several futures at once, on one task, and goes on with the first whose output matches
/// its pattern; the others are dropped.
///
/// ```text
/// select! {
///     pattern = future, if precondition => handler,
///     ..
///     else => handler,
/// }
/// ```
///
/// `, if precondition` and the `else` branch are optional; up to 64 branches. The comma after a handler
/// that is a block may be left out.
///
/// 1. The preconditions are evaluated. A branch whose precondition is false is disabled.
/// 2. The future expressions are evaluated, those of disabled branches too.
/// 3. The futures of the enabled branches are polled, beginning with a random one and going on in
///    order; with `biased;` in front of the first branch, always in the order in which they are
///    written.
/// 4. When one is done and its output matches the pattern, all futures are dropped, and the macro's
///    value is the handler's. If the output does not match, the branch is disabled.
/// 5. When all branches are disabled, the macro's value is that of the `else` handler.
///
/// Handlers run after the futures are gone and may use what those had borrowed. `?`, `break`,
/// `continue` and `return` in a handler concern the code around the macro.
///
/// # Panics
/// If all branches are disabled and there is no `else`.
///
/// # Cancel safety
/// The futures that lose are dropped. In a loop, that loses what they had already done unless
/// their documentation says otherwise: either use futures that are safe to cancel, or make and pin the
/// future in front of the loop and give `select!` a reference to it.
///
/// # Fairness
/// Polling at random keeps a branch that is always ready from starving the others. With `biased;`
/// that is up to you: write the branch that is rarely ready first. If the task's budget is used up,
/// `select!` yields before it polls anything.
///
/// # Examples
/// ```
/// # async fn a() -> Option<u32> { None }
/// # async fn b() -> u32 { 7 }
/// # async fn demo() {
/// let seven = zokio::select! {
///     Some(value) = a() => value,
///     value = b(), if 1 + 1 == 2 => {
///         value
///     }
///     else => 0,
/// };
/// assert_eq!(seven, 7);
/// # }
/// ```
///
/// A deadline for a whole loop:
/// ```
/// # async fn demo(mut next: impl AsyncFnMut() -> u32) {
/// let deadline = zokio::time::sleep(std::time::Duration::from_millis(50));
/// zokio::pin!(deadline);
/// let mut sum = 0;
/// loop {
///     zokio::select! {
///         biased;
///         _ = &mut deadline => break,
///         value = next() => sum += value,
///     }
/// }
/// # }
/// ```
#[macro_export]
macro_rules! select {
    ($($input:tt)*) => {
        $crate::macros::support::__select!([$crate] $($input)*)
    };
}
