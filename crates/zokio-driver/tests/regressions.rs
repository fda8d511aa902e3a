//! Mistakes that were made, so that they are not made again.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods)] // Tests make threads.

mod common;

use common::{Pool, has_ring, plane, turn};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use zokio_driver::op::{At, Read};
use zokio_driver::uring::IoMode;

/// The kernel says "enter, there are completions to be posted" and does not take that back if the
/// thread that had submitted ends at that moment. Whoever reaped entered again and again, for ever.
#[test]
fn a_thread_that_ends_with_completions_to_be_posted_does_not_keep_the_reaper() {
    if !has_ring() {
        return;
    }
    let (done, is_done) = channel();
    std::thread::spawn(move || {
        let plane = plane(IoMode::Uring, &Pool::held()).unwrap();
        for round in 0..200 {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let file = Arc::new(File::from(OwnedFd::from(reader)));
            let submitter = plane.clone();
            let thread = std::thread::spawn(move || {
                let buf = Vec::with_capacity(16);
                let read = submitter.start(Some(0), Read::new(file, buf, 0, 16, At::Cursor));
                submitter.lane(0).submit_pending();
                read
            });
            while plane.lane(0).in_flight() == 0 {
                std::hint::spin_loop();
            }
            for _ in 0..round % 50 * 40 {
                std::hint::spin_loop();
            }
            writer.write_all(b"x").unwrap();
            let read = thread.join().unwrap();
            while plane.lane(0).in_flight() > 0 {
                turn(&plane);
            }
            drop(read);
        }
        let _ = done.send(());
    });
    let ended = is_done.recv_timeout(Duration::from_secs(40));
    assert_ne!(
        ended,
        Err(RecvTimeoutError::Timeout),
        "the reaper never returns"
    );
    assert_eq!(ended, Ok(()));
}
