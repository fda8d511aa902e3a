//! The one thread-local: what the calling thread is inside of.
//!
//! Written by `zokio-runtime` and the schedulers only; read by everything that needs to know where
//! it runs: the budget by leaf operations, the services by timers, sockets and `spawn`, the worker
//! by the scheduler itself.
//!
//! Four things are kept apart, because they nest differently:
//!
//! - **Services** ([`enter`]): the runtime whose handle is current. Threads may enter a runtime
//!   without running it. Guards nest.
//! - **Region** ([`enter_runtime`], [`leave_runtime`]): whether this thread is driving tasks, and so
//!   must not block.
//! - **Worker** ([`enter_worker`]): which scheduler's loop runs here, its index, and a pointer that
//!   only that scheduler understands. The index is fixed during a poll.
//! - **Poll** ([`enter_task`] and the budget): which task is being polled.
//!
//! The whole context can be taken away and put back ([`swap`]), so that a simulation can run many
//! workers of many runtimes on one thread, a step at a time.
//!
//! Invariant: the worker of the context points at state that is alive. Whoever [enters](enter_worker) a
//! worker, takes it off for a while or swaps contexts answers for that, which is why these functions are
//! `unsafe`: a scheduler follows the pointer in every wake and every spawn.
#![allow(unsafe_code)]

use crate::coop::Budget;
use crate::id::Id;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::Waker;
use zokio_base::foreign;

/// The services that a runtime offers to the code that runs inside of it. Implemented by the runtime's
/// handle.
///
/// Crates below the runtime find their own part by its type: `timers()` leads to the timer handle
/// of `zokio-time`, `driver()` to the driver handle of `zokio-driver`.
pub trait Services: Send + Sync + 'static {
    /// The handle itself, for `zokio-runtime` to find its own type again.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;

    /// As [`into_any`](Self::into_any), borrowed.
    fn as_any(&self) -> &(dyn Any + Send + Sync);

    /// The timer service, unless the runtime was built without.
    fn timers(&self) -> Option<&(dyn Any + Send + Sync)>;

    /// The I/O driver, unless the runtime was built without.
    fn driver(&self) -> Option<&(dyn Any + Send + Sync)>;

    /// A poll has used its budget up and was refused another operation. Called once for each such
    /// poll, with the context borrowed: the implementation only counts.
    fn forced_yield(&self) {}
}

/// Whether the thread may block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// The thread drives no tasks and may block.
    Outside,
    /// The thread drives tasks. `block_in_place` tells whether it may hand them over and block.
    Inside {
        /// True on a multi-thread worker and in its `block_on`.
        block_in_place: bool,
    },
}

/// The scheduler's loop that runs on this thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// The scheduler, by the address of its shared state: two runtimes do not mix up their workers.
    pub scheduler: *const (),
    /// State of the loop on this thread. Only the scheduler knows its type; it stays valid until
    /// the guard of [`enter_worker`] is dropped.
    pub local: *const (),
    /// Which worker this is.
    pub index: u32,
}

struct Context {
    services: RefCell<Option<Arc<dyn Services>>>,
    /// How many [`EnterGuard`]s are alive, to notice guards dropped out of order.
    depth: Cell<usize>,
    region: Cell<Region>,
    worker: Cell<Option<Worker>>,
    task: Cell<Option<Id>>,
    budget: Cell<Budget>,
    /// Wakers that are held back until the driver was polled. None outside of a worker's loop.
    deferred: RefCell<Option<Vec<Waker>>>,
    /// The data of the waker that the root future of this thread is polled with. Compared only.
    root: Cell<*const ()>,
}

/// No waker's data: a waker without data has a null pointer.
const NO_ROOT: *const () = std::ptr::without_provenance(usize::MAX);

