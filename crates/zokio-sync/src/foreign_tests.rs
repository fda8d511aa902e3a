//! The rule of `zokio_base::foreign`, for what only this crate can reach: batches of wakers of which
//! many panic, polls whose `clone` panics, values whose destructors all panic.
//!
//! The test target `foreign_panics` of the crate `zokio` lets each kind of foreign code panic at each
//! of its places.
#![allow(unsafe_code)]

use crate::testing::{Count, spawn};
use crate::{Notify, OnceCell, Semaphore, SetOnce, broadcast, mpsc, oneshot, watch};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};

/// More than two batches.
const WAITERS: usize = 100;

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a waker whose drop panics");
        }
    }
}

/// A waker whose clone panics.
fn unclonable() -> Waker {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| panic!("a waker whose clone panics"),
        |_| (),
        |_| (),
        |_| (),
    );
    // SAFETY: the functions ignore what they are given.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) }
}

fn panics<R>(f: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Polls each of `futures`; of every three, one with a waker that panics. Returns the count of the
/// good ones' wakes, and how many these are.
fn wait<F: Future>(futures: &mut [Pin<Box<F>>]) -> (Arc<Count>, usize) {
    let (good, woken) = Count::waker();
    let mut good_count = 0;
    for (index, future) in futures.iter_mut().enumerate() {
        let bad = Waker::from(Arc::new(Panics));
        let is_good = index % 3 != 0;
        good_count += usize::from(is_good);
        let mut cx = Context::from_waker(if is_good { &good } else { &bad });
        assert!(future.as_mut().poll(&mut cx).is_pending());
        // Its last reference is the structure's.
        std::mem::drop(catch_unwind(AssertUnwindSafe(|| drop(bad))));
    }
    (woken, good_count)
}

fn ready<F: Future>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn notify_waiters_reaches_all_whatever_some_wakers_do() {
    let notify = Notify::new();
    let mut waiting: Vec<_> = (0..WAITERS).map(|_| Box::pin(notify.notified())).collect();
    let (woken, good) = wait(&mut waiting);
    notify.notify_waiters();
    assert_eq!(woken.get(), good);
    assert!(waiting.iter_mut().all(|it| ready(it).is_some()));
}

#[test]
fn no_permit_is_lost_to_wakers_that_panic() {
    let semaphore = Semaphore::new(0);
    let mut waiting: Vec<_> = (0..WAITERS)
        .map(|_| Box::pin(semaphore.acquire()))
        .collect();
    let (woken, good) = wait(&mut waiting);
    semaphore.add_permits(WAITERS + 1);
    assert_eq!((woken.get(), semaphore.available_permits()), (good, 1));
    let permits: Vec<_> = waiting.iter_mut().filter_map(ready).collect();
    assert_eq!(permits.len(), WAITERS);
    drop(permits);
    assert_eq!(semaphore.available_permits(), WAITERS + 1);

    let closing = Semaphore::new(0);
    let mut waiting: Vec<_> = (0..WAITERS).map(|_| Box::pin(closing.acquire())).collect();
    let (woken, good) = wait(&mut waiting);
    closing.close();
    assert_eq!(woken.get(), good);
    let refused = waiting.iter_mut().filter_map(ready);
    assert_eq!(refused.filter(Result::is_err).count(), WAITERS);
}

#[test]
fn a_broadcast_reaches_all_whatever_some_wakers_do() {
    let (sender, _) = broadcast::channel(2);
    let mut receivers: Vec<_> = (0..WAITERS).map(|_| sender.subscribe()).collect();
    let mut waiting: Vec<_> = receivers.iter_mut().map(|it| Box::pin(it.recv())).collect();
    let (woken, good) = wait(&mut waiting);
    assert_eq!(sender.send(5).unwrap(), WAITERS);
    assert_eq!(woken.get(), good);
    assert!(waiting.iter_mut().all(|it| ready(it) == Some(Ok(5))));
}

/// A future that waits is dropped with its waker, whose drop panics: who drops the future does not
/// hear of it, and the others wait on.
#[test]
fn a_wait_that_is_given_up_hides_its_wakers_panic() {
    let notify = Notify::new();
    let semaphore = Semaphore::new(0);
    let mut first: Vec<_> = (0..3).map(|_| Box::pin(notify.notified())).collect();
    let mut second: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire())).collect();
    let (woken, good) = wait(&mut first);
    let (also_woken, _) = wait(&mut second);
    assert!(!panics(|| drop((first.remove(0), second.remove(0)))));
    notify.notify_waiters();
    semaphore.add_permits(2);
    assert_eq!((woken.get(), also_woken.get()), (good, good));
}

