//! Buffers that the kernel chooses from when bytes come (provided buffers), so that a connection that
//! is silent has none.
//!
//! A [`Pool`] has a number of buffers. With a ring they are one allocation, registered with one
//! worker's ring as a group. A buffer that does not come from the kernel is made when it is first
//! wanted, and kept. A [`Lease`] is a buffer with bytes, in the hands of somebody; dropped, it goes back.
//! No more leases exist than the pool has buffers: who wants another waits ([`Pool::available`]).
//!
//! Invariants:
//!
//! 1. A buffer of a group is the kernel's, or one lease's, and nobody else's: a lease is made of the one
//!    completion that names the buffer, and gives it back once, when it is dropped.
//! 2. Leases and operations hold the pool, and an operation is held by its slot until its last
//!    completion. So when a pool is dropped the kernel uses none of its memory; should it refuse to
//!    let go of the group, the memory is leaked.
//! 3. `Lent::count` counts the leases. Whoever has found it at the limit left a waker, under the same
//!    lock.
//! 4. While a buffer is free, the first who waits is woken or has been: a lease that is dropped wakes
//!    it, and one who was woken and sees that a buffer is free, or goes away, wakes the next. So nobody
//!    waits because of somebody who was woken and has no use for the buffer, and a buffer that comes
//!    back does not wake all.
#![cfg_attr(not(zokio_ring), allow(dead_code))] // One half of this is for rings.

use crate::driver::DriverHandle;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use zokio_base::foreign::KeptWaker;
use zokio_base::sync::Mutex;

#[cfg(any(zokio_ring, all(test, zokio_loom)))]
#[path = "entries.rs"]
mod entries;
#[cfg(all(not(zokio_ring), not(all(test, zokio_loom))))]
#[path = "no_group.rs"]
mod group;
#[cfg(all(zokio_ring, not(all(test, zokio_loom))))]
#[path = "group.rs"]
mod group;
#[cfg(all(zokio_ring, not(all(test, zokio_loom))))]
#[path = "memory.rs"]
mod memory;

// A kernel that is a thread.
#[cfg(all(test, zokio_loom))]
#[path = "model_group.rs"]
mod group;
#[cfg(all(test, zokio_loom))]
#[path = "model_memory.rs"]
mod memory;
#[cfg(all(test, zokio_loom))]
#[path = "model.rs"]
mod model;

use group::Group;

/// The most buffers that a pool has.
pub const BUFFERS_MAX: usize = 1 << 15;

/// A number of buffers of one size.
pub struct Pool {
    size: usize,
    count: usize,
    lent: Mutex<Lent>,
    group: Option<Group>,
}

/// The free buffers, and the waiters for one (invariants 3 and 4).
#[derive(Default)]
struct Lent {
    count: usize,
    /// Buffers that do not come from the kernel and are not lent.
    free: Vec<Box<[u8]>>,
    /// The waiters, by the number that each drew: the lowest came first.
    waiters: BTreeMap<u64, KeptWaker>,
    /// The number that is drawn next.
    number: u64,
}

impl Lent {
    /// The first who waits, to be woken because a buffer is free.
    fn next(&mut self, limit: usize) -> Option<KeptWaker> {
        if self.count < limit {
            self.waiters.pop_first().map(|(_, waker)| waker)
        } else {
            None
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("size", &self.size)
            .field("count", &self.count)
            .field("lent", &self.lent())
            .field("is_on_ring", &self.group.is_some())
            .finish()
    }
}

impl Pool {
    /// A pool of `count` buffers of `size` bytes; `count` is rounded up to a power of two. They are
    /// registered with the ring of the worker `here`, or of any if this is none of `driver`'s.
    ///
    /// # Panics
    /// If there are no buffers, more than [`BUFFERS_MAX`], or they have no bytes or more than a
    /// completion can tell.
    pub fn new(driver: &DriverHandle, here: Option<usize>, count: usize, size: usize) -> Arc<Self> {
        assert!(
            0 < count && count <= BUFFERS_MAX,
            "a pool has 1 to {BUFFERS_MAX} buffers"
        );
        assert!(
            size > 0 && i32::try_from(size).is_ok(),
            "a buffer has room for bytes"
        );
        let count = count.next_power_of_two();
        Arc::new(Self {
            size,
            count,
            lent: Mutex::new(Lent::default()),
            group: Group::register(driver, here, count, size),
        })
    }

