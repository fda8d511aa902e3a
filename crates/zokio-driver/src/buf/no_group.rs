//! Where there is no ring there are no groups.

use crate::driver::DriverHandle;

/// None exists.
pub(super) enum Group {}

impl Group {
    pub(super) fn register(
        _driver: &DriverHandle,
        _here: Option<usize>,
        _count: usize,
        _size: usize,
    ) -> Option<Self> {
        None
    }

    pub(super) fn worker(&self) -> usize {
        match *self {}
    }

    pub(super) fn id(&self) -> u16 {
        match *self {}
    }

    pub(super) fn provide(&self, _buffer: u16) {
        match *self {}
    }

    pub(super) fn bytes(&self, _buffer: u16) -> &[u8] {
        match *self {}
    }

    #[allow(clippy::mut_from_ref)]
    pub(super) fn bytes_mut(&self, _buffer: u16) -> &mut [u8] {
        match *self {}
    }
}
