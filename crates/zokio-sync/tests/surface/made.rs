//! A primitive is the same whichever of its constructors made it: in a static, at run time, from a
//! value, by default.

use zokio_sync::{
    Condvar, Mutex, MutexGuard, Notify, OnceCell, RwLock, Semaphore, SetOnce, mpsc, watch,
};
use zokio_task::block_on::block_on;

#[test]
fn mutexes() {
    static IN_A_STATIC: Mutex<u8> = Mutex::const_new(7);
    let excludes = |lock: &Mutex<u8>, value| {
        let guard = lock.try_lock().unwrap();
        assert_eq!(*guard, value);
        assert!(MutexGuard::mutex(&guard).try_lock().is_err());
    };
    excludes(&IN_A_STATIC, 7);
    excludes(&Mutex::const_new(7), 7);
    excludes(&Mutex::from(7), 7);
    excludes(&Mutex::default(), 0);
}

#[test]
fn locks_for_readers_and_writers() {
    static IN_A_STATIC: RwLock<u8> = RwLock::const_new(7);
    let shares_and_excludes = |lock: &RwLock<u8>, value| {
        let readers = [lock.try_read().unwrap(), lock.try_read().unwrap()];
        assert!(readers.iter().all(|reader| **reader == value));
        assert!(lock.try_write().is_err());
        drop(readers);
        *lock.try_write().unwrap() = value;
    };
    shares_and_excludes(&IN_A_STATIC, 7);
    shares_and_excludes(&RwLock::const_new(7), 7);
    shares_and_excludes(&RwLock::from(7), 7);
    shares_and_excludes(&RwLock::default(), 0);
}

#[test]
fn locks_for_so_many_readers() {
    static IN_A_STATIC: RwLock<u8> = RwLock::const_with_max_readers(7, 1);
    for lock in [&IN_A_STATIC, &RwLock::const_with_max_readers(7, 1)] {
        let reader = lock.try_read().unwrap();
        assert!(lock.try_read().is_err(), "one reader is all");
        drop(reader);
        assert!(lock.try_read().is_ok());
    }
}

#[test]
#[should_panic(expected = "a RwLock may not be created with 0 readers")]
fn a_lock_for_no_readers_is_refused_when_it_is_made_at_run_time() {
    let _ = RwLock::const_with_max_readers((), 0);
}

#[test]
#[should_panic(expected = "a RwLock may not be created with that many readers")]
fn a_lock_for_too_many_readers_is_refused_when_it_is_made_at_run_time() {
    let _ = RwLock::const_with_max_readers((), u32::MAX);
}

#[test]
fn semaphores() {
    static IN_A_STATIC: Semaphore = Semaphore::const_new(2);
    for semaphore in [&IN_A_STATIC, &Semaphore::const_new(2)] {
        let both = semaphore.try_acquire_many(2).unwrap();
        assert!(semaphore.try_acquire().is_err());
        drop(both);
        assert_eq!(semaphore.available_permits(), 2);
    }
}

#[test]
#[should_panic(expected = "a semaphore may not have more than MAX_PERMITS permits")]
fn a_semaphore_of_too_many_permits_is_refused_when_it_is_made_at_run_time() {
    let _ = Semaphore::const_new(Semaphore::MAX_PERMITS + 1);
}

#[test]
fn notifications() {
    static IN_A_STATIC: Notify = Notify::const_new();
    for notify in [&IN_A_STATIC, &Notify::const_new(), &Notify::default()] {
        notify.notify_one();
        block_on(notify.notified());
    }
}

#[test]
fn conditions() {
    static IN_A_STATIC: Condvar = Condvar::const_new();
    for changed in [&IN_A_STATIC, &Condvar::const_new(), &Condvar::default()] {
        let lock = Mutex::new(false);
        block_on(async {
            let mut waits = std::pin::pin!(changed.wait_while(lock.lock().await, |is| !*is));
            std::future::poll_fn(|cx| {
                assert!(waits.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            *lock.lock().await = true;
            changed.notify_one();
            assert!(*waits.await);
        });
    }
}

#[test]
fn cells() {
    static EMPTY: OnceCell<u8> = OnceCell::const_new();
    static FULL: OnceCell<u8> = OnceCell::const_new_with(7);
    for cell in [&EMPTY, &OnceCell::const_new(), &OnceCell::new_with(None)] {
        assert!(!cell.initialized() && cell.get().is_none());
        assert_eq!(block_on(cell.get_or_init(|| async { 7 })), &7);
    }
    for cell in [&FULL, &OnceCell::const_new_with(7)] {
        assert!(cell.initialized());
        assert_eq!(cell.get(), Some(&7));
        assert!(cell.set(8).unwrap_err().is_already_init_err());
    }
    assert_eq!(OnceCell::<u8>::default().take(), None);
}

#[test]
fn cells_that_are_set_once() {
    static EMPTY: SetOnce<u8> = SetOnce::const_new();
    static FULL: SetOnce<u8> = SetOnce::const_new_with(7);
    for cell in [&EMPTY, &SetOnce::const_new()] {
        assert!(!cell.initialized() && cell.get().is_none());
        cell.set(7).unwrap();
        assert_eq!(block_on(cell.wait()), &7);
    }
    for cell in [&FULL, &SetOnce::const_new_with(7)] {
        assert_eq!(block_on(cell.wait()), &7);
        assert_eq!(cell.set(8).unwrap_err().0, 8);
    }
}

#[test]
fn a_channel_of_one_value_begins_with_the_default() {
    let sender = watch::Sender::<u8>::default();
    assert_eq!(*sender.borrow(), 0);
    let mut receiver = sender.subscribe();
    sender.send(7).unwrap();
    assert_eq!(*receiver.borrow_and_update(), 7);
}

#[test]
fn a_send_that_failed_is_a_try_that_failed() {
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let error = mpsc::error::TrySendError::from(block_on(sender.send(7)).unwrap_err());
    assert_eq!(error, mpsc::error::TrySendError::Closed(7));
}
