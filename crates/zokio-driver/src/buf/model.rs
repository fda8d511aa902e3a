//! Every schedule of buffers that are lent and given back, and of those who wait for one.
//!
//! The kernel is a thread (`model_group.rs`): it takes an entry, writes a byte to the buffer, and the
//! completion makes a lease of it. Loom checks that nobody writes to a buffer or an entry while
//! another reads it. Checked beside that: bytes stay as they are while a lease has them, every buffer
//! comes back, and nobody waits while a buffer is free (invariants 1, 3 and 4 of the pool).

use super::group::Group;
use super::{Available, Lease, Lent, Pool};
use crate::testing::Woken;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use zokio_base::sync::{Mutex, model, thread};

fn pool(count: usize, group: Option<Group>) -> Arc<Pool> {
    Arc::new(Pool {
        size: 1,
        count,
        lent: Mutex::new(Lent::default()),
        group,
    })
}

/// A pool of the kernel's buffers.
fn with_kernel(count: usize) -> Arc<Pool> {
    pool(count, Some(Group::of(count)))
}

/// A byte comes, and its completion is seen. None if there was no buffer for it.
fn receive(pool: &Arc<Pool>, byte: u8) -> Option<Lease> {
    let buffer = pool.group().receive(byte)?;
    Some(pool.lend(buffer, 1))
}

fn poll(available: &mut Pin<Box<Available<'_>>>, by: &Arc<Woken>) -> Poll<()> {
    let waker = Waker::from(by.clone());
    available.as_mut().poll(&mut Context::from_waker(&waker))
}

/// All buffers are the kernel's again, each of them once.
fn all_are_back(pool: &Arc<Pool>) {
    assert_eq!(pool.lent(), 0);
    let leases: Vec<_> = (0..pool.count()).map(|n| receive(pool, n as u8)).collect();
    for (n, lease) in leases.iter().enumerate() {
        let lease = lease.as_ref().expect("a buffer for each byte");
        assert_eq!(lease[..], [n as u8], "each of them another");
    }
    assert!(receive(pool, 9).is_none());
}

#[test]
fn a_buffer_is_read_and_given_back_while_bytes_come() {
    model(|| {
        let pool = with_kernel(1);
        let lease = receive(&pool, 1).unwrap();
        let side = pool.clone();
        let kernel = thread::spawn(move || {
            let lease = receive(&side, 2);
            lease.map(|lease| lease[0])
        });
        assert_eq!(lease[..], [1]);
        drop(lease);
        assert!(matches!(kernel.join().unwrap(), None | Some(2)));
        all_are_back(&pool);
    });
}

#[test]
fn two_give_back_at_once_while_bytes_come() {
    model(|| {
        let pool = with_kernel(2);
        let first = receive(&pool, 1).unwrap();
        let mut second = receive(&pool, 2).unwrap();
        let other = thread::spawn(move || drop(first));
        let side = pool.clone();
        let kernel = thread::spawn(move || receive(&side, 3));
        second[0] += 5;
        assert_eq!(second[..], [7]);
        drop(second);
        other.join().unwrap();
        if let Some(third) = kernel.join().unwrap() {
            assert_eq!((third[0], pool.lent()), (3, 1));
        }
        all_are_back(&pool);
    });
}

/// The array has two places and is gone round.
#[test]
fn entries_are_written_over_when_the_kernel_has_them() {
    model(|| {
        let pool = with_kernel(2);
        let side = pool.clone();
        let kernel = thread::spawn(move || {
            let mut came = 0;
            for byte in 0..3 {
                if let Some(lease) = receive(&side, byte) {
                    assert_eq!(lease[..], [byte]);
                    came += 1;
                }
            }
            came
        });
        drop(receive(&pool, 9));
        assert!(
            kernel.join().unwrap() >= 2,
            "one buffer was free at any time"
        );
        all_are_back(&pool);
    });
}