zokio_base::sync::per_thread! {
    // Never destroyed: a runtime or a local set in a thread-local of the user's is shut down while
    // the thread's locals are, and needs it. The guards leave nothing in it that has to be dropped.
    static CONTEXT: ManuallyDrop<Context> = const {
        ManuallyDrop::new(Context {
            services: RefCell::new(None),
            depth: Cell::new(0),
            region: Cell::new(Region::Outside),
            worker: Cell::new(None),
            task: Cell::new(None),
            budget: Cell::new(Budget::unlimited()),
            deferred: RefCell::new(None),
            root: Cell::new(NO_ROOT),
        })
    };
}

/// The thread is being torn down and its locals are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadGone;

// ---- Services ----

/// Makes `services` current until the guard is dropped.
pub fn enter(services: Arc<dyn Services>) -> EnterGuard {
    CONTEXT.with(|context| {
        let depth = context.depth.get() + 1;
        context.depth.set(depth);
        let previous = context.services.borrow_mut().replace(services);
        EnterGuard {
            previous,
            depth,
            _not_send: PhantomData,
        }
    })
}

/// Restores the former services when dropped.
pub struct EnterGuard {
    previous: Option<Arc<dyn Services>>,
    depth: usize,
    /// A lock's guard stays on its thread too, and may be shared.
    _not_send: PhantomData<std::sync::MutexGuard<'static, ()>>,
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        let previous = self.previous.take();
        let restored = CONTEXT.try_with(|context| {
            if context.depth.get() != self.depth {
                return false;
            }
            context.depth.set(self.depth - 1);
            let entered = std::mem::replace(&mut *context.services.borrow_mut(), previous);
            // Dropped outside of the borrow: it may be the runtime's last handle.
            drop(entered);
            true
        });
        if restored == Ok(false) && !std::thread::panicking() {
            panic!(
                "`EnterGuard` values dropped out of order. Guards returned by \
                 `Handle::enter()` and `Runtime::enter()` must be dropped in the reverse \
                 order as they were acquired."
            );
        }
    }
}

/// Calls `f` with the current runtime's services, if there are any.
///
/// # Errors
/// [`ThreadGone`] if the thread is being torn down.
#[inline]
pub fn with_services<R>(f: impl FnOnce(Option<&Arc<dyn Services>>) -> R) -> Result<R, ThreadGone> {
    CONTEXT
        .try_with(|context| f(context.services.borrow().as_ref()))
        .map_err(|_| ThreadGone)
}

// ---- Region ----

/// Marks the thread as driving tasks until the guard is dropped. None if it does so already.
pub fn enter_runtime(block_in_place: bool) -> Option<RegionGuard> {
    CONTEXT.with(|context| match context.region.get() {
        Region::Inside { .. } => None,
        Region::Outside => {
            context.region.set(Region::Inside { block_in_place });
            Some(RegionGuard {
                previous: Region::Outside,
                _not_send: PhantomData,
            })
        }
    })
}

/// Marks the thread as free to block until the guard is dropped: what it drove was handed over.
pub fn leave_runtime() -> RegionGuard {
    CONTEXT.with(|context| {
        let previous = context.region.replace(Region::Outside);
        RegionGuard {
            previous,
            _not_send: PhantomData,
        }
    })
}

/// Forbids `block_in_place` until the guard is dropped: a task of a local set is being polled,
/// which cannot be left behind on another thread.
pub fn forbid_block_in_place() -> RegionGuard {
    CONTEXT.with(|context| {
        let previous = context.region.get();
        if let Region::Inside { .. } = previous {
            context.region.set(Region::Inside {
                block_in_place: false,
            });
        }
        RegionGuard {
            previous,
            _not_send: PhantomData,
        }
    })
}

/// Whether the thread is driving tasks.
#[inline]
pub fn region() -> Region {
    CONTEXT
        .try_with(|context| context.region.get())
        .unwrap_or(Region::Outside)
}

/// Restores the former region when dropped.
#[derive(Debug)]
#[must_use]
pub struct RegionGuard {
    previous: Region,
    _not_send: PhantomData<*const ()>,
}