    /// How many buffers it has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How long each of them is.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many are lent.
    pub fn lent(&self) -> usize {
        self.lent.lock().count
    }

    /// The worker whose ring has the buffers. None if there is no ring.
    pub fn worker(&self) -> Option<usize> {
        self.group.as_ref().map(Group::worker)
    }

    /// The name of the buffers with that ring.
    pub(crate) fn group_id(&self) -> u16 {
        self.group.as_ref().map_or(0, Group::id)
    }

    /// Waits until a buffer is not lent. It may be again by the time it is asked for. Who came first
    /// is the first to be woken.
    pub fn available(&self) -> Available<'_> {
        Available {
            pool: self,
            number: None,
        }
    }

    /// A buffer that does not come from the kernel, of its whole length. None if all are lent.
    ///
    /// The bytes in it are left over from an earlier lease: the taker fills it, and
    /// [`truncate`](Lease::truncate)s it to that.
    pub fn take(self: &Arc<Self>) -> Option<Lease> {
        let mut lent = self.lent.lock();
        if lent.count >= self.count {
            return None;
        }
        lent.count += 1;
        let free = lent.free.pop();
        drop(lent);
        let bytes = free.unwrap_or_else(|| vec![0; self.size].into());
        Some(Lease {
            len: self.size,
            place: Place::Heap(bytes),
            pool: self.clone(),
        })
    }

    /// The buffer that a completion named, with `len` bytes. To be called once for each completion that
    /// names one (invariant 1).
    pub(crate) fn lend(self: &Arc<Self>, buffer: u16, len: usize) -> Lease {
        self.lent.lock().count += 1;
        Lease {
            len: len.min(self.size),
            place: Place::Group(buffer),
            pool: self.clone(),
        }
    }

    fn group(&self) -> &Group {
        let group = self.group.as_ref();
        group.expect("only a group's buffers are lent by number")
    }

    /// A lease is over.
    fn take_back(&self, place: Place) {
        let heap = match place {
            Place::Group(buffer) => {
                self.group().provide(buffer);
                None
            }
            Place::Heap(bytes) => Some(bytes),
        };
        let mut lent = self.lent.lock();
        lent.count -= 1;
        lent.free.extend(heap);
        let next = lent.next(self.count);
        drop(lent);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// The future of [`Pool::available`].
#[derive(Debug)]
#[must_use = "it waits when it is polled"]
pub struct Available<'a> {
    pool: &'a Pool,
    /// Drawn when it began to wait. What it stands under is gone once it was woken.
    number: Option<u64>,
}

impl Future for Available<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let pool = self.pool;
        let mut new = None;
        // Two rounds at most: the second has a clone of the waker, which is made without the lock,
        // as wakers are foreign code.
        loop {
            let mut lent = pool.lent.lock();
            if lent.count < pool.count {
                // The last waker may drop its task: not under the lock.
                let own = self.number.take().and_then(|n| lent.waiters.remove(&n));
                // There may be one for the next as well.
                let next = lent.next(pool.count);
                drop(lent);
                drop(own);
                if let Some(waker) = next {
                    waker.wake();
                }
                return Poll::Ready(());
            }
            let held = self.number.and_then(|number| lent.waiters.get(&number));
            if held.is_some_and(|held| held.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            let Some(new) = new.take() else {
                drop(lent);
                new = Some(KeptWaker::of(cx.waker()));
                continue;
            };
            let number = *self.number.get_or_insert_with(|| {
                lent.number += 1;
                lent.number
            });
            let old = lent.waiters.insert(number, new);
            drop(lent);
            drop(old);
            return Poll::Pending;
        }
    }
}

impl Drop for Available<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        let mut lent = self.pool.lent.lock();
        let own = lent.waiters.remove(&number);
        // It was woken, and passes that on.
        let next = match own {
            None => lent.next(self.pool.count),
            Some(_) => None,
        };
        drop(lent);
        drop(own);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// Where the bytes of a lease are.
enum Place {
    Group(u16),
    Heap(Box<[u8]>),
}

/// A buffer with bytes. Dropped, it goes back to its pool.
pub struct Lease {
    len: usize,
    place: Place,
    pool: Arc<Pool>,
}

