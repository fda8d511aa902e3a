//! The `Debug` output of the types shows no value that is not there for the asking, and always enough to
//! tell their state; and their errors have messages.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::task::{Context, Waker};
use zokio_sync::{
    Barrier, Condvar, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce, broadcast, mpsc,
    oneshot, watch,
};
use zokio_task::block_on::block_on;

/// Shown plainly and in lines, it begins with `name`.
#[track_caller]
fn shows(value: &impl Debug, name: &str) -> String {
    let shown = format!("{value:?}");
    assert!(shown.starts_with(name), "{shown}");
    assert!(format!("{value:#?}").starts_with(name));
    shown
}

/// Says something, and shows something.
#[track_caller]
fn says(error: &impl Error, word: &str) {
    let said = error.to_string();
    assert!(said.contains(word), "{said}");
    assert!(!format!("{error:?}").is_empty());
}

#[test]
fn locks() {
    let mutex = Mutex::new(7);
    assert!(shows(&mutex, "Mutex").contains('7'));
    let guard = mutex.try_lock().unwrap();
    assert_eq!(format!("{guard:?} {guard}"), "7 7");
    assert!(shows(&mutex, "Mutex").contains("locked"));
    says(&mutex.try_lock().unwrap_err(), "lock");
    drop(guard);
    let lock = RwLock::new("x");
    assert!(shows(&lock, "RwLock").contains('x'));
    let writer = lock.try_write().unwrap();
    assert_eq!(format!("{writer:?} {writer}"), "\"x\" x");
    assert!(shows(&lock, "RwLock").contains("locked"));
    drop(writer);
    let reader = lock.try_read().unwrap();
    assert_eq!(format!("{reader:?} {reader}"), "\"x\" x");
}

#[test]
fn permits_and_calls() {
    let semaphore = Arc::new(Semaphore::new(1));
    shows(&semaphore, "Semaphore");
    let permit = semaphore.try_acquire().unwrap();
    shows(&permit, "SemaphorePermit");
    says(&semaphore.try_acquire().unwrap_err(), "permits");
    drop(permit);
    let owned = semaphore.clone().try_acquire_owned().unwrap();
    shows(&owned, "OwnedSemaphorePermit");
    semaphore.close();
    says(&semaphore.try_acquire().unwrap_err(), "closed");
    says(&block_on(semaphore.acquire()).unwrap_err(), "closed");
    let notify = Arc::new(Notify::new());
    assert!(shows(&notify, "Notify").contains("empty"));
    notify.notify_one();
    assert!(shows(&notify, "Notify").contains("notified"));
    block_on(notify.notified());
    let mut waits = Box::pin(notify.notified());
    let polled = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    assert!(shows(&notify, "Notify").contains("waited for"));
    drop(waits);
    shows(&notify.notified(), "Notified");
    shows(&notify.clone().notified_owned(), "OwnedNotified");
    let barrier = Barrier::new(1);
    shows(&barrier, "Barrier");
    shows(&block_on(barrier.wait()), "BarrierWaitResult");
    shows(&Condvar::new(), "Condvar");
}

#[test]
fn cells() {
    let cell = OnceCell::new();
    shows(&cell, "OnceCell");
    cell.set(7).unwrap();
    assert!(shows(&cell, "OnceCell").contains('7'));
    let error = cell.set(8).unwrap_err();
    assert!(error.is_already_init_err() && !error.is_initializing_err());
    says(&error, "Initialized");
    let once = SetOnce::new();
    shows(&once, "SetOnce");
    once.set(7).unwrap();
    assert!(shows(&once, "SetOnce").contains('7'));
    assert!(once.set(8).unwrap_err().to_string().contains("SetOnce"));
}

#[test]
fn bounded_channels() {
    let (sender, mut receiver) = mpsc::channel(1);
    shows(&sender, "Sender");
    shows(&receiver, "Receiver");
    let weak = sender.downgrade();
    shows(&weak, "WeakSender");
    assert_eq!((weak.strong_count(), weak.weak_count()), (1, 1));
    assert_eq!((sender.strong_count(), sender.weak_count()), (1, 1));
    assert!(sender.same_channel(&weak.clone().upgrade().unwrap()));
    shows(&sender.try_reserve().unwrap(), "Permit");
    shows(&sender.try_reserve_many(1).unwrap(), "PermitIterator");
    let permit = sender.clone().try_reserve_owned().unwrap();
    shows(&permit, "OwnedPermit");
    assert!(permit.same_channel_as_sender(&sender));
    says(&receiver.try_recv().unwrap_err(), "empty");
    assert!(receiver.is_empty() && receiver.capacity() == 0 && receiver.max_capacity() == 1);
    let full = sender.try_send(1).unwrap_err();
    says(&full, "capacity");
    assert_eq!(full.into_inner(), 1);
    drop(permit);
    receiver.close();
    assert!(receiver.is_closed() && sender.is_closed());
    says(&sender.try_send(1).unwrap_err(), "closed");
    says(&block_on(sender.send(1)).unwrap_err(), "closed");
    assert_eq!(
        (receiver.sender_strong_count(), receiver.sender_weak_count()),
        (1, 1)
    );
    drop(sender);
    says(&receiver.try_recv().unwrap_err(), "");
}

