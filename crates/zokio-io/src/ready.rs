//! [`Ready`]: what a source was found to be ready for.
//!
//! A plain set of bits, put together from its constants by whoever knows what came.

use std::fmt;
use std::ops;

/// The directions that a source is ready for.
///
/// A closed half counts as ready for its direction: an operation would not wait.
///
/// # Examples
/// ```
/// use zokio_io::Ready;
///
/// let ready = Ready::READABLE | Ready::WRITE_CLOSED;
/// assert!(ready.is_readable() && ready.is_writable() && !ready.is_read_closed());
/// assert!((ready - ready).is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ready(usize);

const READABLE: usize = 0b00_0001;
const WRITABLE: usize = 0b00_0010;
const READ_CLOSED: usize = 0b00_0100;
const WRITE_CLOSED: usize = 0b00_1000;
#[cfg(any(target_os = "linux", target_os = "android"))]
const PRIORITY: usize = 0b01_0000;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PRIORITY: usize = 0;
const ERROR: usize = 0b10_0000;

impl Ready {
    /// Ready for nothing.
    pub const EMPTY: Ready = Ready(0);

    /// Ready for reading.
    pub const READABLE: Ready = Ready(READABLE);

    /// Ready for writing.
    pub const WRITABLE: Ready = Ready(WRITABLE);

    /// The other side will send no more.
    pub const READ_CLOSED: Ready = Ready(READ_CLOSED);

    /// The other side will take no more.
    pub const WRITE_CLOSED: Ready = Ready(WRITE_CLOSED);

    /// Urgent data is there (Linux and Android).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const PRIORITY: Ready = Ready(PRIORITY);

    /// An error is to be fetched.
    pub const ERROR: Ready = Ready(ERROR);

    /// All of them.
    pub const ALL: Ready =
        Ready(READABLE | WRITABLE | READ_CLOSED | WRITE_CLOSED | PRIORITY | ERROR);

    /// Whether it is ready for nothing.
    pub fn is_empty(self) -> bool {
        self == Ready::EMPTY
    }

    /// Whether reading would not wait: there is data, or there will be no more.
    pub fn is_readable(self) -> bool {
        self.has(READABLE | READ_CLOSED)
    }

    /// Whether writing would not wait: there is room, or nothing more is taken.
    pub fn is_writable(self) -> bool {
        self.has(WRITABLE | WRITE_CLOSED)
    }

    /// Whether the other side will send no more.
    pub fn is_read_closed(self) -> bool {
        self.has(READ_CLOSED)
    }

    /// Whether the other side will take no more.
    pub fn is_write_closed(self) -> bool {
        self.has(WRITE_CLOSED)
    }

    /// Whether urgent data is there (Linux and Android).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn is_priority(self) -> bool {
        self.has(PRIORITY)
    }

    /// Whether an error is to be fetched.
    pub fn is_error(self) -> bool {
        self.has(ERROR)
    }

    fn has(self, any: usize) -> bool {
        self.0 & any != 0
    }
}

impl ops::BitOr for Ready {
    type Output = Ready;

    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl ops::BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

impl ops::BitAnd for Ready {
    type Output = Ready;

    fn bitand(self, other: Ready) -> Ready {
        Ready(self.0 & other.0)
    }
}

impl ops::Sub for Ready {
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
            .field("is_priority", &self.has(PRIORITY))
            .finish()
    }
}
