//! The `Debug` output of the types of this crate serves a reader who looks for a fault.

use crate::driver::DriverOptions;
use crate::flight::Flight;
use crate::op::*;
use crate::uring::{IoMode, RingStatus};
use std::path::Path;
use std::sync::Arc;
use std::task::Waker;
use zokio_base::park::Offload;

/// Runs nothing.
struct Nobody;

impl Offload for Nobody {
    fn offload(&self, job: Box<dyn FnOnce() + Send>) {
        drop(job);
    }
}

fn plane(mode: IoMode) -> Arc<Plane> {
    Plane::new(2, mode, Arc::new(Nobody), Arc::new(|_| ()), None).unwrap()
}

fn shows(what: &impl std::fmt::Debug, parts: &[&str]) {
    let shown = format!("{what:?}");
    for part in parts {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
}

#[test]
fn a_plane_shows_its_mode_and_what_it_has_done() {
    let epoll = plane(IoMode::Epoll);
    shows(
        &*epoll,
        &["Plane", "Epoll", "the mode is epoll", "offloaded: 0"],
    );
    drop(epoll.start(Some(0), Open::new(path(), OpenHow::reading())));
    shows(&*epoll, &["offloaded: 1"]);
    assert_eq!(epoll.mode(), IoMode::Epoll);
    let auto = plane(IoMode::Auto);
    assert_eq!(auto.mode(), IoMode::Auto);
    assert_eq!(auto.status(), RingStatus::NotNeededYet);
    shows(
        auto.lane(1),
        &["Lane", "worker: 1", "fd: None", "pending: 0"],
    );
}

#[test]
fn options_show_themselves() {
    shows(
        &DriverOptions::new(3),
        &["workers: 3", "Auto", "events: 1024"],
    );
}

#[test]
fn a_word_that_is_no_mode_is_told() {
    let error = "ring".parse::<IoMode>().unwrap_err();
    assert_eq!(error.to_string(), "`ring` is none of auto, uring, epoll");
    assert_eq!("uring".parse(), Ok(IoMode::Uring));
}

fn path() -> OpPath {
    OpPath::new(Path::new("/nowhere/at all")).unwrap()
}

#[test]
fn operations_show_what_they_are_about() {
    shows(&path(), &["/nowhere/at all"]);
    let epoll = plane(IoMode::Epoll);
    let op = epoll.start(Some(0), Unlink::new(path()));
    shows(&op, &["Op", "Unlink", "Flight"]);
    assert_eq!(op.kind(), Kind::Unlink);
}

#[test]
fn a_flight_shows_how_far_it_is() {
    let flight = Flight::new();
    shows(&flight, &["submitted"]);
    // SAFETY: the one waiter, before the outcome.
    assert!(unsafe { flight.poll(Waker::noop()) }.is_pending());
    shows(&flight, &["waiting"]);
    // SAFETY: completed once.
    let _ = unsafe { flight.transition_to_completed(7) };
    shows(&flight, &["completed"]);
    let orphan = Flight::<u32>::new();
    // SAFETY: the one waiter, once.
    let _ = unsafe { orphan.transition_to_orphaned() };
    shows(&orphan, &["orphaned"]);
}

#[cfg(target_os = "linux")]
#[test]
fn requests_show_their_socket() {
    use crate::op::net::datagrams::{BATCH_MAX, Desk};
    use crate::op::shots::{AcceptMany, SendZc};
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    let fd = format!("fd: {}", std::os::fd::AsRawFd::as_raw_fd(&near));
    let near = Arc::new(near);
    shows(&AcceptMany::new(near.clone()), &["AcceptMany", &fd]);
    shows(
        &SendZc::new(near, Arc::new("hello"), 2),
        &["SendZc", &fd, "start: 2"],
    );
    shows(&Desk::new(1_000), &[&format!("messages: {BATCH_MAX}")]);
}
