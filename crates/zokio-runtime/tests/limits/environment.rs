//! The environment's settings are taken, or refused with a reason.

use crate::{is_child, panic_of};
use zokio_runtime::Builder;

fn build() -> std::io::Result<zokio_runtime::Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

#[test]
fn so_many_workers_as_it_says() {
    let name = "environment::so_many_workers_as_it_says";
    if is_child(name, |mut child| {
        child.env("TOKIO_WORKER_THREADS", "3");
        child
    }) {
        assert_eq!(build().unwrap().metrics().num_workers(), 3);
        // The builder's setting goes first.
        let runtime = Builder::new_multi_thread().worker_threads(1).build();
        assert_eq!(runtime.unwrap().metrics().num_workers(), 1);
    }
}

#[test]
fn no_workers_are_refused() {
    let name = "environment::no_workers_are_refused";
    if is_child(name, |mut child| {
        child.env("TOKIO_WORKER_THREADS", "0");
        child
    }) {
        let said = panic_of(build);
        assert_eq!(said, "\"TOKIO_WORKER_THREADS\" cannot be set to 0");
    }
}

#[test]
fn what_is_no_number_of_workers_is_refused() {
    let name = "environment::what_is_no_number_of_workers_is_refused";
    if is_child(name, |mut child| {
        child.env("TOKIO_WORKER_THREADS", "many");
        child
    }) {
        let said = panic_of(build);
        assert!(
            said.starts_with("\"TOKIO_WORKER_THREADS\" must be usize, error: ")
                && said.ends_with("value: many"),
            "{said}"
        );
    }
}

#[test]
#[cfg(unix)]
fn what_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let name = "environment::what_is_no_text_is_refused";
    if is_child(name, |mut child| {
        let value = std::ffi::OsStr::from_bytes(b"\xff");
        child.env("TOKIO_WORKER_THREADS", value);
        child
    }) {
        let said = panic_of(build);
        assert!(said.contains("must be valid unicode"), "{said}");
    }
}

#[test]
fn a_back_end_that_there_is_not_is_an_error() {
    let name = "environment::a_back_end_that_there_is_not_is_an_error";
    if is_child(name, |mut child| {
        child.env("ZOKIO_IO", "telepathy");
        child
    }) {
        let error = build().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with("ZOKIO_IO: "), "{error}");
    }
}
