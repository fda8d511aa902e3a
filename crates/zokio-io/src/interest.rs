//! [`Interest`]: which events of a source one wants to hear of.
//!
//! A plain set of bits; the driver translates it. It is never empty: [`Interest::remove`] returns
//! `None` instead.

use std::fmt;
use std::ops;

/// Which kinds of readiness are waited for.
///
/// # Examples
/// ```
/// use zokio_io::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert_eq!(both.remove(Interest::WRITABLE), Some(Interest::READABLE));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interest(u8);

const READABLE: u8 = 0b0001;
const WRITABLE: u8 = 0b0010;
#[cfg(any(target_os = "linux", target_os = "android"))]
const PRIORITY: u8 = 0b0100;
const ERROR: u8 = 0b1000;

impl Interest {
    /// Reading, which includes that the other side has closed its writing half.
    pub const READABLE: Interest = Interest(READABLE);

    /// Writing, which includes that the other side has closed its reading half.
    pub const WRITABLE: Interest = Interest(WRITABLE);

    /// Urgent data (Linux and Android).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const PRIORITY: Interest = Interest(PRIORITY);

    /// Errors alone: they are reported with every other interest too.
    pub const ERROR: Interest = Interest(ERROR);

    /// Whether reading is among them.
    pub const fn is_readable(self) -> bool {
        self.0 & READABLE != 0
    }

    /// Whether writing is among them.
    pub const fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// Whether errors are asked for.
    pub const fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// Whether urgent data is among them (Linux and Android).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// Both this and `other`.
    #[must_use = "this returns the result of the operation, without modifying the original"]
    pub const fn add(self, other: Interest) -> Interest {
        Self(self.0 | other.0)
    }

    /// This without `other`, or `None` if nothing is left.
    #[must_use = "this returns the result of the operation, without modifying the original"]
    pub fn remove(self, other: Interest) -> Option<Interest> {
        match self.0 & !other.0 {
            0 => None,
            left => Some(Self(left)),
        }
    }
}

impl ops::BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

impl ops::BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.add(other);
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Vec::with_capacity(4);
        if self.is_readable() {
            names.push("READABLE");
        }
        if self.is_writable() {
            names.push("WRITABLE");
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.is_priority() {
            names.push("PRIORITY");
        }
        if self.is_error() {
            names.push("ERROR");
        }
        f.write_str(&names.join(" | "))
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_kinds() {
        let mut interest = Interest::READABLE;
        interest |= Interest::ERROR;
        assert!(interest.is_readable() && interest.is_error() && !interest.is_writable());
        assert_eq!(format!("{interest:?}"), "READABLE | ERROR");
        assert_eq!(interest.remove(Interest::READABLE), Some(Interest::ERROR));
        assert_eq!(Interest::ERROR.remove(Interest::ERROR), None);
        assert_eq!(interest.remove(Interest::WRITABLE), Some(interest));
    }
}
