//! The parts that the models share: a value whose every use is checked, and waits that are given up.
#![allow(unsafe_code)]

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use zokio_base::sync::block_on;
use zokio_base::sync::{Arc, UnsafeCell};

/// Polls once and drops: a wait that is cancelled.
pub(crate) fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    block_on(poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    }))
}

/// Polls with a waker that wakes nobody, and then with one that does.
pub(crate) fn with_another_waker<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut nobody = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut nobody) {
        Poll::Ready(output) => output,
        Poll::Pending => block_on(future),
    }
}

/// Counts the values that are alive. No step of a model is lost on it: it is the standard library's.
#[derive(Default)]
pub(crate) struct Ledger(Arc<()>);

impl Ledger {
    /// A value that is counted.
    pub(crate) fn value(&self, number: u32) -> Value {
        Value {
            number,
            cell: UnsafeCell::new(()),
            alive: Some(self.0.clone()),
        }
    }

    /// How many values are alive.
    pub(crate) fn alive(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// A value whose every use, its drop included, is an access that is checked: two uses that no order
/// of memory keeps apart are found, and so is a use after a drop on another thread.
pub(crate) struct Value {
    number: u32,
    cell: UnsafeCell<()>,
    alive: Option<Arc<()>>,
}

// SAFETY: nothing is written but under a check, and the cell holds nothing.
unsafe impl Sync for Value {}

impl Value {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            cell: UnsafeCell::new(()),
            alive: None,
        }
    }

    /// Uses it up.
    pub(crate) fn take(self) -> u32 {
        self.number
    }

    /// A shared use.
    pub(crate) fn look(&self) -> u32 {
        self.cell.with(|_| ());
        self.number
    }

    /// An exclusive use.
    pub(crate) fn add(&mut self, number: u32) {
        self.cell.with_mut(|_| ());
        self.number += number;
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.look();
        Self {
            number: self.number,
            cell: UnsafeCell::new(()),
            alive: self.alive.clone(),
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.cell.with_mut(|_| ());
    }
}

/// Panics in `wake`: foreign code at its worst moment.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        std::panic::panic_any("expected");
    }
}

/// A waker that panics, without a report.
pub(crate) fn panicking() -> Waker {
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref() != Some(&"expected") {
            eprintln!("{info}");
        }
    }));
    Arc::new(Panics).into()
}
