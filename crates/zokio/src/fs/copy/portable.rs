//! Copying by the standard library, which knows what each system can do best.

use super::stopped;
use std::io;
use std::path::Path;

/// Copies, unless it is not wanted any more.
pub(super) fn copy(from: &Path, to: &Path, is_wanted: &mut dyn FnMut() -> bool) -> io::Result<u64> {
    loop {
        if !is_wanted() {
            return Err(stopped());
        }
        // Unlike its other calls, this one of the standard library's gives up when a signal comes.
        match std::fs::copy(from, to) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
