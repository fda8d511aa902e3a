//! `AsyncFd`'s guards: what they give access to, and what they do to readiness.

use crate::async_fd::watched;
use crate::kit::{assert_kind, assert_would_block, now, on_both, run, settle};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use zokio::io::unix::AsyncFd;
use zokio::io::{Interest, Ready};

#[test]
fn a_guard_remembers_that_nothing_is_left() {
    run(async {
        let (near, mut far) = watched();
        far.write_all(b"hello").unwrap();
        let mut buf = [0; 8];
        let mut guard = near.readable().await.unwrap();
        assert!(guard.ready().is_readable());
        let read = guard.try_io(|near| near.get_ref().read(&mut buf));
        assert_eq!(read.unwrap().unwrap(), 5);
        assert!(guard.try_io(|near| near.get_ref().read(&mut buf)).is_err());
        drop(guard);
        settle().await;
        assert!(now(near.readable()).is_none());
        far.write_all(b"more").unwrap();
        let read = near
            .async_io(Interest::READABLE, |mut near| near.read(&mut buf))
            .await;
        assert_eq!(read.unwrap(), 4);
    });
}

#[test]
fn an_exclusive_guard_remembers_as_well() {
    run(async {
        let (mut near, mut far) = watched();
        far.write_all(b"hello").unwrap();
        let mut buf = [0; 8];
        let mut guard = near.readable_mut().await.unwrap();
        let read = guard.try_io(|near| near.get_mut().read(&mut buf));
        assert_eq!(read.unwrap().unwrap(), 5);
        let error = guard.try_io(|near| near.get_mut().read(&mut buf));
        assert!(format!("{error:?}").starts_with("Err(TryIoError"));
        assert_eq!(guard.ready(), Ready::EMPTY);
        settle().await;
        assert!(now(near.readable_mut()).is_none());
        far.write_all(b"more").unwrap();
        let mut guard = near.readable_mut().await.unwrap();
        assert_eq!(guard.get_inner_mut().read(&mut buf).unwrap(), 4);
    });
}

#[test]
fn other_errors_are_passed_on_and_readiness_stays() {
    on_both(|| async {
        let (mut near, mut far) = watched();
        far.write_all(b"x").unwrap();
        let refused = || io::Result::<()>::Err(ErrorKind::InvalidData.into());
        let mut guard = near.readable().await.unwrap();
        let tried = guard.try_io(|_| refused());
        assert_kind(tried.unwrap(), ErrorKind::InvalidData);
        assert!(guard.ready().is_readable());
        assert!(now(near.readable()).is_some());
        let mut guard = near.readable_mut().await.unwrap();
        let tried = guard.try_io(|_| refused());
        assert_kind(tried.unwrap(), ErrorKind::InvalidData);
        assert!(guard.ready().is_readable());
        assert!(now(near.readable_mut()).is_some());
    });
}

#[test]
fn clearing_makes_the_next_one_wait_and_retaining_does_not() {
    run(async {
        let (mut near, mut far) = watched();
        far.write_all(b"x").unwrap();
        near.readable().await.unwrap().retain_ready();
        drop(near.readable().await.unwrap());
        near.readable_mut().await.unwrap().retain_ready();
        assert!(now(near.readable()).is_some());
        let mut guard = near.readable().await.unwrap();
        guard.clear_ready();
        assert_eq!(guard.ready(), Ready::EMPTY);
        // Once is enough, and the other direction is as it was.
        guard.clear_ready();
        settle().await;
        assert!(now(near.readable()).is_none());
        near.writable().await.unwrap().retain_ready();
        // New bytes count, though those that were there before were never read.
        far.write_all(b"y").unwrap();
        let mut guard = near.readable_mut().await.unwrap();
        guard.clear_ready();
        settle().await;
        assert!(now(near.readable_mut()).is_none());
        near.writable_mut().await.unwrap().retain_ready();
    });
}

#[test]
fn what_came_after_the_guard_is_not_cleared() {
    run(async {
        let (near, mut far) = watched();
        far.write_all(b"x").unwrap();
        let mut guard = near.readable().await.unwrap();
        assert_eq!(guard.get_inner().read(&mut [0; 4]).unwrap(), 1);
        // It would block now; before the guard hears of it, more arrives.
        far.write_all(b"y").unwrap();
        settle().await;
        guard.clear_ready();
        near.readable().await.unwrap().retain_ready();
    });
}

#[test]
fn a_part_of_readiness_can_be_cleared() {
    run(async {
        let both = Interest::READABLE | Interest::WRITABLE;
        let (mut near, mut far) = watched();
        far.write_all(b"x").unwrap();
        near.readable().await.unwrap().retain_ready();
        let mut guard = near.ready(both).await.unwrap();
        assert_eq!(guard.ready(), Ready::READABLE | Ready::WRITABLE);
        guard.clear_ready_matching(Ready::READABLE);
        assert_eq!(guard.ready(), Ready::WRITABLE);
        drop(guard);
        settle().await;
        assert!(now(near.readable()).is_none());
        near.writable().await.unwrap().retain_ready();
        far.write_all(b"y").unwrap();
        near.readable().await.unwrap().retain_ready();
        let mut guard = near.ready_mut(both).await.unwrap();
        guard.clear_ready_matching(Ready::WRITABLE);
        assert_eq!(guard.ready(), Ready::READABLE);
        guard.clear_ready_matching(Ready::READABLE);
        assert_eq!(guard.ready(), Ready::EMPTY);
        settle().await;
        assert_would_block(near.try_io(both, |_| Ok(())));
    });
}

#[test]
fn a_state_can_be_cleared_that_the_guard_was_not_made_for() {
    run(async {
        let (near, mut far) = watched();
        far.write_all(b"x").unwrap();
        let mut guard = near.readable().await.unwrap();
        // A write by the way has found no room.
        guard.clear_ready_matching(Ready::WRITABLE);
        assert_eq!(guard.ready(), Ready::READABLE);
        assert_would_block(near.try_io(Interest::WRITABLE, |_| Ok(())));
        assert_eq!(near.try_io(Interest::READABLE, |_| Ok(3)).unwrap(), 3);
    });
}

#[test]
fn guards_give_access_to_what_they_are_of() {
    on_both(|| async {
        let (mut near, _far) = watched();
        let number = near.as_raw_fd();
        let guard = near.writable().await.unwrap();
        let (fd, stream): (&AsyncFd<_>, _) = (guard.get_ref(), guard.get_inner());
        assert!(format!("{guard:?}").starts_with("ReadyGuard { async_fd: AsyncFd"));
        // They borrow from the `AsyncFd`, not from the guard.
        drop(guard);
        assert_eq!((fd.as_raw_fd(), stream.as_raw_fd()), (number, number));
        let mut guard = near.writable_mut().await.unwrap();
        assert!(format!("{guard:?}").starts_with("MutReadyGuard { async_fd: AsyncFd"));
        assert_eq!(guard.get_ref().as_raw_fd(), number);
        assert_eq!(guard.get_mut().as_raw_fd(), number);
        assert_eq!(guard.get_inner().as_raw_fd(), number);
        guard.get_inner_mut().write_all(b"x").unwrap();
    });
}
