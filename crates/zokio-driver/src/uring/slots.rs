//! Names for operations in flight: an index and a generation, which is all that the kernel is told.
//!
//! A completion brings the name back. A name that is no longer in use (a second completion, one
//! that is late, one that is nobody's) finds nothing, whoever has the slot now.
//!
//! Invariants:
//!
//! 1. A value is put in before the kernel is told its name and taken out exactly once: by the last
//!    completion, or by whoever finds that the kernel never took the request.
//! 2. The word 0 is no name: generations of values are odd.

use super::threads::Submitted;
use zokio_base::slab::{Key, Slab};
use zokio_base::sync::Mutex;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};

/// The name of requests whose completion concerns nobody.
pub(crate) const NOBODY: u64 = 0;

struct Slot<F> {
    value: F,
    /// For which thread this counts. None until the kernel took the request.
    submitted: Option<Submitted>,
    is_standing: bool,
}

/// Operations in flight.
pub(crate) struct Slots<F> {
    slab: Mutex<Slab<Slot<F>>>,
    /// How many there are, to be read without the lock.
    len: AtomicUsize,
    /// How many of them wait for others, as a socket's readiness does.
    standing: AtomicUsize,
}

impl<F> Slots<F> {
    pub(crate) fn new() -> Self {
        Self {
            slab: Mutex::new(Slab::new()),
            len: AtomicUsize::new(0),
            standing: AtomicUsize::new(0),
        }
    }

    /// How many are in flight.
    pub(crate) fn len(&self) -> usize {
        // ORDERING: Acquire pairs with the release in `store_len`: at zero, all has retired.
        self.len.load(Ordering::Acquire)
    }

    /// Whether something is in flight that ends by itself.
    pub(crate) fn has_bounded(&self) -> bool {
        // ORDERING: Relaxed: a guess by the time it is used, as `len` is.
        self.len() > self.standing.load(Ordering::Relaxed)
    }

    fn store_len(&self, slab: &Slab<Slot<F>>) {
        // ORDERING: Release pairs with the acquire in `len`. Stores are ordered by the lock.
        self.len.store(slab.len(), Ordering::Release);
    }

    /// Puts `value` in and names it; `with_name` sees both before anybody else can. One that
    /// `is_standing` waits for others, and may do so for ever.
    pub(crate) fn admit(
        &self,
        value: F,
        is_standing: bool,
        with_name: impl FnOnce(&F, u64),
    ) -> u64 {
        // ORDERING: Relaxed: see `has_bounded`. Before the other counter, so that what stands never
        // counts as bounded.
        self.standing
            .fetch_add(usize::from(is_standing), Ordering::Relaxed);
        let mut slab = self.slab.lock();
        let key = slab.insert_with(|key| {
            with_name(&value, key.to_bits());
            Slot {
                value,
                submitted: None,
                is_standing,
            }
        });
        self.store_len(&slab);
        key.to_bits()
    }

    /// Counts those of `names` that are still in flight for the calling thread.
    pub(crate) fn count_for_this_thread(&self, names: impl Iterator<Item = u64>) {
        let mut slab = self.slab.lock();
        for name in names {
            if let Some(slot) = slab.get_mut(Key::from_bits(name)) {
                slot.submitted = Submitted::by_this_thread();
            }
        }
    }

    /// Takes out what `name` names, if it is still there: its last completion has come.
    pub(crate) fn retire(&self, name: u64) -> Option<F> {
        let mut slab = self.slab.lock();
        let slot = slab.remove(Key::from_bits(name))?;
        self.store_len(&slab);
        // ORDERING: Relaxed: as in `admit`.
        self.standing
            .fetch_sub(usize::from(slot.is_standing), Ordering::Relaxed);
        Some(slot.value)
    }

    /// Whether `name` is still in flight.
    pub(crate) fn contains(&self, name: u64) -> bool {
        self.slab.lock().get(Key::from_bits(name)).is_some()
    }

    /// The answer of `look` about the value that `name` names, if it is still in flight.
    pub(crate) fn look_up<R>(&self, name: u64, look: impl FnOnce(&F) -> R) -> Option<R> {
        let slab = self.slab.lock();
        slab.get(Key::from_bits(name)).map(|slot| look(&slot.value))
    }

    /// The names of the values that `choose` picks.
    pub(crate) fn names(&self, choose: impl Fn(&F) -> bool) -> Vec<u64> {
        let slab = self.slab.lock();
        slab.iter()
            .filter(|(_, slot)| choose(&slot.value))
            .map(|(key, _)| key.to_bits())
            .collect()
    }

    /// Calls `look` with each value. Returns how many there are.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&mut F)) -> usize {
        let mut slab = self.slab.lock();
        let mut count = 0;
        for slot in slab.values_mut() {
            look(&mut slot.value);
            count += 1;
        }
        count
    }

    /// Whether `choose` picks any value.
    pub(crate) fn any(&self, choose: impl Fn(&F) -> bool) -> bool {
        let slab = self.slab.lock();
        slab.iter().any(|(_, slot)| choose(&slot.value))
    }
}
