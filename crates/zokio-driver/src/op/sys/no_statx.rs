//! Where there is no ring, nothing is found out about a file: every operation runs on a thread that may
//! block, so that nothing depends on it.

use super::place::Place;
use std::fs::File;

/// Every file counts as plain.
pub(super) fn place_of(_file: &File) -> Place {
    Place::PLAIN
}
