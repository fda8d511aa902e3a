//! Filling, failing, cancelling, by hand.

use super::*;
use crate::testing::spawn;
use std::future::{pending, ready};
use zokio_base::sync::Arc;

#[test]
fn one_fills_and_the_others_wait() {
    let cell = OnceCell::new();
    let gate = crate::Notify::new();
    let mut first = spawn(cell.get_or_init(|| async {
        gate.notified().await;
        1
    }));
    let mut second = spawn(cell.get_or_init(|| ready(2)));
    let mut third = spawn(cell.get_or_init(|| ready(3)));
    first.pending();
    second.pending();
    third.pending();
    assert!(cell.set(4).unwrap_err().is_initializing_err());
    gate.notify_one();
    assert_eq!(first.ready(), &1);
    assert!(second.is_woken() && third.is_woken());
    assert_eq!((second.ready(), third.ready()), (&1, &1));
    assert!(cell.set(4).unwrap_err().is_already_init_err());
}

#[test]
fn who_is_cancelled_or_fails_lets_the_next_try() {
    let cell = OnceCell::new();
    let mut first = spawn(cell.get_or_init(pending));
    let mut second = spawn(cell.get_or_try_init(|| ready(Err::<u32, _>("failed"))));
    let mut third = spawn(cell.get_or_init(|| ready(3)));
    first.pending();
    second.pending();
    third.pending();
    drop(first);
    assert!(second.is_woken() && !third.is_woken());
    assert_eq!(second.ready(), Err("failed"));
    assert!(third.is_woken());
    assert_eq!(third.ready(), &3);
}

#[test]
fn who_could_fail_need_not_try_where_another_has_filled() {
    let cell = OnceCell::new();
    let gate = crate::Notify::new();
    let mut first = spawn(cell.get_or_init(|| async {
        gate.notified().await;
        1
    }));
    first.pending();
    let mut second = spawn(cell.get_or_try_init(|| ready(Err("not called"))));
    second.pending();
    gate.notify_one();
    assert_eq!(first.ready(), &1);
    assert_eq!(second.ready(), Ok(&1));
    let mut third = spawn(cell.get_or_try_init(|| ready(Err("not called"))));
    assert_eq!(third.ready(), Ok(&1));
}

#[test]
fn a_panic_lets_the_next_try() {
    let cell = OnceCell::<u32>::new();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        *spawn(cell.get_or_init(|| async { panic!("no value") })).ready()
    }));
    assert!(result.is_err());
    assert!(cell.get().is_none());
    assert_eq!(spawn(cell.get_or_init(|| ready(1))).ready(), &1);
}

#[test]
fn values_are_dropped_once() {
    let alive = Arc::new(());
    let mut cell = OnceCell::from(alive.clone());
    assert_eq!(cell.clone(), cell);
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(cell.take());
    assert_eq!(Arc::strong_count(&alive), 1);
    assert!(cell.get().is_none() && cell.set(alive.clone()).is_ok());
    assert!(cell.get_mut().is_some());
    drop(cell.into_inner());
    assert_eq!(Arc::strong_count(&alive), 1);
    drop(OnceCell::new_with(Some(alive.clone())));
    drop(OnceCell::<Arc<()>>::new());
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(
        format!("{:?}", OnceCell::from(1)),
        "OnceCell { value: Some(1) }"
    );
}
