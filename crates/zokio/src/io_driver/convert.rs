//! Interest and readiness, as users see them and as the driver does.

use zokio_driver::{Interest as DriverInterest, Ready as DriverReady};
use zokio_io::{Interest, Ready};

/// A user's interest, for the driver.
pub(crate) fn interest_of(interest: Interest) -> DriverInterest {
    let mut found = None;
    let mut add = |set: bool, part: DriverInterest| {
        if set {
            found = Some(found.map_or(part, |found: DriverInterest| found | part));
        }
    };
    add(interest.is_readable(), DriverInterest::READABLE);
    add(interest.is_writable(), DriverInterest::WRITABLE);
    add(interest.is_error(), DriverInterest::ERROR);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    add(interest.is_priority(), DriverInterest::PRIORITY);
    found.expect("an interest is never empty")
}

/// The states that both sides name, pairwise.
const PAIRS: [(DriverReady, Ready); 5] = [
    (DriverReady::READABLE, Ready::READABLE),
    (DriverReady::WRITABLE, Ready::WRITABLE),
    (DriverReady::READ_CLOSED, Ready::READ_CLOSED),
    (DriverReady::WRITE_CLOSED, Ready::WRITE_CLOSED),
    (DriverReady::ERROR, Ready::ERROR),
];

/// The driver's readiness, for users.
pub(crate) fn ready_of(ready: DriverReady) -> Ready {
    let mut found = Ready::EMPTY;
    for (theirs, ours) in PAIRS {
        if ready.contains(theirs) {
            found |= ours;
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if ready.is_priority() {
        found |= Ready::PRIORITY;
    }
    found
}

/// A user's readiness, for the driver.
#[cfg(unix)]
pub(crate) fn ready_from(ready: Ready) -> DriverReady {
    let mut found = DriverReady::EMPTY;
    for (theirs, ours) in PAIRS {
        if ready & ours == ours {
            found |= theirs;
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if ready.is_priority() {
        found |= DriverReady::PRIORITY;
    }
    found
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn readiness_survives_the_way_there_and_back() {
        for (theirs, ours) in PAIRS {
            assert_eq!(ready_of(theirs), ours);
            assert_eq!(ready_from(ours), theirs);
        }
        assert_eq!(ready_from(ready_of(DriverReady::ALL)), DriverReady::ALL);
    }
}
