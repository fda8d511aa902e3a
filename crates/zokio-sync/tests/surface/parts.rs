//! A guard of a part holds the whole lock, also if it was asked for and there was such a part.

use std::sync::Arc;
use zokio_sync::{
    MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard,
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockMappedWriteGuard, RwLockWriteGuard,
};

/// Takes the guard of the part that there is.
#[track_caller]
fn some<P, G>(result: Result<P, G>) -> P {
    match result {
        Ok(part) => part,
        Err(_) => panic!("there is such a part"),
    }
}

/// Takes the guard back, as there is no such part.
#[track_caller]
fn none<P, G>(result: Result<P, G>) -> G {
    match result {
        Ok(_) => panic!("there is no such part"),
        Err(guard) => guard,
    }
}

#[test]
fn of_a_mutex() {
    let lock = Mutex::new(vec![1, 2]);
    let guard = lock.try_lock().unwrap();
    let guard = none(MutexGuard::try_map(guard, |list| list.get_mut(5)));
    let mut part = some(MutexGuard::try_map(guard, |list| list.get_mut(1)));
    *part = 7;
    assert!(lock.try_lock().is_err());
    let part = none(MappedMutexGuard::try_map(part, |item| {
        (*item == 8).then_some(item)
    }));
    let part = some(MappedMutexGuard::try_map(part, |item| {
        (*item == 7).then_some(item)
    }));
    assert!(lock.try_lock().is_err());
    drop(part);
    assert_eq!(*lock.try_lock().unwrap(), [1, 7]);
}

#[test]
fn of_a_mutex_that_is_shared() {
    let lock = Arc::new(Mutex::new(vec![1, 2]));
    let guard = lock.clone().try_lock_owned().unwrap();
    let guard = none(OwnedMutexGuard::try_map(guard, |list| list.get_mut(5)));
    let mut part = some(OwnedMutexGuard::try_map(guard, |list| list.get_mut(1)));
    *part = 7;
    assert!(lock.try_lock().is_err());
    let part = none(OwnedMappedMutexGuard::try_map(part, |item| {
        (*item == 8).then_some(item)
    }));
    let part = some(OwnedMappedMutexGuard::try_map(part, |item| {
        (*item == 7).then_some(item)
    }));
    assert!(lock.try_lock().is_err());
    drop(part);
    assert_eq!(*lock.try_lock().unwrap(), [1, 7]);
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn of_a_lock_that_is_written() {
    let lock = RwLock::new(vec![1, 2]);
    let guard = lock.try_write().unwrap();
    let guard = none(RwLockWriteGuard::try_map(guard, |list| list.get_mut(5)));
    let mut part = some(RwLockWriteGuard::try_map(guard, |list| list.get_mut(1)));
    *part = 7;
    assert!(lock.try_read().is_err());
    let part = some(RwLockMappedWriteGuard::try_map(part, |item| {
        (*item == 7).then_some(item)
    }));
    assert!(lock.try_read().is_err());
    drop(part);
    assert_eq!(*lock.try_write().unwrap(), [1, 7]);
}

#[test]
fn of_a_shared_lock_that_is_read() {
    let lock = Arc::new(RwLock::new(vec![1, 2]));
    let guard = lock.clone().try_read_owned().unwrap();
    let guard = none(OwnedRwLockReadGuard::try_map(guard, |list| list.get(5)));
    let part = some(OwnedRwLockReadGuard::try_map(guard, |list| list.get(1)));
    assert_eq!(*part, 2);
    assert!(lock.try_write().is_err() && lock.try_read().is_ok());
    drop(part);
    assert!(lock.try_write().is_ok());
}

#[test]
fn of_a_shared_lock_that_is_no_more_written() {
    let lock = Arc::new(RwLock::new(vec![1, 2]));
    let guard = lock.clone().try_write_owned().unwrap();
    let guard = none(OwnedRwLockWriteGuard::try_downgrade_map(guard, |list| {
        list.get(5)
    }));
    assert!(lock.try_read().is_err(), "it is still written");
    let part = some(OwnedRwLockWriteGuard::try_downgrade_map(guard, |list| {
        list.get(1)
    }));
    assert_eq!(*part, 2);
    assert!(lock.try_write().is_err() && lock.try_read().is_ok());
}