/// Polls `future` with a good waker, then with one whose clone panics: the first stays registered.
fn keeps_the_waker_of_before(mut poll: impl FnMut(&mut Context<'_>) -> bool, event: impl FnOnce()) {
    let (good, woken) = Count::waker();
    let bad = unclonable();
    assert!(panics(|| poll(&mut Context::from_waker(&bad))));
    assert!(!poll(&mut Context::from_waker(&good)));
    assert!(panics(|| poll(&mut Context::from_waker(&bad))));
    assert_eq!(woken.get(), 0);
    event();
    assert_eq!(woken.get(), 1);
    assert!(poll(&mut Context::from_waker(&bad)));
}

#[test]
fn a_poll_whose_clone_panics_leaves_the_waker_of_before() {
    let notify = Notify::new();
    let mut notified = Box::pin(notify.notified());
    let poll = |cx: &mut Context<'_>| notified.as_mut().poll(cx).is_ready();
    keeps_the_waker_of_before(poll, || notify.notify_one());

    let (sender, mut receiver) = mpsc::unbounded_channel();
    let poll = |cx: &mut Context<'_>| receiver.poll_recv(cx).is_ready();
    keeps_the_waker_of_before(poll, || sender.send(1).unwrap());

    let (sender, mut receiver) = oneshot::channel();
    let poll = |cx: &mut Context<'_>| Pin::new(&mut receiver).poll(cx).is_ready();
    keeps_the_waker_of_before(poll, || sender.send(1).unwrap());

    let (mut sender, receiver) = oneshot::channel::<u32>();
    let poll = |cx: &mut Context<'_>| sender.poll_closed(cx).is_ready();
    keeps_the_waker_of_before(poll, || drop(receiver));
}

/// Counts its drops, and panics in each, with its number.
#[derive(Clone)]
struct Falls(u32, Arc<AtomicUsize>);

impl Drop for Falls {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
        std::panic::panic_any(self.0);
    }
}

fn first_panic(f: impl FnOnce()) -> Option<u32> {
    let payload = catch_unwind(AssertUnwindSafe(f)).err()?;
    payload.downcast_ref().copied()
}

#[test]
fn a_receiver_drops_all_and_its_caller_hears_of_the_first_panic() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = mpsc::channel(10);
    for number in 0..10 {
        assert!(sender.try_send(Falls(number, dropped.clone())).is_ok());
    }
    let mut closed = spawn(sender.closed());
    closed.pending();
    assert_eq!(first_panic(|| drop(receiver)), Some(0));
    assert_eq!(dropped.load(Ordering::Relaxed), 10);
    assert!(closed.is_woken());
    closed.ready();
    drop(closed);
    assert_eq!(sender.capacity(), 10, "no permit is lost");

    let (sender, receiver) = mpsc::unbounded_channel();
    assert!(sender.send(Falls(7, dropped.clone())).is_ok());
    let unwinding = first_panic(|| {
        let _receiver = receiver;
        std::panic::panic_any(99_u32);
    });
    assert_eq!(unwinding, Some(99));
    assert_eq!(dropped.load(Ordering::Relaxed), 11);

    let (sender, receiver) = oneshot::channel();
    assert!(sender.send(Falls(3, dropped.clone())).is_ok());
    assert_eq!(first_panic(|| drop(receiver)), Some(3));
    assert_eq!(dropped.load(Ordering::Relaxed), 12);
}