impl Drop for RegionGuard {
    fn drop(&mut self) {
        let _ = CONTEXT.try_with(|context| context.region.set(self.previous));
    }
}

// ---- Worker ----

/// Makes `worker` the loop that runs on this thread until the guard is dropped. Deferred wakers
/// are collected from here on.
///
/// # Safety
/// - The scheduler at `worker.scheduler` may use `worker.local` on this thread, as what it takes it for,
///   until the guard is dropped; it is dropped on this thread by its type.
/// - The guards of a thread, of this function and of [`leave_worker`], are dropped in the reverse order
///   of their making. (One that is forgotten stands for the rest of the thread's life.)
pub unsafe fn enter_worker(worker: Worker) -> WorkerGuard {
    CONTEXT.with(|context| WorkerGuard {
        worker: context.worker.replace(Some(worker)),
        deferred: context.deferred.borrow_mut().replace(Vec::new()),
        _not_send: PhantomData,
    })
}

/// Takes the loop off this thread until the guard is dropped: what it drove was handed over, and
/// nobody polls a driver here, so that wakers are not deferred.
///
/// # Safety
/// As for [`enter_worker`]: the guard brings the loop back, which must still be there by then.
pub unsafe fn leave_worker() -> WorkerGuard {
    CONTEXT.with(|context| WorkerGuard {
        worker: context.worker.take(),
        deferred: context.deferred.borrow_mut().take(),
        _not_send: PhantomData,
    })
}

/// The loop that runs on this thread.
#[inline]
pub fn worker() -> Option<Worker> {
    CONTEXT
        .try_with(|context| context.worker.get())
        .ok()
        .flatten()
}

/// Restores the former loop when dropped, and wakes what was deferred to the one that ends.
#[derive(Debug)]
#[must_use]
pub struct WorkerGuard {
    worker: Option<Worker>,
    deferred: Option<Vec<Waker>>,
    _not_send: PhantomData<*const ()>,
}

impl Drop for WorkerGuard {
    fn drop(&mut self) {
        let deferred = self.deferred.take();
        let left = CONTEXT.try_with(|context| {
            context.worker.set(self.worker);
            std::mem::replace(&mut *context.deferred.borrow_mut(), deferred)
        });
        foreign::wake_all(left.ok().flatten().unwrap_or_default());
    }
}

/// Says that the root future of this thread is polled with `waker`, until the guard is dropped.
pub fn enter_root(waker: &Waker) -> RootGuard {
    let previous = CONTEXT.try_with(|context| context.root.replace(waker.data()));
    RootGuard {
        previous: previous.unwrap_or(NO_ROOT),
    }
}

/// Restores the former root when dropped.
#[derive(Debug)]
#[must_use]
pub struct RootGuard {
    // Of this thread, as the pointer keeps the guard.
    previous: *const (),
}

impl Drop for RootGuard {
    fn drop(&mut self) {
        let _ = CONTEXT.try_with(|context| context.root.set(self.previous));
    }
}

/// Whether a poll with `waker` returns to the loop of this thread when it is pending: the waker is a task's
/// or the root future's. With another one somebody else decides what a pending poll leads to: another
/// crate's `block_on` inside of a task blocks the thread until its waker is woken.
#[inline]
pub(crate) fn returns_to_loop(waker: &Waker) -> bool {
    let is_root = || CONTEXT.try_with(|context| context.root.get() == waker.data());
    crate::waker::is_of_task(waker) || is_root().unwrap_or(false)
}

/// Has `waker` woken after the driver was polled next, so that a task which merely yields does not
/// keep events waiting. Outside of a worker's loop it is woken at once, and so is a waker that is neither
/// a task's nor the root future's: the loop may not go on before it is woken.
pub fn defer(waker: &Waker) {
    if !crate::waker::is_of_task(waker) {
        return defer_other(waker);
    }
    let held_back = CONTEXT.try_with(|context| {
        let mut deferred = context.deferred.borrow_mut();
        let Some(list) = deferred.as_mut() else {
            return false;
        };
        // One task may yield several times in one poll; once is enough.
        if !list.last().is_some_and(|last| last.will_wake(waker)) {
            // To clone a task's waker runs no foreign code, so the list may stay borrowed.
            list.push(waker.clone());
        }
        true
    });
    if held_back != Ok(true) {
        foreign::wake_by_ref(waker);
    }
}

