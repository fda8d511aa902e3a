//! A task's memory: header, stage, and an extension for the few that need one.
//!
//! ```text
//! Cell<F>:  Header (64 bytes) | Stage: future or output or panic | Ext, if HAS_EXT
//! ```
//!
//! One allocation, freed as a whole. A future of more than 512 bytes comes in a box of its own, which is
//! freed when the future is dropped (`large.rs`). The stage is a union: which member is alive follows from the
//! state word and from who holds `RUNNING`, so it needs no tag and no padding. A task whose future
//! is zero-sized and whose output is `()` takes 72 bytes: the stage has room for a panic's pointer.
//! Tasks are not aligned to cache lines: what would be saved in false sharing between neighbours
//! costs more in memory that every poll has to fetch.
//!
//! The right to touch each field (numbers are invariants of `state.rs`):
//!
//! - `state`: anyone with a reference. `vtable`, `shard`, `id`, `slot`, `location`, the extension
//!   but for its stamp: constant from before the first reference is handed out; anyone with a
//!   reference may read.
//! - `queue_next`, the extension's stamp: the owner of the task's `Notified`, of which there is one
//!   at most (2).
//! - `join_waker`: as invariant 5 says.
//! - `stage`: the holder of `RUNNING` (1); after completion the owner of the outcome (3).
//!
//! Header-only code works on `NonNull<Header>`, which is derived from the pointer to the whole
//! allocation and keeps its provenance. The vtable leads back to the code that knows `F`.
#![allow(unsafe_code)]

use crate::id::Id;
use crate::meta::{Ext, SpawnMeta};
use crate::shard::Shard;
use crate::state::State;
use std::alloc::Layout;
use std::any::Any;
use std::fmt;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use zokio_base::foreign::{Contained, KeptWaker};
use zokio_base::sync::UnsafeCell;

/// A panic's payload behind one pointer, so that the stage of a small task stays small.
pub(crate) type Panic = Box<Box<dyn Any + Send + 'static>>;

/// The slot of a task that is in no table.
pub(crate) const UNTRACKED: u32 = u32::MAX;

/// The part that is the same for every task.
#[repr(C)]
pub struct Header {
    pub(crate) state: State,
    pub(crate) vtable: &'static Vtable,
    pub(crate) queue_next: UnsafeCell<Option<NonNull<Header>>>,
    pub(crate) shard: Arc<Shard>,
    pub(crate) id: Id,
    pub(crate) join_waker: UnsafeCell<Option<KeptWaker>>,
    /// Position in the shard's table, or [`UNTRACKED`].
    pub(crate) slot: u32,
    /// The spawn place's number.
    pub(crate) location: u32,
}

#[cfg(all(target_pointer_width = "64", not(zokio_model)))]
const _: () = {
    assert!(size_of::<Header>() <= 64);
    assert!(align_of::<Header>() == 8);
    assert!(size_of::<Cell<std::future::Pending<()>>>() <= 72);
    assert!(size_of::<Cell<std::future::Ready<()>>>() <= 72);
};
// The extension follows the cell without a gap.
const _: () = assert!(align_of::<Ext>() <= align_of::<Header>());
// Free slots of the live table are marked in a bit that no task's address has.
const _: () = assert!(align_of::<Header>() >= 2);

// SAFETY: every field is constant, atomic, or guarded by the state word as the head of the file
// says.
unsafe impl Send for Header {}
// SAFETY: as above.
unsafe impl Sync for Header {}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Header {
    /// The extension, if there is one.
    ///
    /// # Safety
    /// `task` is a live task's whole allocation; the result must not outlive it.
    pub(crate) unsafe fn ext<'a>(task: NonNull<Header>) -> Option<&'a Ext> {
        // SAFETY: the caller's; the header is only ever borrowed shared.
        let header = unsafe { task.as_ref() };
        if !header.state.load().has_ext() {
            return None;
        }
        // SAFETY: with HAS_EXT the allocation goes on with an `Ext` right behind the cell, and the
        // extension is constant.
        Some(unsafe {
            task.byte_add(header.vtable.cell_size)
                .cast::<Ext>()
                .as_ref()
        })
    }
}

