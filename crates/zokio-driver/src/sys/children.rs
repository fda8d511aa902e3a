//! Children that a handler of `SIGCHLD` reaps: a list that a handler may read.
//!
//! A handler may interrupt any thread at any instruction, also one that is in this file. So the list
//! is made of atomics only. Its blocks of slots are never freed: there are as many as the largest
//! number of such children at one time needs.
//!
//! A slot's word: 0 if it is free; otherwise the number of the child (bits 0 to 30), that of the
//! process that entered it (bits 31 to 61), and two flags.
//!
//! Transitions:
//!
//! 1. free -> entered: by [`Children::enter`]. A word of another process is free as well: it was copied by a
//!    `fork`, and the child is not ours to reap.
//! 2. entered -> entered + `BUSY`: by the thread or handler that asks the system whether the child has
//!    ended, which nobody else does meanwhile.
//! 3. `BUSY` -> `BUSY` + `AGAIN`: by anybody who wants to ask while somebody does. The other one may
//!    be the interrupted part of the same thread, so nobody waits for it.
//! 4. `BUSY` -> entered: the child has not ended. With `AGAIN`, 2 and 4 are done once more instead.
//! 5. `BUSY` -> free: the child was reaped.
//!
//! No end is missed: whoever enters a child asks afterwards, so an end before that is seen there;
//! a later end raises the signal, whose handler asks, or has somebody ask again who may have asked
//! too early.
//!
//! All accesses are sequentially consistent: the partner of a store here is a handler
//! that the kernel starts, and such paths are rare enough not to argue about less.
#![allow(unsafe_code)]

use std::ptr;
use zokio_base::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

const CHILD: u64 = (1 << 31) - 1;
const OWNER_SHIFT: u32 = 31;
const BUSY: u64 = 1 << 62;
const AGAIN: u64 = 1 << 63;

// SeqCst for every access, of slots and of links: see the head.
const ALL: Ordering = Ordering::SeqCst;

/// Slots of one block. A model has to meet the end of a block.
const SLOTS: usize = if cfg!(zokio_loom) { 1 } else { 64 };

/// The children to be reaped, of this process and of those that have forked it.
#[derive(Debug)]
pub struct Children {
    first: Block,
}

impl Children {
    /// An empty list.
    #[cfg(not(zokio_loom))]
    #[allow(clippy::new_without_default)] // Made by a constant.
    pub const fn new() -> Self {
        Self {
            first: Block::new(),
        }
    }

    #[cfg(zokio_loom)]
    fn new() -> Self {
        Self {
            first: Block::new(),
        }
    }

    /// Enters a child of the process `me`, then asks about it. `has_ended` reaps the child with a number, and says
    /// whether nothing is left to be done about it. Nobody else may reap it.
    pub fn enter(&self, me: u32, child: u32, has_ended: impl FnMut(u32) -> bool) {
        let me = u64::from(me) & CHILD;
        let word = (me << OWNER_SHIFT) | (u64::from(child) & CHILD);
        let mut block = &self.first;
        loop {
            if let Some(slot) = block.slots.iter().find(|slot| slot.enter(me, word)) {
                slot.ask(me, has_ended);
                return;
            }
            block = block.next_or_new();
        }
    }

    /// Asks about all children of the process `me`. A handler may call this, if it may call `has_ended`.
    pub fn ask(&self, me: u32, mut has_ended: impl FnMut(u32) -> bool) {
        let me = u64::from(me) & CHILD;
        let mut block = Some(&self.first);
        while let Some(current) = block {
            for slot in &current.slots {
                slot.ask(me, &mut has_ended);
            }
            block = current.next();
        }
    }
}

#[derive(Debug)]
struct Slot(AtomicU64);

#[derive(Debug)]
struct Block {
    slots: [Slot; SLOTS],
    next: AtomicPtr<Block>,
}

