//! Where to find streams.
//!
//! The trait `Stream` and its combinators are not part of this crate: they are in `futures-core` and
//! `futures-util`, and in `tokio-stream`, which works over this crate unchanged. Where a type here could be a
//! stream it has a method to poll for the next item instead, such as
//! [`Receiver::poll_recv`](crate::sync::mpsc::Receiver::poll_recv).