/// The content of a task, which changes over its life.
#[repr(C)]
union Stage<F: Future> {
    /// Until it was polled to its end or dropped.
    future: ManuallyDrop<F>,
    /// Complete with [`Outcome::Output`](crate::state::Outcome::Output), until it was taken.
    output: ManuallyDrop<F::Output>,
    /// Complete with [`Outcome::Panic`](crate::state::Outcome::Panic), until it was taken.
    panic: ManuallyDrop<Panic>,
}

#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// The code that knows the future's type. All functions take the task's whole allocation.
#[derive(Debug)]
pub(crate) struct Vtable {
    cell_size: usize,
    /// Polls the future. When it is ready, drops it and puts the output in its place. May panic;
    /// `future_alive` then tells whether the future is still to be dropped.
    pub(crate) poll: unsafe fn(NonNull<Header>, &mut Context<'_>, &mut bool) -> Poll<()>,
    /// Drops the future. May panic.
    pub(crate) drop_future: unsafe fn(NonNull<Header>),
    /// Drops the output. May panic.
    pub(crate) drop_output: unsafe fn(NonNull<Header>),
    /// Moves the output to where the pointer leads, which is an `F::Output`.
    pub(crate) take_output: unsafe fn(NonNull<Header>, NonNull<()>),
    /// Puts a payload into the empty stage.
    pub(crate) store_panic: unsafe fn(NonNull<Header>, Panic),
    /// Takes the payload out.
    pub(crate) take_panic: unsafe fn(NonNull<Header>) -> Panic,
    /// Frees the allocation with everything but the stage.
    pub(crate) free: unsafe fn(NonNull<Header>),
}

impl<F: Future> Cell<F> {
    const VTABLE: &'static Vtable = &Vtable {
        cell_size: size_of::<Self>(),
        poll: poll::<F>,
        drop_future: drop_future::<F>,
        drop_output: drop_output::<F>,
        take_output: take_output::<F>,
        store_panic: store_panic::<F>,
        take_panic: take_panic::<F>,
        free: free::<F>,
    };

    fn layout(has_ext: bool) -> Layout {
        let size = size_of::<Self>() + if has_ext { size_of::<Ext>() } else { 0 };
        Layout::from_size_align(size, align_of::<Self>()).expect("a future does not fill memory")
    }

    /// Gives `f` the stage.
    ///
    /// # Safety
    /// `task` is the allocation of a `Cell<F>`, and the caller may touch its stage.
    #[inline]
    unsafe fn with_stage<R>(task: NonNull<Header>, f: impl FnOnce(*mut Stage<F>) -> R) -> R {
        // SAFETY: the caller's. All of the cell is constant, atomic or in an `UnsafeCell`.
        let cell = unsafe { task.cast::<Self>().as_ref() };
        cell.stage.with_mut(f)
    }
}

/// Makes a task with `refs` references, in no table yet.
pub(crate) fn allocate<F: Future>(
    future: F,
    mut meta: SpawnMeta,
    shard: Arc<Shard>,
    refs: u64,
) -> NonNull<Header> {
    let ext = meta.take_ext(shard.has_stamps());
    let layout = Cell::<F>::layout(ext.is_some());
    let cell = Cell {
        header: Header {
            state: State::new(refs, meta.priority, ext.is_some()),
            vtable: Cell::<F>::VTABLE,
            queue_next: UnsafeCell::new(None),
            shard,
            id: meta.id,
            join_waker: UnsafeCell::new(None),
            slot: UNTRACKED,
            location: crate::location::intern(meta.location),
        },
        stage: UnsafeCell::new(Stage {
            future: ManuallyDrop::new(future),
        }),
    };
    // SAFETY: the layout is not empty, it has a header in it.
    let Some(memory) = NonNull::new(unsafe { std::alloc::alloc(layout) }) else {
        std::alloc::handle_alloc_error(layout)
    };
    let task = memory.cast::<Cell<F>>();
    // SAFETY: the memory is ours, and large and aligned enough for a cell.
    unsafe { task.write(cell) };
    if let Some(ext) = ext {
        // SAFETY: the layout has room for the extension behind the cell, whose size is a multiple
        // of its alignment, which is at least the extension's.
        unsafe { task.add(1).cast::<Ext>().write(ext) };
    }
    task.cast()
}