#[test]
fn unbounded_channels() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    shows(&sender, "UnboundedSender");
    shows(&receiver, "UnboundedReceiver");
    let weak = sender.downgrade();
    shows(&weak, "WeakUnboundedSender");
    assert_eq!((weak.strong_count(), weak.weak_count()), (1, 1));
    assert_eq!(
        (receiver.sender_strong_count(), receiver.sender_weak_count()),
        (1, 1)
    );
    assert!(sender.same_channel(&weak.upgrade().unwrap()));
    (0..3).for_each(|number| sender.send(number).unwrap());
    assert_eq!(receiver.blocking_recv(), Some(0));
    let mut rest = Vec::new();
    assert_eq!(receiver.blocking_recv_many(&mut rest, 9), 2);
    receiver.close();
    assert!(sender.is_closed() && receiver.is_closed());
    block_on(sender.closed());
    assert_eq!(sender.send(7).unwrap_err().0, 7);
}

#[test]
fn sends_with_a_limit_of_time() {
    use mpsc::error::SendTimeoutError::{Closed, Timeout};
    says(&Timeout(7), "timed out");
    says(&Closed(7), "closed");
    assert_eq!(
        format!("{:?} {:?}", Timeout(7), Closed(7)),
        "Timeout(..) Closed(..)"
    );
    assert_eq!((Timeout(7).into_inner(), Closed(8).into_inner()), (7, 8));
}

#[test]
fn channels_of_one_value() {
    use oneshot::error::TryRecvError;
    let (sender, mut receiver) = oneshot::channel::<u8>();
    shows(&sender, "Sender");
    shows(&receiver, "Receiver");
    let empty = receiver.try_recv().unwrap_err();
    assert_eq!(empty, TryRecvError::Empty);
    says(&empty, "channel empty");
    drop(sender);
    let closed = receiver.try_recv().unwrap_err();
    assert_eq!(closed, TryRecvError::Closed);
    says(&closed, "channel closed");
    let (sender, receiver) = oneshot::channel::<u8>();
    drop(sender);
    says(&block_on(receiver).unwrap_err(), "closed");
}

#[test]
fn channels_of_the_last_value() {
    let (sender, mut receiver) = watch::channel(7);
    shows(&sender, "Sender");
    shows(&receiver, "Receiver");
    assert!(shows(&receiver.borrow(), "Ref").contains('7'));
    drop(sender);
    says(&receiver.has_changed().unwrap_err(), "closed");
    says(&block_on(receiver.changed()).unwrap_err(), "closed");
    // The value that could not be sent need not be one that can be shown.
    struct Hidden;
    let (sender, _) = watch::channel(Hidden);
    let error = sender.send(Hidden).unwrap_err();
    shows(&error, "SendError");
    assert_eq!(error.to_string(), "channel closed");
}

#[test]
fn channels_for_all() {
    use broadcast::error::{RecvError, TryRecvError};
    let (sender, mut receiver) = broadcast::channel(1);
    shows(&sender, "Sender");
    shows(&sender.downgrade(), "WeakSender");
    shows(&receiver, "Receiver");
    says(&receiver.try_recv().unwrap_err(), "empty");
    (0..2).for_each(|number| drop(sender.send(number)));
    says(&receiver.try_recv().unwrap_err(), "lagged by 1");
    assert_eq!(receiver.try_recv(), Ok(1));
    (2..5).for_each(|number| drop(sender.send(number)));
    let lagged = block_on(receiver.recv()).unwrap_err();
    assert_eq!(lagged, RecvError::Lagged(2));
    says(&lagged, "lagged by 2");
    let alone = sender.clone();
    drop(sender);
    drop(receiver);
    says(&alone.send(7).unwrap_err(), "closed");
    let mut receiver = alone.subscribe();
    drop(alone);
    let closed = receiver.try_recv().unwrap_err();
    assert_eq!(closed, TryRecvError::Closed);
    says(&closed, "channel closed");
    says(&block_on(receiver.recv()).unwrap_err(), "channel closed");
}
