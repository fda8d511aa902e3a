//! Readers, writers, their order, guards and their parts, by hand.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::testing::spawn;
use zokio_base::sync::thread;

#[test]
fn readers_share_and_writers_exclude() {
    let lock = RwLock::new(1);
    let (first, second) = (lock.try_read().unwrap(), lock.try_read().unwrap());
    assert!(lock.try_write().is_err());
    drop(first);
    assert!(lock.try_write().is_err());
    drop(second);
    let writer = lock.try_write().unwrap();
    assert!(lock.try_read().is_err() && lock.try_write().is_err());
    drop(writer);
    assert_eq!(lock.semaphore.available(), MAX_READERS as usize);
}

#[test]
fn a_writer_that_waits_keeps_later_readers_behind_it() {
    let lock = RwLock::new(1);
    let reader = lock.try_read().unwrap();
    let mut writer = spawn(lock.write());
    writer.pending();
    let mut late = spawn(lock.read());
    late.pending();
    assert!(lock.try_read().is_err());
    drop(reader);
    assert!(writer.is_woken() && !late.is_woken());
    let guard = writer.ready();
    late.pending();
    drop(guard);
    assert!(late.is_woken());
    assert_eq!(*late.ready(), 1);
}

#[test]
fn a_writer_that_gives_up_lets_the_readers_behind_it_go() {
    let lock = RwLock::new(1);
    let _reader = lock.try_read().unwrap();
    let mut writer = spawn(lock.write());
    writer.pending();
    let mut late = spawn(lock.read());
    late.pending();
    drop(writer);
    assert!(late.is_woken());
    assert_eq!(*late.ready(), 1);
}

#[test]
fn downgrading_lets_readers_in_but_no_writer_between() {
    let lock = RwLock::new(1);
    let mut writer = lock.try_write().unwrap();
    let mut reader = spawn(lock.read());
    let mut second = spawn(lock.write());
    reader.pending();
    second.pending();
    *writer = 2;
    let own = writer.downgrade();
    assert!(reader.is_woken() && !second.is_woken());
    assert_eq!(*reader.ready() + *own, 4);
    drop(reader);
    second.pending();
    drop(own);
    assert!(second.is_woken());
    assert_eq!(*second.ready(), 2);
}

#[test]
fn there_are_at_most_so_many_readers() {
    let lock = RwLock::with_max_readers(1, 2);
    let _first = lock.try_read().unwrap();
    let second = lock.try_read().unwrap();
    assert!(lock.try_read().is_err());
    drop(second);
    assert!(lock.try_read().is_ok());
}

#[test]
#[should_panic(expected = "a RwLock may not be created with 0 readers")]
fn no_readers_are_refused() {
    RwLock::with_max_readers((), 0);
}

#[test]
#[should_panic(expected = "a RwLock may not be created with more than")]
fn too_many_readers_are_refused() {
    RwLock::with_max_readers((), u32::MAX);
}

#[test]
fn parts_keep_the_lock_and_release_it_once() {
    let all = MAX_READERS as usize;
    let lock = RwLock::new((1, vec![2, 3]));
    let part = RwLockWriteGuard::map(lock.try_write().unwrap(), |value| &mut value.1);
    let Err(part) = RwLockMappedWriteGuard::try_map(part, |list| list.get_mut(9)) else {
        panic!("there is no ninth");
    };
    *RwLockMappedWriteGuard::map(part, |list| &mut list[0]) = 7;
    assert_eq!(lock.semaphore.available(), all);

    let guard = lock.try_write().unwrap();
    let Err(guard) = RwLockWriteGuard::try_downgrade_map(guard, |value| value.1.get(9)) else {
        panic!("there is no ninth");
    };
    assert_eq!(lock.semaphore.available(), 0);
    let part = RwLockWriteGuard::downgrade_map(guard, |value| &value.1);
    assert_eq!(lock.semaphore.available(), all - 1);
    let part = RwLockReadGuard::try_map(part, |list| list.first()).unwrap();
    assert_eq!(format!("{part:?} {part}"), "7 7");
    drop(part);
    let guard = RwLockWriteGuard::try_map(lock.try_write().unwrap(), |value| value.1.get_mut(9));
    drop(RwLockWriteGuard::into_mapped(guard.unwrap_err()));
    assert_eq!(lock.semaphore.available(), all);
}

#[test]
fn owned_parts_keep_the_lock_and_release_it_once() {
    let all = MAX_READERS as usize;
    let lock = Arc::new(RwLock::new((1, vec![2, 3])));
    let write = || lock.clone().try_write_owned().unwrap();
    let part = OwnedRwLockWriteGuard::map(write(), |value| &mut value.1);
    assert!(Arc::ptr_eq(
        OwnedRwLockMappedWriteGuard::rwlock(&part),
        &lock
    ));
    *OwnedRwLockMappedWriteGuard::map(part, |list| &mut list[0]) = 7;
    let part = OwnedRwLockWriteGuard::try_map(write(), |value| value.1.get_mut(0)).unwrap();
    drop(OwnedRwLockMappedWriteGuard::try_map(part, |item| Some(item)).unwrap());
    drop(OwnedRwLockWriteGuard::into_mapped(write()));
    let part = OwnedRwLockWriteGuard::downgrade_map(write(), |value| &value.1);
    let part = OwnedRwLockReadGuard::map(part, |list| &list[0]);
    let part = OwnedRwLockReadGuard::try_map(part, |item| (*item == 8).then_some(item));
    assert_eq!(lock.semaphore.available(), all - 1);
    drop(part);
    drop(OwnedRwLockWriteGuard::try_downgrade_map(write(), |value| value.1.first()).unwrap());
    drop(write().downgrade());
    assert_eq!(lock.semaphore.available(), all);
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn debug_shows_the_value_or_that_it_is_locked() {
    let lock = RwLock::new("text");
    assert_eq!(format!("{lock:?}"), "RwLock { data: \"text\" }");
    let _guard = lock.try_write().unwrap();
    assert_eq!(format!("{lock:?}"), "RwLock { data: <locked> }");
}

#[test]
fn stress_readers_see_whole_values() {
    let lock = Arc::new(RwLock::new((0, 0)));
    let threads: Vec<_> = (0..4)
        .map(|id| {
            let lock = lock.clone();
            thread::spawn(move || {
                for _ in 0..5_000 {
                    if id < 2 {
                        let mut value = lock.blocking_write();
                        value.0 += 1;
                        value.1 += 1;
                    } else {
                        let value = lock.blocking_read();
                        assert_eq!(value.0, value.1);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*lock.try_read().unwrap(), (10_000, 10_000));
}