/// [`defer`] for a waker that is not a task's: its code may be foreign.
#[cold]
fn defer_other(waker: &Waker) {
    if !returns_to_loop(waker) {
        return foreign::wake_by_ref(waker);
    }
    let is_new = CONTEXT.try_with(|context| {
        let deferred = context.deferred.borrow();
        let list = deferred.as_ref()?;
        Some(!list.last().is_some_and(|last| last.will_wake(waker)))
    });
    match is_new {
        Ok(Some(false)) => return,
        Ok(Some(true)) => {
            // A foreign waker's code runs here, so nothing is borrowed.
            let waker = waker.clone();
            let left = CONTEXT.try_with(|context| match context.deferred.borrow_mut().as_mut() {
                Some(list) => {
                    list.push(waker);
                    None
                }
                None => Some(waker),
            });
            if let Ok(None) = left {
                return;
            }
        }
        Ok(None) | Err(_) => {}
    }
    foreign::wake_by_ref(waker);
}

/// Has nothing held back on this thread until the guard is dropped, if a poll with `waker` does not return
/// to the thread's loop when it is pending. For futures that poll tasks: those have wakers of tasks, but
/// their turn comes when `waker` is woken.
pub fn hold_nothing_back_for(waker: &Waker) -> Option<DeferGuard> {
    if returns_to_loop(waker) {
        return None;
    }
    let deferred = CONTEXT.try_with(|context| context.deferred.borrow_mut().take());
    let deferred = deferred.ok().flatten()?;
    Some(DeferGuard {
        deferred,
        _not_send: PhantomData,
    })
}

/// Has wakers held back again when dropped.
#[derive(Debug)]
#[must_use]
pub struct DeferGuard {
    /// The wakers that were held back before.
    deferred: Vec<Waker>,
    _not_send: PhantomData<*const ()>,
}

impl Drop for DeferGuard {
    fn drop(&mut self) {
        let deferred = std::mem::take(&mut self.deferred);
        // Nothing was held back meanwhile: there was no list.
        let _ = CONTEXT.try_with(|context| *context.deferred.borrow_mut() = Some(deferred));
    }
}

/// Whether wakers are waiting for [`take_deferred`].
#[inline]
pub fn has_deferred() -> bool {
    CONTEXT.with(|context| {
        context
            .deferred
            .borrow()
            .as_ref()
            .is_some_and(|wakers| !wakers.is_empty())
    })
}

/// Moves the deferred wakers into `into`, in the order in which they were deferred.
pub fn take_deferred(into: &mut Vec<Waker>) {
    CONTEXT.with(|context| {
        if let Some(deferred) = context.deferred.borrow_mut().as_mut() {
            into.append(deferred);
        }
    });
}

// ---- Poll ----

/// Marks `id` as the task that is being polled, or whose output or future is being dropped, until
/// the guard is dropped.
#[inline]
pub fn enter_task(id: Option<Id>) -> TaskGuard {
    let previous = CONTEXT
        .try_with(|context| context.task.replace(id))
        .ok()
        .flatten();
    TaskGuard {
        previous,
        _not_send: PhantomData,
    }
}

/// The task that is being polled on this thread.
#[inline]
pub fn task() -> Option<Id> {
    CONTEXT
        .try_with(|context| context.task.get())
        .ok()
        .flatten()
}

/// Restores the former task when dropped.
#[derive(Debug)]
#[must_use]
pub struct TaskGuard {
    previous: Option<Id>,
    _not_send: PhantomData<*const ()>,
}

