//! The halves of a channel, as the public types hold them: they count themselves.

use super::chan::{Chan, Gate, Receiving};
use std::fmt;
use zokio_base::sync::Arc;

/// A strong sender's share.
pub(super) struct Tx<T, G: Gate> {
    pub(super) chan: Arc<Chan<T, G>>,
}

/// A weak sender's share.
pub(super) struct WeakTx<T, G: Gate> {
    pub(super) chan: Arc<Chan<T, G>>,
}

/// The receiver's share.
pub(super) struct Rx<T, G: Gate> {
    pub(super) chan: Arc<Chan<T, G>>,
    pub(super) receiving: Receiving,
}

/// Makes a channel.
pub(super) fn new<T, G: Gate>(gate: G) -> (Tx<T, G>, Rx<T, G>) {
    let (chan, receiving) = Chan::new(gate);
    (Tx { chan: chan.clone() }, Rx { chan, receiving })
}

impl<T, G: Gate> Tx<T, G> {
    pub(super) fn downgrade(&self) -> WeakTx<T, G> {
        self.chan.add_weak();
        WeakTx {
            chan: self.chan.clone(),
        }
    }

    pub(super) fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chan, &other.chan)
    }
}

impl<T, G: Gate> Clone for Tx<T, G> {
    fn clone(&self) -> Self {
        self.chan.add_sender();
        Self {
            chan: self.chan.clone(),
        }
    }
}

impl<T, G: Gate> Drop for Tx<T, G> {
    fn drop(&mut self) {
        self.chan.remove_sender();
    }
}

impl<T, G: Gate + fmt::Debug> fmt::Debug for Tx<T, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chan.fmt(f)
    }
}

impl<T, G: Gate> WeakTx<T, G> {
    pub(super) fn upgrade(&self) -> Option<Tx<T, G>> {
        self.chan.try_add_sender().then(|| Tx {
            chan: self.chan.clone(),
        })
    }
}

impl<T, G: Gate> Clone for WeakTx<T, G> {
    fn clone(&self) -> Self {
        self.chan.add_weak();
        Self {
            chan: self.chan.clone(),
        }
    }
}

impl<T, G: Gate> Drop for Rx<T, G> {
    fn drop(&mut self) {
        self.chan.drop_receiver(&mut self.receiving);
    }
}

impl<T, G: Gate + fmt::Debug> fmt::Debug for Rx<T, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chan.fmt(f)
    }
}
