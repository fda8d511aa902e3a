//! Buffers that the kernel chooses from when bytes come (provided buffers), so that a connection that
//! is silent has none.
//!
//! A [`Pool`] has a number of buffers. With a ring they are one allocation, registered with one
//! worker's ring as a group; without one they come from the heap. A [`Lease`] is a buffer with bytes,
//! in the hands of somebody; dropped, it goes back. No more leases exist than the pool has buffers:
//! who wants another waits in [`Pool::poll_available`].
//!
//! Invariants:
//!
//! 1. A buffer of a group is the kernel's, or one lease's, and nobody else's: a lease is made of the one
//!    completion that names the buffer, and gives it back once, when it is dropped.
//! 2. Leases and operations hold the pool, and an operation is held by its slot until its last
//!    completion. So when a pool is dropped the kernel uses none of its memory; should it refuse to
//!    let go of the group, the memory is leaked.
//! 3. `lent` counts the leases. Whoever has found it at the limit left a waker, under the same lock, and
//!    is woken by the next lease that is dropped.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))] // One half of this is for rings.

use crate::driver::DriverHandle;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Poll, Waker};
use zokio_base::sync::Mutex;

#[cfg(not(zokio_ring))]
#[path = "no_group.rs"]
mod group;
#[cfg(zokio_ring)]
#[path = "group.rs"]
mod group;

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

/// Who has buffers, and who wants one (invariant 3).
struct Lent {
    count: usize,
    waiters: Vec<Waker>,
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
            lent: Mutex::new(Lent {
                count: 0,
                waiters: Vec::new(),
            }),
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

    /// Waits until a buffer is not lent. It may be again by the time it is asked for.
    pub fn poll_available(&self, waker: &Waker) -> Poll<()> {
        let mut lent = self.lent.lock();
        if lent.count < self.count {
            return Poll::Ready(());
        }
        if !lent.waiters.iter().any(|held| held.will_wake(waker)) {
            lent.waiters.push(waker.clone());
        }
        Poll::Pending
    }

    /// A buffer that does not come from the kernel, full of zeroes. None if all are lent.
    pub fn take(self: &Arc<Self>) -> Option<Lease> {
        let mut lent = self.lent.lock();
        if lent.count >= self.count {
            return None;
        }
        lent.count += 1;
        drop(lent);
        Some(Lease {
            len: self.size,
            place: Place::Heap(vec![0; self.size].into()),
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
    fn take_back(&self, buffer: Option<u16>) {
        if let Some(buffer) = buffer {
            self.group().provide(buffer);
        }
        let mut lent = self.lent.lock();
        lent.count -= 1;
        let waiters = std::mem::take(&mut lent.waiters);
        drop(lent);
        for waiter in waiters {
            waiter.wake();
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
        self.pool.take_back(match self.place {
            Place::Group(buffer) => Some(buffer),
            Place::Heap(_) => None,
        });
    }
}