impl Drop for TaskGuard {
    #[inline]
    fn drop(&mut self) {
        let _ = CONTEXT.try_with(|context| context.task.set(self.previous));
    }
}

/// Marks `id` as the task that is being polled, with `budget` to spend, until the guard is dropped.
#[inline]
pub fn enter_poll(id: Id, budget: Budget) -> PollGuard {
    let previous = CONTEXT
        .try_with(|context| {
            (
                context.task.replace(Some(id)),
                context.budget.replace(budget),
            )
        })
        .unwrap_or((None, Budget::unlimited()));
    PollGuard {
        previous,
        _not_send: PhantomData,
    }
}

/// Restores the former task and its budget when dropped.
#[derive(Debug)]
#[must_use]
pub struct PollGuard {
    previous: (Option<Id>, Budget),
    _not_send: PhantomData<*const ()>,
}

impl Drop for PollGuard {
    #[inline]
    fn drop(&mut self) {
        let _ = CONTEXT.try_with(|context| {
            context.task.set(self.previous.0);
            context.budget.set(self.previous.1);
        });
    }
}

/// The rest of the current poll's budget.
#[inline]
pub fn budget() -> Budget {
    CONTEXT
        .try_with(|context| context.budget.get())
        .unwrap_or(Budget::unlimited())
}

/// Sets what is left of the current poll's budget.
#[inline]
pub fn set_budget(budget: Budget) {
    let _ = CONTEXT.try_with(|context| context.budget.set(budget));
}

/// Sets what is left of the current poll's budget and returns what was left before.
#[inline]
pub fn replace_budget(budget: Budget) -> Budget {
    CONTEXT
        .try_with(|context| context.budget.replace(budget))
        .unwrap_or(Budget::unlimited())
}

// ---- The whole ----

/// A context that was taken off a thread. The default one is that of a thread outside of every
/// runtime.
pub struct Saved {
    services: Option<Arc<dyn Services>>,
    depth: usize,
    region: Region,
    worker: Option<Worker>,
    task: Option<Id>,
    budget: Budget,
    deferred: Option<Vec<Waker>>,
    root: *const (),
}

impl Default for Saved {
    fn default() -> Self {
        Self {
            services: None,
            depth: 0,
            region: Region::Outside,
            worker: None,
            task: None,
            budget: Budget::unlimited(),
            deferred: None,
            root: NO_ROOT,
        }
    }
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("region", &self.region)
            .field("worker", &self.worker)
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

/// Puts `saved` in the place of the thread's context and returns the former one.
///
/// # Safety
/// If `saved` has a worker, its guard has not been dropped, and is not while the worker is swapped out:
/// what [`enter_worker`] asks for holds for each thread that the context is put on.
pub unsafe fn swap(saved: Saved) -> Saved {
    CONTEXT.with(|context| Saved {
        services: std::mem::replace(&mut *context.services.borrow_mut(), saved.services),
        depth: context.depth.replace(saved.depth),
        region: context.region.replace(saved.region),
        worker: context.worker.replace(saved.worker),
        task: context.task.replace(saved.task),
        budget: context.budget.replace(saved.budget),
        deferred: std::mem::replace(&mut *context.deferred.borrow_mut(), saved.deferred),
        root: context.root.replace(saved.root),
    })
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Nothing(u8);

    impl Services for Nothing {
        fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
            self
        }
        fn as_any(&self) -> &(dyn Any + Send + Sync) {
            self
        }
        fn timers(&self) -> Option<&(dyn Any + Send + Sync)> {
            Some(&self.0)
        }
        fn driver(&self) -> Option<&(dyn Any + Send + Sync)> {
            None
        }
    }

