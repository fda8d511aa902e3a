//! Errors of this crate, and the texts of its panics.

use std::fmt;
use std::io;

/// Told to who uses a timer outside of every runtime. Published tests compare this text.
pub(crate) const NO_RUNTIME: &str =
    "there is no reactor running, must be called from the context of a Tokio 1.x runtime";

/// Told to who uses a timer in a runtime that was built without. Published tests compare this text.
pub(crate) const NO_TIMERS: &str = "A Tokio 1.x context was found, but timers are disabled. \
     Call `enable_time` on the runtime builder to enable timers.";

/// Told to who waits for a timer of a runtime that has ended. Published tests compare this text.
pub(crate) const SHUT_DOWN: &str = "A Tokio 1.x context was found, but it is being shutdown.";

/// Told to who uses a timer in a thread-local's destructor.
pub(crate) const THREAD_GONE: &str =
    "timers cannot be used here: the thread is ending and its runtime context is gone";

/// The failure of a timer.
///
/// No operation of this crate returns it today; it is kept for code that names it.
#[derive(Debug, Copy, Clone)]
pub struct Error(Kind);

#[derive(Debug, Clone, Copy, Eq, PartialEq)]
enum Kind {
    Shutdown,
    AtCapacity,
    Invalid,
}

impl Error {
    /// The timer's runtime has ended.
    pub fn shutdown() -> Error {
        Error(Kind::Shutdown)
    }

    /// Whether the timer's runtime has ended.
    pub fn is_shutdown(&self) -> bool {
        self.0 == Kind::Shutdown
    }

    /// There are too many timers.
    pub fn at_capacity() -> Error {
        Error(Kind::AtCapacity)
    }

    /// Whether there are too many timers.
    pub fn is_at_capacity(&self) -> bool {
        self.0 == Kind::AtCapacity
    }

    /// The timer was set up wrongly.
    pub fn invalid() -> Error {
        Error(Kind::Invalid)
    }

    /// Whether the timer was set up wrongly.
    pub fn is_invalid(&self) -> bool {
        self.0 == Kind::Invalid
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Shutdown => "the timer's runtime has shut down",
            Kind::AtCapacity => "there are too many timers",
            Kind::Invalid => "the timer's duration is out of range",
        })
    }
}

/// A [`timeout`](crate::timeout) ran out before its future was done.
#[derive(Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl Elapsed {
    pub(crate) fn new() -> Self {
        Elapsed(())
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(_: Elapsed) -> io::Error {
        io::ErrorKind::TimedOut.into()
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn errors_know_what_they_are_and_say_it() {
        let all = [Error::shutdown(), Error::at_capacity(), Error::invalid()];
        let known = all.map(|e| (e.is_shutdown(), e.is_at_capacity(), e.is_invalid()));
        let expected = [
            (true, false, false),
            (false, true, false),
            (false, false, true),
        ];
        assert_eq!(known, expected);
        let said = all.map(|error| error.to_string());
        assert!(said[0].contains("shut down") && said[1].contains("too many"));
        assert!(said[2].contains("out of range"));
    }
}