impl Lease {
    /// Leaves the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.place {
            Place::Group(buffer) => &self.pool.group().bytes(*buffer)[..self.len],
            Place::Heap(bytes) => &bytes[..self.len],
        }
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.place {
            Place::Group(buffer) => &mut self.pool.group().bytes_mut(*buffer)[..self.len],
            Place::Heap(bytes) => &mut bytes[..self.len],
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("len", &self.len).finish()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let place = std::mem::replace(&mut self.place, Place::Heap(Box::default()));
        self.pool.take_back(place);
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use crate::testing::Woken;
    use std::task::Waker;

    /// Somebody who waits for a buffer.
    struct Waiter<'a> {
        count: Arc<Woken>,
        available: Pin<Box<Available<'a>>>,
    }

    impl<'a> Waiter<'a> {
        fn of(pool: &'a Pool) -> Self {
            Self {
                count: Arc::default(),
                available: Box::pin(pool.available()),
            }
        }

        fn is_ready(&mut self) -> bool {
            let waker = Waker::from(self.count.clone());
            let mut cx = Context::from_waker(&waker);
            self.available.as_mut().poll(&mut cx).is_ready()
        }

        fn woken(&self) -> usize {
            self.count.count()
        }
    }

    fn pool(count: usize) -> Arc<Pool> {
        Arc::new(Pool {
            size: 8,
            count,
            lent: Mutex::new(Lent::default()),
            group: None,
        })
    }

    /// A pool of one buffer, which is lent, and three who wait for it.
    fn waiting(pool: &Arc<Pool>) -> (Lease, [Waiter<'_>; 3]) {
        let lease = pool.take().unwrap();
        assert!(pool.take().is_none());
        let mut waiters = [(); 3].map(|()| Waiter::of(pool));
        for waiter in &mut waiters {
            assert!(!waiter.is_ready());
        }
        (lease, waiters)
    }

    #[test]
    fn a_buffer_that_comes_back_is_lent_again() {
        let pool = pool(2);
        let place = pool.take().unwrap().as_ptr();
        let again = pool.take().unwrap();
        assert_eq!(again.as_ptr(), place, "no other buffer was made");
        assert_eq!((again.len(), pool.lent()), (8, 1));
    }

    #[test]
    fn one_is_woken_for_a_buffer_in_the_order_in_which_they_came() {
        let pool = pool(1);
        let (lease, mut waiters) = waiting(&pool);
        drop(lease);
        assert_eq!(waiters.each_ref().map(Waiter::woken), [1, 0, 0]);
        // Somebody else was faster. The first stays the first.
        let lease = pool.take().unwrap();
        assert!(!waiters[0].is_ready());
        drop(lease);
        assert_eq!(waiters.each_ref().map(Waiter::woken), [2, 0, 0]);
    }

    #[test]
    fn who_finds_a_free_buffer_wakes_the_next() {
        let pool = pool(1);
        let (lease, mut waiters) = waiting(&pool);
        drop(lease);
        assert!(waiters[0].is_ready());
        assert_eq!(waiters.each_ref().map(Waiter::woken), [1, 1, 0]);
        // The first took it: the second waits on and nobody else is disturbed.
        let _lease = pool.take().unwrap();
        assert!(!waiters[1].is_ready());
        assert_eq!(waiters.each_ref().map(Waiter::woken), [1, 1, 0]);
    }

    #[test]
    fn who_was_woken_and_goes_away_passes_that_on() {
        let pool = pool(1);
        let (lease, waiters) = waiting(&pool);
        drop(lease);
        let [first, second, third] = waiters;
        drop(first);
        assert_eq!((second.woken(), third.woken()), (1, 0));
        // One who was not woken has nothing to pass on.
        drop(third);
        assert_eq!(second.woken(), 1);
        assert_eq!(pool.lent.lock().waiters.len(), 0, "the second was woken");
    }

    #[test]
    fn another_waker_takes_the_place_of_the_first() {
        let pool = pool(1);
        let (lease, mut waiters) = waiting(&pool);
        let before = std::mem::take(&mut waiters[0].count);
        assert!(!waiters[0].is_ready());
        drop(lease);
        assert_eq!(before.count(), 0);
        assert_eq!(waiters.each_ref().map(Waiter::woken), [1, 0, 0]);
    }
}