    fn current_timer() -> Option<u8> {
        with_services(|services| {
            services.and_then(|services| services.timers()?.downcast_ref::<u8>().copied())
        })
        .unwrap()
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn here() -> Worker {
        Worker {
            scheduler: std::ptr::null(),
            local: std::ptr::null(),
            index: 3,
        }
    }

    #[test]
    fn services_nest() {
        assert_eq!(current_timer(), None);
        let outer = enter(Arc::new(Nothing(1)));
        let inner = enter(Arc::new(Nothing(2)));
        assert_eq!(current_timer(), Some(2));
        drop(inner);
        assert_eq!(current_timer(), Some(1));
        drop(outer);
        assert_eq!(current_timer(), None);
    }

    #[test]
    #[should_panic(expected = "dropped out of order")]
    fn guards_dropped_out_of_order_panic() {
        let outer = enter(Arc::new(Nothing(1)));
        let _inner = enter(Arc::new(Nothing(2)));
        drop(outer);
    }

    #[test]
    fn regions_nest() {
        let inside = enter_runtime(true).unwrap();
        assert!(enter_runtime(true).is_none());
        {
            let _forbidden = forbid_block_in_place();
            assert_eq!(
                region(),
                Region::Inside {
                    block_in_place: false
                }
            );
        }
        {
            let _outside = leave_runtime();
            assert_eq!(region(), Region::Outside);
            assert!(enter_runtime(false).is_some());
        }
        assert_eq!(
            region(),
            Region::Inside {
                block_in_place: true
            }
        );
        drop(inside);
        assert_eq!(region(), Region::Outside);
    }

    #[test]
    fn wakers_are_deferred_inside_a_worker_only() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let root = enter_root(&waker);
        defer(&waker);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        // SAFETY: nobody follows the pointers, here and below.
        let guard = unsafe { enter_worker(here()) };
        assert_eq!(worker().unwrap().index, 3);
        defer(&waker);
        defer(&waker);
        assert!(has_deferred());
        let mut taken = Vec::new();
        take_deferred(&mut taken);
        assert_eq!(taken.len(), 1);
        assert!(!has_deferred());
        defer(&waker);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        // Another executor's waker, on which the loop cannot wait.
        let foreign = Arc::new(Count(AtomicUsize::new(0)));
        defer(&foreign.clone().into());
        assert_eq!(foreign.0.load(Ordering::Relaxed), 1);
        drop(guard);
        // Wakers that are left when the loop ends are woken, not lost.
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        assert!(worker().is_none());
        drop(root);
    }

    /// A waker that yields another one when it is cloned.
    mod yields_when_cloned {
        #![allow(unsafe_code)]

        use super::defer;
        use std::task::{RawWaker, RawWakerVTable, Waker};

        const VTABLE: RawWakerVTable = RawWakerVTable::new(
            |data| {
                defer(Waker::noop());
                RawWaker::new(data, &VTABLE)
            },
            |_| {},
            |_| {},
            |_| {},
        );

        pub(super) fn waker() -> Waker {
            // SAFETY: the functions use no data.
            unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) }
        }
    }

    #[test]
    fn a_waker_is_cloned_while_nothing_is_borrowed() {
        // SAFETY: nobody follows the pointers.
        let guard = unsafe { enter_worker(here()) };
        // All these wakers have no data.
        let _root = enter_root(Waker::noop());
        defer(&yields_when_cloned::waker());
        let mut taken = Vec::new();
        take_deferred(&mut taken);
        assert_eq!(taken.len(), 2);
        drop(guard);
    }

    #[test]
    fn the_whole_context_can_be_swapped() {
        // SAFETY: nobody follows the pointers, here and below.
        let guard = unsafe { enter_worker(here()) };
        let task = enter_task(Some(Id::next()));
        let root = enter_root(Waker::noop());
        // SAFETY: as above.
        let saved = unsafe { swap(Saved::default()) };
        assert!(worker().is_none());
        assert!(!returns_to_loop(Waker::noop()));
        assert!(super::task().is_none());
        // SAFETY: as above; the guard is alive.
        unsafe { swap(saved) };
        assert_eq!(worker(), Some(here()));
        assert!(super::task().is_some());
        assert!(returns_to_loop(Waker::noop()));
        drop(root);
        drop(task);
        drop(guard);
    }
}
