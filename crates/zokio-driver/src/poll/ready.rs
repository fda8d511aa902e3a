//! The events that a descriptor may be asked for ([`Interest`]), and those that it is ready for ([`Ready`]).
//!
//! Both are sets of bits. [`Ready`] keeps "closed" apart from "ready". The bits of "ready" are cleared when an
//! operation would block. A closed side mostly stays closed: its bit is cleared only by an operation on that very
//! side that would block, since a named pipe goes on with its next writer (`Registration::reopen`).

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
const READ_CLOSED: u8 = 4;
const WRITE_CLOSED: u8 = 8;
const PRIORITY: u8 = 16;
const ERROR: u8 = 32;

/// How many bits a [`Ready`] has.
pub(crate) const READY_BITS: u32 = 6;

/// A set of readiness states.
///
/// # Examples
/// ```
/// use zokio_driver::Ready;
///
/// let ready = Ready::READABLE | Ready::READ_CLOSED;
/// assert!(ready.is_readable());
/// assert!((ready - Ready::READABLE).is_read_closed());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ready(u8);

impl Ready {
    /// Nothing is ready.
    pub const EMPTY: Ready = Ready(0);
    /// A read would not block.
    pub const READABLE: Ready = Ready(READABLE);
    /// A write would not block.
    pub const WRITABLE: Ready = Ready(WRITABLE);
    /// The read side is closed.
    pub const READ_CLOSED: Ready = Ready(READ_CLOSED);
    /// The write side is closed.
    pub const WRITE_CLOSED: Ready = Ready(WRITE_CLOSED);
    /// Urgent data is there.
    pub const PRIORITY: Ready = Ready(PRIORITY);
    /// The descriptor is in an error state.
    pub const ERROR: Ready = Ready(ERROR);
    /// Every state.
    pub const ALL: Ready = Ready((1 << READY_BITS) - 1);

    /// Whether no state is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a read would not block: there is data, or the side is closed.
    pub fn is_readable(self) -> bool {
        self.0 & (READABLE | READ_CLOSED) != 0
    }

    /// Whether a write would not block: there is room, or the side is closed.
    pub fn is_writable(self) -> bool {
        self.0 & (WRITABLE | WRITE_CLOSED) != 0
    }

    /// Whether the read side is closed.
    pub fn is_read_closed(self) -> bool {
        self.0 & READ_CLOSED != 0
    }

    /// Whether the write side is closed.
    pub fn is_write_closed(self) -> bool {
        self.0 & WRITE_CLOSED != 0
    }

    /// Whether urgent data is there.
    pub fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// Whether the descriptor is in an error state.
    pub fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// The states that end a wait for `interest`.
    pub fn from_interest(interest: Interest) -> Ready {
        let mut ready = Ready::EMPTY;
        if interest.is_readable() {
            ready |= Ready::READABLE | Ready::READ_CLOSED;
        }
        if interest.is_writable() {
            ready |= Ready::WRITABLE | Ready::WRITE_CLOSED;
        }
        if interest.is_priority() {
            ready |= Ready::PRIORITY | Ready::READ_CLOSED;
        }
        if interest.is_error() {
            ready |= Ready::ERROR;
        }
        ready
    }

    /// The readiness that an event of the set reports.
    pub(crate) fn from_mio(event: &mio::event::Event) -> Ready {
        let mut ready = Ready::EMPTY;
        let mut add = |set: bool, state: Ready| {
            if set {
                ready |= state;
            }
        };
        add(event.is_readable(), Ready::READABLE);
        add(event.is_writable(), Ready::WRITABLE);
        add(event.is_read_closed(), Ready::READ_CLOSED);
        add(event.is_write_closed(), Ready::WRITE_CLOSED);
        add(event.is_priority(), Ready::PRIORITY);
        add(event.is_error(), Ready::ERROR);
        ready
    }

    /// Whether the two have a state in common.
    pub fn intersects(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether every state of `other` is set here.
    pub fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0 as u64
    }

    pub(crate) const fn from_bits(bits: u64) -> Ready {
        Ready(bits as u8 & Ready::ALL.0)
    }
}

impl BitOr for Ready {
    type Output = Ready;

    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

impl BitAnd for Ready {
    type Output = Ready;

    fn bitand(self, other: Ready) -> Ready {
        Ready(self.0 & other.0)
    }
}

impl Sub for Ready {
    type Output = Ready;