impl Block {
    #[cfg(not(zokio_loom))]
    const fn new() -> Self {
        Self {
            slots: [const { Slot(AtomicU64::new(0)) }; SLOTS],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    // Atomics of a model are not made by constants.
    #[cfg(zokio_loom)]
    fn new() -> Self {
        Self {
            slots: std::array::from_fn(|_| Slot(AtomicU64::new(0))),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn next(&self) -> Option<&'static Block> {
        let next = self.next.load(ALL);
        // SAFETY: a block that was linked is never freed, and is shared by reference only.
        unsafe { next.as_ref() }
    }

    /// The next block, which is made if there is none.
    fn next_or_new(&self) -> &'static Block {
        if let Some(next) = self.next() {
            return next;
        }
        let new = Box::into_raw(Box::new(Block::new()));
        let linked = self.next.compare_exchange(ptr::null_mut(), new, ALL, ALL);
        match linked {
            // SAFETY: it is linked now, and so never freed.
            Ok(_) => unsafe { &*new },
            Err(other) => {
                // SAFETY: nobody has seen the new one. The other one is linked, and never freed.
                unsafe {
                    drop(Box::from_raw(new));
                    &*other
                }
            }
        }
    }
}

impl Slot {
    /// Enters `word`; false if the slot is another child's of the process `me`.
    fn enter(&self, me: u64, word: u64) -> bool {
        let found = self.0.load(ALL);
        let is_free = found == 0 || owner(found) != me;
        is_free && self.0.compare_exchange(found, word, ALL, ALL).is_ok()
    }

    /// Frees the slot if `has_ended` says so of its child.
    fn ask(&self, me: u64, mut has_ended: impl FnMut(u32) -> bool) {
        let change = |from, to| self.0.compare_exchange(from, to, ALL, ALL);
        let word = loop {
            let word = self.0.load(ALL);
            if word == 0 || owner(word) != me {
                return;
            }
            if word & BUSY == 0 {
                if change(word, word | BUSY).is_ok() {
                    break word;
                }
            } else if change(word, word | AGAIN).is_ok() {
                return;
            }
        };
        loop {
            // It fits: it has 31 bits.
            if has_ended((word & CHILD) as u32) {
                self.0.store(0, ALL);
                return;
            }
            if change(word | BUSY, word).is_ok() {
                return;
            }
            // The only other change of a busy slot: somebody has set `AGAIN`.
            self.0.store(word | BUSY, ALL);
        }
    }
}

fn owner(word: u64) -> u64 {
    (word >> OWNER_SHIFT) & CHILD
}

#[cfg(all(test, not(zokio_model)))]
#[allow(clippy::disallowed_methods)] // Askers are real threads.
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    const ME: u64 = 77;

    fn word(child: u64) -> u64 {
        (ME << OWNER_SHIFT) | child
    }

    #[test]
    fn a_slot_is_free_again_once_its_child_was_reaped() {
        let slot = Slot(AtomicU64::new(0));
        assert!(slot.enter(ME, word(5)));
        assert!(!slot.enter(ME, word(6)));
        slot.ask(ME, |child| {
            assert_eq!(child, 5);
            false
        });
        assert!(!slot.enter(ME, word(6)));
        slot.ask(ME, |_| true);
        assert!(slot.enter(ME, word(6)));
    }

    #[test]
    fn a_slot_of_another_process_is_free_and_never_asked_about() {
        let slot = Slot(AtomicU64::new(word(5) | BUSY));
        slot.ask(ME + 1, |_| unreachable!("it is another's child"));
        assert!(slot.enter(ME + 1, ((ME + 1) << OWNER_SHIFT) | 5));
    }

    #[test]
    fn an_end_that_comes_while_somebody_asks_is_asked_about_again() {
        let slot = Slot(AtomicU64::new(word(5)));
        let mut answers = 0;
        slot.ask(ME, |_| {
            answers += 1;
            if answers == 1 {
                // The child ends after the answer was given; its signal interrupts the asker.
                slot.ask(ME, |_| unreachable!("one at a time asks"));
            }
            answers == 2
        });
        assert_eq!(answers, 2);
        assert!(slot.enter(ME, word(6)));
    }

    #[test]
    fn a_child_is_reaped_once_whoever_asks() {
        for _ in 0..500 {
            let slot = Arc::new(Slot(AtomicU64::new(word(5))));
            let reaped = Arc::new(AtomicUsize::new(0));
            let has_ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let askers: Vec<_> = (0..3)
                .map(|number| {
                    let (slot, reaped, has_ended) =
                        (slot.clone(), reaped.clone(), has_ended.clone());
                    zokio_base::sync::thread::spawn(move || {
                        if number == 0 {
                            // The signal of the end: what comes before it is what the kernel knows.
                            has_ended.store(true, Ordering::SeqCst);
                        }
                        slot.ask(ME, |_| {
                            let answer = has_ended.load(Ordering::SeqCst);
                            reaped.fetch_add(usize::from(answer), Ordering::SeqCst);
                            answer
                        });
                    })
                })
                .collect();
            for asker in askers {
                asker.join().unwrap();
            }
            assert_eq!(reaped.load(Ordering::SeqCst), 1);
            assert!(slot.enter(ME, word(6)));
        }
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use zokio_base::sync::{Arc, Mutex, model, thread};

    const ME: u32 = 77;

    /// The kernel's knowledge of a child, behind a lock of its own.
    #[derive(Default)]
    struct Kernel {
        has_ended: [bool; 2],
        reaped: [usize; 2],
    }

    type World = Arc<(Children, Mutex<Kernel>)>;

    fn world() -> World {
        Arc::new((Children::new(), Mutex::new(Kernel::default())))
    }

    fn reap(world: &World, child: u32) -> bool {
        let child = child as usize - 1;
        let mut kernel = world.1.lock();
        let has_ended = kernel.has_ended[child];
        kernel.reaped[child] += usize::from(has_ended);
        has_ended
    }

    /// The child ends, and the signal's handler asks.
    fn end(world: &World, child: u32) {
        world.1.lock().has_ended[child as usize - 1] = true;
        world.0.ask(ME, |child| reap(world, child));
    }

    fn enter(world: &World, child: u32) {
        world.0.enter(ME, child, |child| reap(world, child));
    }

    fn check(world: &World, children: u32) {
        for child in 0..children as usize {
            assert_eq!(world.1.lock().reaped[child], 1, "reaped once");
        }
        world.0.ask(ME, |_| unreachable!("every slot is free"));
    }

    /// A child ends while it is entered.
    #[test]
    fn an_end_is_not_missed() {
        model(|| {
            let world = world();
            let other = world.clone();
            let handler = thread::spawn(move || end(&other, 1));
            enter(&world, 1);
            handler.join().unwrap();
            check(&world, 1);
        });
    }

    /// A child that has been entered ends while another thread asks about all of them.
    #[test]
    fn an_end_while_somebody_asks_is_not_missed() {
        model(|| {
            let world = world();
            enter(&world, 1);
            let other = world.clone();
            let handler = thread::spawn(move || end(&other, 1));
            world.0.ask(ME, |child| reap(&world, child));
            handler.join().unwrap();
            check(&world, 1);
        });
    }

    /// Two children are entered at once where there is room for one: both find a slot, and both ends are seen.
    #[test]
    fn two_children_find_a_slot_each() {
        model(|| {
            let world = world();
            let other = world.clone();
            let enterer = thread::spawn(move || enter(&other, 2));
            enter(&world, 1);
            enterer.join().unwrap();
            end(&world, 1);
            end(&world, 2);
            check(&world, 2);
        });
    }
}
