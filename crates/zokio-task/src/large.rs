//! Large futures and closures: where they are kept.
//!
//! A future is an ordinary value until it is spawned, and each function that it is handed through by
//! value has a copy of it on its stack, unless the optimiser can do without. A future of some hundred
//! kilobytes overflows the stack of a worker that way. In the task's allocation it would moreover
//! stay until the last handle to the task goes, long after it was dropped.
//!
//! Therefore the functions that users call move what is larger than [`BOX_ABOVE`] into a box of its own
//! before they do anything else ([`box_if_large!`](crate::box_if_large)), and all that follows handles a
//! pointer. The box is freed when the future is dropped, at the task's end: what the handles keep is
//! the header and the output.
//!
//! Invariants:
//!
//! 1. Every function through which a user's future or closure comes into the runtime by value
//!    (`spawn` and `block_on` in all their forms) uses the macro in its own body. One that merely
//!    calls another such function does so too: the call is one more copy.
//! 2. The condition is a constant: the branch that is not taken exists in no build, and neither do
//!    the copies that it would make. Small futures pay nothing.
//!
//! The bound, measured (release, glibc; to spawn, run twice and join one task at a time, and a hundred
//! at a time, in ns; in the task's allocation / in a box):
//!
//! | bytes  | one       | a hundred  |
//! | ------ | --------- | ---------- |
//! | 64     | 81 / 89   | 116 / 94   |
//! | 256    | 97 / 106  | 109 / 116  |
//! | 512    | 106 / 104 | 116 / 115  |
//! | 1,024  | 135 / 131 | 129 / 140  |
//! | 2,048  | 149 / 132 | 803 / 162  |
//! | 16,384 | 962 / 444 | 12,835 / 786 |
//!
//! From 512 bytes on the copies that are saved pay for the second allocation, and where tasks wait to be
//! joined, the memory that is given back is used again while the caches still hold it.
//!
//! Rejected: to reserve the task's allocation first and to construct the future in it. No function can
//! take a value without having it on the stack once, and so this saves the pointer and nothing
//! else, but keeps the memory. To shrink the allocation at the task's end: it may move by that, and
//! every handle has its address.

/// A future with more bytes than this is moved into a box of its own when it is spawned or blocked on.
pub const BOX_ABOVE: usize = 512;

/// Whether a `T` gets a box of its own.
pub const fn is_large<T>() -> bool {
    size_of::<T>() > BOX_ABOVE
}

/// `box_if_large!(future: F => call)` moves `future`, a variable of type `F`, into a pinned box if it is
/// large, and evaluates `call`, which uses it. `box_if_large!(closure func: F => call)` does the same
/// with a closure.
///
/// `call` stands in the result twice, once for each type that `future` may have in it.
#[macro_export]
macro_rules! box_if_large {
    (closure $func:ident: $type:ty => $call:expr) => {
        if const { $crate::large::is_large::<$type>() } {
            let $func = ::std::boxed::Box::new($func);
            $call
        } else {
            $call
        }
    };
    ($future:ident: $type:ty => $call:expr) => {
        if const { $crate::large::is_large::<$type>() } {
            let $future = ::std::boxed::Box::pin($future);
            $call
        } else {
            $call
        }
    };
}
