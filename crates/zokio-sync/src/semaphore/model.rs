//! Each pair of operations that can race, on the algorithm and through the API.

use super::*;
use loom::future::block_on;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{UnsafeCell, model, thread};

/// Polls once and drops: a wait that is cancelled.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    block_on(poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    }))
}

#[test]
#[allow(unsafe_code)]
fn a_single_permit_excludes() {
    model(|| {
        let shared = Arc::new((Semaphore::new(1), UnsafeCell::new(0)));
        let increment = |shared: &(Semaphore, UnsafeCell<usize>)| {
            let permit = block_on(shared.0.acquire()).unwrap();
            // SAFETY: there is one permit.
            shared.1.with_mut(|value| unsafe { *value += 1 });
            drop(permit);
        };
        let other = shared.clone();
        let other = thread::spawn(move || increment(&other));
        increment(&shared);
        other.join().unwrap();
        // SAFETY: the other thread is done.
        assert_eq!(shared.1.with(|value| unsafe { *value }), 2);
        assert_eq!(shared.0.available_permits(), 1);
    });
}

#[test]
fn acquire_and_add() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = semaphore.clone();
        let other = thread::spawn(move || {
            other.add_permits(1);
            other.add_permits(1);
        });
        block_on(semaphore.acquire_many(2)).unwrap().forget();
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn two_wait_and_one_adds() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let semaphore = semaphore.clone();
                thread::spawn(move || block_on(semaphore.acquire()).unwrap().forget())
            })
            .collect();
        semaphore.add_permits(2);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn cancel_and_add() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.add_permits(1));
        let taken = poll_once(semaphore.acquire_many(2)).map(|permit| permit.unwrap().forget());
        other.join().unwrap();
        let expected = if taken.is_some() { 0 } else { 2 };
        assert_eq!(semaphore.available_permits(), expected);
    });
}

#[test]
fn cancel_passes_on_to_who_waits() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = semaphore.clone();
        let other = thread::spawn(move || block_on(other.acquire()).unwrap().forget());
        if let Some(permit) = poll_once(semaphore.acquire_many(2)) {
            drop(permit);
        }
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn acquire_and_close() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.close());
        assert!(block_on(semaphore.acquire_many(2)).is_err());
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn close_and_add() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = semaphore.clone();
        let other = thread::spawn(move || block_on(other.acquire()).map(SemaphorePermit::forget));
        let third = semaphore.clone();
        let third = thread::spawn(move || third.add_permits(1));
        semaphore.close();
        let taken = other.join().unwrap().is_ok();
        third.join().unwrap();
        assert_eq!(semaphore.available_permits(), usize::from(!taken));
    });
}

#[test]
fn cancel_and_close() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.close());
        assert!(!matches!(poll_once(semaphore.acquire_many(2)), Some(Ok(_))));
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn try_acquire_and_release_and_forget() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let taken = Arc::new(AtomicUsize::new(0));
        let (other, sum) = (semaphore.clone(), taken.clone());
        let other = thread::spawn(move || {
            if let Ok(permit) = other.try_acquire() {
                permit.forget();
                sum.fetch_add(1, Ordering::Relaxed);
            }
        });
        taken.fetch_add(semaphore.forget_permits(1), Ordering::Relaxed);
        semaphore.add_permits(1);
        other.join().unwrap();
        let taken = taken.load(Ordering::Relaxed);
        assert_eq!(semaphore.available_permits(), 2 - taken);
    });
}

#[test]
fn the_waker_changes_while_permits_come() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.add_permits(1));
        let mut future = pin!(semaphore.acquire());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(permit) => permit.unwrap().forget(),
            Poll::Pending => block_on(future).unwrap().forget(),
        }
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    });
}
