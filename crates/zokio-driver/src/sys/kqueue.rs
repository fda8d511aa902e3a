//! kqueue waits with the precision of its timespec: there is nothing to split.

use super::SetFd;
use std::io;
use std::time::Duration;

/// The longest wait that is passed on; a longer one ends early, for no reason.
const COARSE_MAX: Duration = Duration::from_secs(1 << 30);

/// The set waits all of it itself.
pub(crate) fn split_timeout(timeout: Duration) -> (Duration, Duration) {
    (timeout.min(COARSE_MAX), Duration::ZERO)
}

/// Never needed here.
pub(crate) fn wait_fine(set: SetFd, _timeout: Duration) -> io::Result<bool> {
    let _ = set.raw();
    Ok(true)
}