#[test]
fn who_waits_is_woken_by_the_last_lease() {
    model(|| {
        let pool = with_kernel(1);
        let lease = receive(&pool, 1).unwrap();
        let giver = thread::spawn(move || drop(lease));
        let woken = Arc::new(Woken::default());
        let mut available = Box::pin(pool.available());
        let is_waiting = poll(&mut available, &woken).is_pending();
        // The kernel has it when whoever waited is told.
        if woken.count() > 0 || !is_waiting {
            assert!(receive(&pool, 2).is_some());
        }
        giver.join().unwrap();
        assert_eq!(woken.count(), usize::from(is_waiting));
        assert!(!is_waiting || poll(&mut available, &woken).is_ready());
    });
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    model(|| {
        let pool = pool(1, None);
        let lease = pool.take().unwrap();
        let giver = thread::spawn(move || drop(lease));
        let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut available = Box::pin(pool.available());
        let is_waiting =
            poll(&mut available, &first).is_pending() && poll(&mut available, &second).is_pending();
        giver.join().unwrap();
        if is_waiting {
            assert_eq!((first.count(), second.count()), (0, 1));
        }
    });
}

#[test]
fn of_two_who_wait_one_gives_up() {
    model(|| {
        let pool = pool(1, None);
        let lease = pool.take().unwrap();
        let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut gives_up = Box::pin(pool.available());
        let mut waits = Box::pin(pool.available());
        assert!(poll(&mut gives_up, &first).is_pending());
        assert!(poll(&mut waits, &second).is_pending());
        let giver = thread::spawn(move || drop(lease));
        drop(gives_up);
        giver.join().unwrap();
        assert_eq!(second.count(), 1, "woken, or told by the one who was");
        assert!(poll(&mut waits, &second).is_ready());
    });
}

/// One who was woken finds it taken, and is woken again.
#[test]
fn somebody_else_takes_it_first() {
    model(|| {
        let pool = pool(1, None);
        let lease = pool.take().unwrap();
        let side = pool.clone();
        let other = thread::spawn(move || {
            drop(lease);
            side.take().is_some()
        });
        let woken = Arc::new(Woken::default());
        let mut available = Box::pin(pool.available());
        let mut is_waiting = poll(&mut available, &woken).is_pending();
        if is_waiting && woken.count() == 1 {
            is_waiting = poll(&mut available, &woken).is_pending();
            assert!(!is_waiting || woken.count() >= 1);
        }
        assert!(other.join().unwrap(), "nobody else takes one");
        if is_waiting {
            assert!(woken.count() >= 1);
            assert!(poll(&mut available, &woken).is_ready());
        }
    });
}

/// Two buffers come back at once: both who wait get to know.
#[test]
fn two_wait_and_two_give_back() {
    model(|| {
        let pool = pool(2, None);
        let leases = [pool.take().unwrap(), pool.take().unwrap()];
        let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut one = Box::pin(pool.available());
        let mut two = Box::pin(pool.available());
        assert!(poll(&mut one, &first).is_pending());
        assert!(poll(&mut two, &second).is_pending());
        let givers = leases.map(|lease| thread::spawn(move || drop(lease)));
        for giver in givers {
            giver.join().unwrap();
        }
        assert_eq!((first.count(), second.count()), (1, 1));
        assert!(poll(&mut one, &first).is_ready() && poll(&mut two, &second).is_ready());
        assert_eq!(pool.lent(), 0);
    });
}

/// A waiter that finds a buffer free and has no use for it does not keep the next waiting.
#[test]
fn one_finds_it_free_and_leaves_it() {
    model(|| {
        let pool = pool(1, None);
        let lease = pool.take().unwrap();
        let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut leaves = Box::pin(pool.available());
        let mut waits = Box::pin(pool.available());
        assert!(poll(&mut leaves, &first).is_pending());
        assert!(poll(&mut waits, &second).is_pending());
        let giver = thread::spawn(move || drop(lease));
        let has_left = poll(&mut leaves, &first).is_ready();
        giver.join().unwrap();
        assert!(has_left || poll(&mut leaves, &first).is_ready());
        assert_eq!(second.count(), 1);
        assert!(poll(&mut waits, &second).is_ready());
    });
}
