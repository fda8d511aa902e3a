//! Which local set the thread is inside of.
//!
//! One thread-local holds the current set and keeps it alive; guards hold the one before. They may be
//! dropped in any order: each puts back what it found, and nothing dangles.

use crate::local_set::LocalContext;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use zokio_base::sync::thread_local;

thread_local! {
    // Loom's thread locals cannot be constant.
    #[allow(clippy::missing_const_for_thread_local)]
    static CURRENT: Cell<Option<Rc<LocalContext>>> = Cell::new(None);
}

/// Makes another set the current one until the guard is dropped. None if the thread is being torn
/// down and its locals are gone.
fn replace(context: Option<Rc<LocalContext>>) -> Option<LocalEnterGuard> {
    let swap = |current: &Cell<_>| current.replace(context);
    let previous = CURRENT.try_with(swap).ok()?;
    Some(LocalEnterGuard { previous })
}

/// Makes `context` the current set until the guard is dropped.
pub(super) fn enter(context: &Rc<LocalContext>) -> Option<LocalEnterGuard> {
    replace(Some(context.clone()))
}

/// Makes none the current set until the guard is dropped.
pub(crate) fn hide() -> Option<LocalEnterGuard> {
    replace(None)
}

/// The current set.
pub(super) fn get() -> Option<Rc<LocalContext>> {
    let read = |current: &Cell<Option<Rc<LocalContext>>>| {
        let context = current.take();
        current.set(context.clone());
        context
    };
    CURRENT.try_with(read).ok().flatten()
}

/// Makes a local set the current one of the thread until it is dropped. See
/// [`LocalSet::enter`](crate::LocalSet::enter).
pub struct LocalEnterGuard {
    previous: Option<Rc<LocalContext>>,
}

impl Drop for LocalEnterGuard {
    fn drop(&mut self) {
        let previous = self.previous.take();
        let left = CURRENT.try_with(|current| current.replace(previous));
        // May be the last reference to its set's parts, which then are freed outside of the access.
        drop(left);
    }
}

impl fmt::Debug for LocalEnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEnterGuard").finish_non_exhaustive()
    }
}
