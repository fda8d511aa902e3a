//! Why a send to or a receive from a broadcast channel failed.

use std::error::Error;
use std::fmt;

/// There is no receiver. Holds the value that was not sent.
#[derive(Debug)]
pub struct SendError<T>(pub T);

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channel closed")
    }
}

impl<T: fmt::Debug> Error for SendError<T> {}

/// Why [`Receiver::recv`](super::Receiver::recv) gave no value.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum RecvError {
    /// All senders are dropped, and all that was sent was received.
    Closed,
    /// The receiver was too slow: so many values were overwritten before it saw them. The next
    /// receive gives the oldest that is left.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str("channel closed"),
            RecvError::Lagged(missed) => write!(f, "channel lagged by {missed}"),
        }
    }
}

impl Error for RecvError {}

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) gave no value.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum TryRecvError {
    /// There is nothing to receive now.
    Empty,
    /// All senders are dropped, and all that was sent was received.
    Closed,
    /// The receiver was too slow: so many values were overwritten before it saw them. The next
    /// receive gives the oldest that is left.
    Lagged(u64),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("channel empty"),
            TryRecvError::Closed => f.write_str("channel closed"),
            TryRecvError::Lagged(missed) => write!(f, "channel lagged by {missed}"),
        }
    }
}

impl Error for TryRecvError {}