    fn sub(self, other: Ready) -> Ready {
        Ready(self.0 & !other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("is_readable", &self.is_readable())
            .field("is_writable", &self.is_writable())
            .field("is_read_closed", &self.is_read_closed())
            .field("is_write_closed", &self.is_write_closed())
            .field("is_error", &self.is_error())
            .field("is_priority", &self.is_priority())
            .finish()
    }
}

/// The readiness that a task wants to hear of. Never empty.
///
/// # Examples
/// ```
/// use zokio_driver::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert_eq!(both.remove(Interest::WRITABLE), Some(Interest::READABLE));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interest(u8);

impl Interest {
    /// Whether reads would not block.
    pub const READABLE: Interest = Interest(READABLE);
    /// Whether writes would not block.
    pub const WRITABLE: Interest = Interest(WRITABLE);
    /// Whether the descriptor is in an error state.
    pub const ERROR: Interest = Interest(ERROR);
    /// Whether urgent data is there. Linux and Android only.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const PRIORITY: Interest = Interest(PRIORITY);

    /// Whether reads are of interest.
    pub const fn is_readable(self) -> bool {
        self.0 & READABLE != 0
    }

    /// Whether writes are of interest.
    pub const fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// Whether errors are of interest.
    pub const fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// Whether urgent data is of interest.
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// Both together.
    #[must_use = "this returns the union, without modifying the original"]
    pub const fn add(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }

    /// The interest that is here and not in `other`, or none if nothing is left.
    #[must_use = "this returns the difference, without modifying the original"]
    pub fn remove(self, other: Interest) -> Option<Interest> {
        let left = self.0 & !other.0;
        (left != 0).then_some(Interest(left))
    }

    /// The events that the readiness set is asked to report. Errors are reported unasked; an interest in
    /// nothing else has to ask for something.
    pub(crate) fn to_mio(self) -> mio::Interest {
        let mut asked = None;
        let mut add = |interest: mio::Interest| {
            asked = Some(asked.map_or(interest, |asked: mio::Interest| asked | interest));
        };
        if self.is_readable() {
            add(mio::Interest::READABLE);
        }
        if self.is_writable() {
            add(mio::Interest::WRITABLE);
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.is_priority() {
            add(mio::Interest::PRIORITY);
        }
        asked.unwrap_or(mio::Interest::READABLE)
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        self.add(other)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        *self = self.add(other);
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.is_readable(), "READABLE"),
            (self.is_writable(), "WRITABLE"),
            (self.is_priority(), "PRIORITY"),
            (self.is_error(), "ERROR"),
        ];
        let mut separator = "";
        for (_, name) in names.iter().filter(|(set, _)| *set) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        Ok(())
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_closed_side_counts_as_ready() {
        assert!(Ready::READ_CLOSED.is_readable());
        assert!(Ready::WRITE_CLOSED.is_writable());
        assert!(!Ready::ERROR.is_readable());
        assert!((Ready::ALL - Ready::ALL).is_empty());
        assert!(Ready::from_bits(Ready::ALL.bits()).contains(Ready::ERROR));
    }

    #[test]
    fn an_interest_prints_its_names() {
        let both = Interest::READABLE | Interest::ERROR;
        assert_eq!(format!("{both:?}"), "READABLE | ERROR");
        assert_eq!(Interest::READABLE.remove(Interest::READABLE), None);
    }

    #[test]
    fn a_wait_is_ended_by_what_it_is_for_and_by_its_side_being_closed() {
        let ends = |interest, ready| Ready::from_interest(interest).contains(ready);
        assert!(ends(
            Interest::READABLE,
            Ready::READABLE | Ready::READ_CLOSED
        ));
        assert!(!ends(Interest::READABLE, Ready::WRITE_CLOSED));
        assert!(ends(
            Interest::WRITABLE,
            Ready::WRITABLE | Ready::WRITE_CLOSED
        ));
        let mut interest = Interest::ERROR;
        assert!(!ends(interest, Ready::READ_CLOSED));
        interest |= Interest::READABLE;
        assert!(ends(interest, Ready::ERROR | Ready::READABLE));
        assert!(interest.is_error() && interest.is_readable() && !interest.is_writable());
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn urgent_data_is_asked_for_and_ends_with_its_side() {
        let ready = Ready::from_interest(Interest::PRIORITY);
        assert!(ready.contains(Ready::PRIORITY | Ready::READ_CLOSED));
        assert!(!ready.contains(Ready::READABLE));
        assert!(Interest::PRIORITY.to_mio().is_priority());
        // Errors come unasked, and something has to be asked for.
        assert!(Interest::ERROR.to_mio().is_readable());
    }

    #[test]
    fn closed_and_failed_are_told_apart_from_ready() {
        let ready = Ready::WRITE_CLOSED | Ready::ERROR;
        assert!(ready.is_write_closed() && ready.is_error());
        assert!(!ready.is_read_closed() && !ready.is_readable() && !ready.is_priority());
        let shown = format!("{ready:?}");
        for part in [
            "is_writable: true",
            "is_write_closed: true",
            "is_error: true",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(shown.contains("is_readable: false"), "{shown}");
    }
}