#[test]
fn what_several_handles_share_falls_without_a_word_to_the_last() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = broadcast::channel(4);
    let lags = sender.subscribe();
    for number in 0..10 {
        // From the fifth on it overwrites.
        let value = Falls(number, dropped.clone());
        assert!(!panics(|| assert!(sender.send(value).is_ok())));
    }
    assert_eq!(dropped.load(Ordering::Relaxed), 6);
    // Its clone is the receiver's own.
    assert!(receiver.try_recv().is_err(), "it lags");
    let own = receiver.try_recv().expect("the oldest is there");
    assert_eq!(first_panic(|| drop(own)), Some(6));
    assert!(!panics(|| drop(lags)));
    assert!(!panics(|| drop(receiver)));
    assert_eq!(dropped.load(Ordering::Relaxed), 11);
    assert_eq!(sender.len(), 0);

    let (sender, receiver) = watch::channel(Falls(1, dropped.clone()));
    assert_eq!(
        first_panic(|| assert!(sender.send(Falls(2, dropped.clone())).is_ok())),
        Some(1),
        "a replaced value is the sender's to drop"
    );
    assert_eq!(receiver.borrow().0, 2);
    drop(sender);
    assert!(!panics(|| drop(receiver)));
    assert_eq!(dropped.load(Ordering::Relaxed), 13);
}

/// A last receiver that reads clones the value and drops the original: both may panic at once.
#[test]
fn a_clone_and_a_drop_that_panic_are_one_panic() {
    struct Both(Arc<AtomicUsize>);
    impl Clone for Both {
        fn clone(&self) -> Self {
            panic!("a clone that panics");
        }
    }
    impl Drop for Both {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("a drop that panics");
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = broadcast::channel(4);
    assert!(sender.send(Both(dropped.clone())).is_ok());
    assert!(panics(|| receiver.try_recv()));
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert!(matches!(
        receiver.try_recv(),
        Err(broadcast::error::TryRecvError::Empty)
    ));
}

#[test]
fn a_channel_of_values_that_all_panic_goes_with_its_last_handle() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = broadcast::channel(4);
    for number in 0..4 {
        assert!(sender.send(Falls(number, dropped.clone())).is_ok());
    }
    // The receiver never leaves: as if its thread had ended in the midst of it.
    std::mem::forget(receiver);
    assert!(!panics(|| drop(sender)));
    // The values of permits that are used after the receiver went.
    let (sender, receiver) = mpsc::channel(4);
    let permit = || sender.clone().try_reserve_owned().unwrap();
    let permits = [permit(), permit(), permit()];
    drop(receiver);
    let senders = permits.map(|permit| permit.send(Falls(0, dropped.clone())));
    assert!(!panics(|| drop((sender, senders))));
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn cells_that_are_set_wake_all() {
    let cell = OnceCell::new();
    let once = SetOnce::new();
    let mut waiting: Vec<_> = (0..WAITERS).map(|_| Box::pin(once.wait())).collect();
    let (woken, good) = wait(&mut waiting);
    once.set(1).unwrap();
    assert_eq!(woken.get(), good);

    let mut first = Box::pin(cell.get_or_init(std::future::pending));
    assert!(ready(&mut first).is_none());
    let others = |_| Box::pin(cell.get_or_init(|| std::future::ready(2)));
    let mut waiting: Vec<_> = (0..WAITERS).map(others).collect();
    let (woken, _) = wait(&mut waiting);
    // The permit goes to the first, whose waker panics; it is not lost.
    drop(first);
    assert_eq!(woken.get(), 0);
    assert_eq!(ready(&mut waiting[0]), Some(&2));
    assert!(waiting.iter_mut().skip(1).all(|it| ready(it) == Some(&2)));
}
