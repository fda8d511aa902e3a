//! Each pair of operations that can race, on the algorithm and through the API.

use super::*;
use crate::modeling::{panicking, poll_once};
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::block_on;
use zokio_base::sync::{UnsafeCell, model, thread};

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

#[test]
fn who_asked_first_is_served_first() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut many = pin!(semaphore.acquire_many(2));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(many.as_mut().poll(&mut cx).is_pending());
        let (second, third) = (semaphore.clone(), semaphore.clone());
        let second = thread::spawn(move || {
            assert!(second.try_acquire().is_err(), "overtaken");
            second.add_permits(1);
        });
        let third = thread::spawn(move || third.add_permits(1));
        let permit = block_on(many).unwrap();
        assert_eq!(permit.num_permits(), 2);
        second.join().unwrap();
        third.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn try_acquire_and_close() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.close());
        drop(semaphore.try_acquire());
        other.join().unwrap();
        assert!(matches!(
            semaphore.try_acquire(),
            Err(TryAcquireError::Closed)
        ));
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn forget_and_add_for_one_who_waits() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let (second, third) = (semaphore.clone(), semaphore.clone());
        let second = thread::spawn(move || block_on(second.acquire_many(2)).unwrap().forget());
        let third = thread::spawn(move || third.forget_permits(1));
        semaphore.add_permits(2);
        let forgotten = third.join().unwrap();
        // If one was forgotten, it may be missing.
        semaphore.add_permits(forgotten);
        second.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn two_are_cancelled_while_permits_come() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let others = [semaphore.clone(), semaphore.clone()]
            .map(|semaphore| thread::spawn(move || drop(poll_once(semaphore.acquire_owned()))));
        semaphore.add_permits(1);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn two_close() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (second, third) = (semaphore.clone(), semaphore.clone());
        let second = thread::spawn(move || second.close());
        let third = thread::spawn(move || assert!(block_on(third.acquire()).is_err()));
        semaphore.close();
        second.join().unwrap();
        third.join().unwrap();
    });
}

#[test]
fn a_part_is_split_off_and_given_back_elsewhere() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        let mut permit = semaphore.clone().try_acquire_many_owned(2).unwrap();
        let part = permit.split(1).unwrap();
        let other = thread::spawn(move || drop(part));
        let third = semaphore.clone();
        let third = thread::spawn(move || drop(block_on(third.acquire_many(2)).unwrap()));
        drop(permit);
        other.join().unwrap();
        third.join().unwrap();
        assert_eq!(semaphore.available_permits(), 2);
    });
}

/// A future that waits with a waker, so that serving several of them takes several batches.
fn waiting(
    semaphore: &Semaphore,
) -> std::pin::Pin<Box<impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>>>> {
    let mut waiting = Box::pin(semaphore.acquire());
    let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut nobody).is_pending());
    waiting
}

#[test]
fn between_two_batches_one_is_dropped_and_one_polled_again() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let [first, second, third] = [(); 3].map(|()| waiting(&semaphore));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.add_permits(2));
        drop(second);
        block_on(third).unwrap().forget();
        block_on(first).unwrap().forget();
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn between_two_batches_one_gives_back_and_one_takes() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let early = [(); 2].map(|()| waiting(&semaphore));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.add_permits(2));
        let taken = semaphore.try_acquire().map(SemaphorePermit::forget).is_ok();
        assert!(!taken, "two were asked for before");
        semaphore.add_permits(1);
        for early in early {
            block_on(early).unwrap().forget();
        }
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn between_two_batches_of_a_close_one_is_dropped_and_permits_come() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let [first, second, third] = [(); 3].map(|()| waiting(&semaphore));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.close());
        semaphore.add_permits(1);
        drop(second);
        let taken =
            [first, third].map(|early| block_on(early).map(SemaphorePermit::forget).is_ok());
        other.join().unwrap();
        assert!(!taken[1], "one was given back, and another was first");
        assert_eq!(semaphore.available_permits(), usize::from(!taken[0]));
    });
}

#[test]
fn forget_and_close_and_try_acquire() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        let (second, third) = (semaphore.clone(), semaphore.clone());
        let second = thread::spawn(move || second.close());
        let third = thread::spawn(move || {
            usize::from(third.try_acquire().map(SemaphorePermit::forget).is_ok())
        });
        let forgotten = semaphore.forget_permits(1);
        assert_eq!(forgotten, 1);
        second.join().unwrap();
        let taken = third.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1 - taken);
    });
}

#[test]
fn a_part_is_cancelled_while_another_tries() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = semaphore.clone();
        let other = thread::spawn(move || drop(poll_once(other.acquire_many(2))));
        let taken = semaphore.try_acquire().map(SemaphorePermit::forget).is_ok();
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), usize::from(!taken));
    });
}

#[test]
fn a_close_comes_to_a_waker_that_changes() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.close());
        assert!(crate::modeling::with_another_waker(semaphore.acquire()).is_err());
        other.join().unwrap();
    });
}

/// The first batch holds a waker that panics: the second is still woken, while a waiter of it goes, and
/// no permit is lost.
#[test]
fn a_waker_that_panics_between_two_batches_loses_no_permit() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let bad = panicking();
        let mut first = Box::pin(semaphore.clone().acquire_owned());
        let polled = first
            .as_mut()
            .poll(&mut std::task::Context::from_waker(&bad));
        assert!(polled.is_pending());
        let [second, third] = [(); 2].map(|()| waiting(&semaphore));
        let other = semaphore.clone();
        let other = thread::spawn(move || other.add_permits(3));
        drop(second);
        drop(block_on(third).unwrap());
        other.join().unwrap();
        drop(block_on(first).unwrap());
        assert_eq!(semaphore.available_permits(), 3);
    });
}