/// # Safety
/// As [`Cell::with_stage`]; the stage holds the future.
unsafe fn poll<F: Future>(
    task: NonNull<Header>,
    cx: &mut Context<'_>,
    future_alive: &mut bool,
) -> Poll<()> {
    let step = |stage: *mut Stage<F>| {
        // SAFETY: the stage is ours and holds the future. It stays in place until it is dropped
        // here or by `drop_future`, so it may be pinned.
        let output = unsafe {
            let future = &mut *(&raw mut (*stage).future).cast::<F>();
            ready!(Pin::new_unchecked(future).poll(cx))
        };
        // If the future's destructor panics nobody gets the output, whose destructor may panic too.
        let output = Contained::new(output);
        *future_alive = false;
        // SAFETY: as above; from here on nobody drops the future again, even if this panics.
        unsafe { ManuallyDrop::drop(&mut (*stage).future) };
        // SAFETY: the stage is ours and empty.
        unsafe { (&raw mut (*stage).output).write(ManuallyDrop::new(output.into_inner())) };
        Poll::Ready(())
    };
    // SAFETY: the caller's.
    unsafe { Cell::<F>::with_stage(task, step) }
}

/// # Safety
/// As [`Cell::with_stage`]; the stage holds the future, and is empty afterwards.
unsafe fn drop_future<F: Future>(task: NonNull<Header>) {
    // SAFETY: the caller's.
    unsafe { Cell::<F>::with_stage(task, |stage| ManuallyDrop::drop(&mut (*stage).future)) }
}

/// # Safety
/// As [`Cell::with_stage`]; the stage holds the output, and is empty afterwards.
unsafe fn drop_output<F: Future>(task: NonNull<Header>) {
    // SAFETY: the caller's.
    unsafe { Cell::<F>::with_stage(task, |stage| ManuallyDrop::drop(&mut (*stage).output)) }
}

/// # Safety
/// As [`Cell::with_stage`]; the stage holds the output, and is empty afterwards. `into` is valid
/// for writing an `F::Output`.
unsafe fn take_output<F: Future>(task: NonNull<Header>, into: NonNull<()>) {
    // SAFETY: the caller's.
    unsafe {
        Cell::<F>::with_stage(task, |stage| {
            let output = ManuallyDrop::take(&mut (*stage).output);
            into.cast::<F::Output>().write(output);
        });
    }
}

/// # Safety
/// As [`Cell::with_stage`]; the stage is empty.
unsafe fn store_panic<F: Future>(task: NonNull<Header>, panic: Panic) {
    // SAFETY: the caller's.
    unsafe {
        Cell::<F>::with_stage(task, |stage| {
            (&raw mut (*stage).panic).write(ManuallyDrop::new(panic));
        });
    }
}

/// # Safety
/// As [`Cell::with_stage`]; the stage holds a payload, and is empty afterwards.
unsafe fn take_panic<F: Future>(task: NonNull<Header>) -> Panic {
    // SAFETY: the caller's.
    unsafe { Cell::<F>::with_stage(task, |stage| ManuallyDrop::take(&mut (*stage).panic)) }
}

/// # Safety
/// `task` is the allocation of a `Cell<F>` to which nobody has a reference.
unsafe fn free<F: Future>(task: NonNull<Header>) {
    // SAFETY: the caller's.
    let ext = unsafe { Header::ext(task) };
    let layout = Cell::<F>::layout(ext.is_some());
    // SAFETY: nobody else has the task any more. The extension is moved out before the memory
    // goes, and the borrow above is not used again.
    let ext = ext.map(|ext| unsafe { std::ptr::read(ext) });
    // SAFETY: as above.
    let cell = unsafe { task.cast::<Cell<F>>().as_ref() };
    // Does nothing, but lets models see that whoever touched these did so before they are freed.
    cell.stage.with_mut(|_| ());
    cell.header.join_waker.with_mut(|_| ());
    cell.header.queue_next.with_mut(|_| ());
    // SAFETY: as above; this drops the header. A stage is a union and has nothing to drop.
    unsafe { task.cast::<Cell<F>>().drop_in_place() };
    // SAFETY: allocated with this layout.
    unsafe { std::alloc::dealloc(task.as_ptr().cast(), layout) };
    drop(ext);
}
