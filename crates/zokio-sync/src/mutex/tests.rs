//! Locking, guards and their parts, by hand.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::testing::spawn;
use zokio_base::sync::thread;

#[test]
fn the_lock_goes_in_the_order_of_asking() {
    let lock = Mutex::new(1);
    let first = lock.try_lock().unwrap();
    let mut second = spawn(lock.lock());
    let mut third = spawn(lock.lock());
    second.pending();
    third.pending();
    drop(first);
    assert!(second.is_woken() && !third.is_woken());
    assert!(lock.try_lock().is_err());
    // Chosen and dropped: the next is chosen.
    drop(second);
    assert!(third.is_woken());
    *third.ready() = 2;
    drop(third);
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn a_task_without_budget_keeps_its_place() {
    use zokio_task::coop::{self, Budget};

    let without_budget = |future: &mut crate::testing::Spawn<_>| {
        coop::budget(|| {
            while coop::has_budget_remaining() {
                spawn(coop::consume_budget()).ready();
            }
            assert_ne!(zokio_task::context::budget(), Budget::unlimited());
            future.pending();
        });
    };
    let lock = Mutex::new(1);
    // The lock is free: it is taken, reported later, and given back if nobody asks.
    let mut first = spawn(lock.lock());
    without_budget(&mut first);
    assert!(first.is_woken());
    assert!(lock.try_lock().is_err());
    drop(first);
    let guard = lock.try_lock().unwrap();
    // The lock is held: the place in the queue is the first.
    let mut first = spawn(lock.lock());
    without_budget(&mut first);
    let mut second = spawn(lock.lock());
    second.pending();
    drop(guard);
    assert!(first.is_woken() && !second.is_woken());
    without_budget(&mut first);
    drop(first.ready());
    assert!(second.is_woken());
}

#[test]
fn a_panic_releases_the_lock() {
    let lock = Arc::new(Mutex::new(1));
    let other = lock.clone();
    let thread = thread::spawn(move || {
        let _guard = other.blocking_lock();
        panic!("a holder that panics");
    });
    assert!(thread.join().is_err());
    assert_eq!(*lock.try_lock().unwrap(), 1);
}

#[test]
fn parts_keep_the_lock_and_release_it_once() {
    let lock = Arc::new(Mutex::new((1, vec![2, 3])));
    let part = MutexGuard::map(lock.try_lock().unwrap(), |value| &mut value.1);
    assert!(lock.try_lock().is_err());
    let Err(part) = MappedMutexGuard::try_map(part, |list| list.get_mut(9)) else {
        panic!("there is no ninth");
    };
    let mut item = MappedMutexGuard::map(part, |list| &mut list[0]);
    *item = 7;
    assert_eq!(format!("{item:?} {item}"), "7 7");
    drop(item);

    let part = OwnedMutexGuard::map(lock.clone().try_lock_owned().unwrap(), |value| &mut value.1);
    assert_eq!(Arc::strong_count(&lock), 2);
    let item = OwnedMappedMutexGuard::try_map(part, |list| list.first_mut()).unwrap();
    assert_eq!(*item, 7);
    drop(item);
    assert_eq!(Arc::strong_count(&lock), 1);
    assert!(lock.try_lock().is_ok());
    assert_eq!(lock.semaphore.available(), 1);
}

#[test]
fn a_panic_in_a_map_releases_the_lock() {
    let lock = Mutex::new(1);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let guard = lock.try_lock().unwrap();
        drop(MutexGuard::map(guard, |_| -> &mut u8 { panic!("no part") }));
    }));
    assert!(result.is_err());
    assert!(lock.try_lock().is_ok());
}

#[test]
fn debug_shows_the_value_or_that_it_is_locked() {
    let lock = Mutex::new("text");
    assert_eq!(format!("{lock:?}"), "Mutex { data: \"text\" }");
    let guard = lock.try_lock().unwrap();
    assert_eq!(format!("{lock:?}"), "Mutex { data: <locked> }");
    assert_eq!(format!("{guard:?}"), "\"text\"");
    assert_eq!(
        lock.try_lock().unwrap_err().to_string(),
        "operation would block"
    );
}

#[test]
fn unsized_values_can_be_locked() {
    let lock: Arc<Mutex<[u8]>> = Arc::new(Mutex::new([1, 2, 3]));
    lock.try_lock().unwrap()[1] = 9;
    assert_eq!(lock.clone().try_lock_owned().unwrap()[..], [1, 9, 3]);
    let first = MutexGuard::map(lock.try_lock().unwrap(), |all| &mut all[..1]);
    assert_eq!(first.len(), 1);
}

#[test]
fn stress_no_update_is_lost() {
    let lock = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let lock = lock.clone();
            thread::spawn(move || {
                for round in 0..10_000 {
                    if round % 8 == 0 {
                        // A wait that is cancelled.
                        let _ = spawn(lock.lock()).poll();
                    }
                    *lock.blocking_lock() += 1;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*lock.try_lock().unwrap(), 30_000);
}
