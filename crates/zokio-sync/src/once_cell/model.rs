//! Each pair of operations that can race.

use super::*;
use loom::future::block_on;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use zokio_base::sync::{Arc, model, thread};

#[test]
fn two_fill() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let other = cell.clone();
        let other = thread::spawn(move || **block_on(other.get_or_init(|| async { Box::new(1) })));
        let here = **block_on(cell.get_or_init(|| async { Box::new(2) }));
        assert_eq!(other.join().unwrap(), here);
    });
}

#[test]
fn set_and_set_and_get() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let (second, third) = (cell.clone(), cell.clone());
        let second = thread::spawn(move || second.set(Box::new(1)).is_ok());
        let third = thread::spawn(move || third.get().map(|value| **value));
        let here = cell.set(Box::new(2)).is_ok();
        assert!(second.join().unwrap() != here);
        if let Some(seen) = third.join().unwrap() {
            assert_eq!(Some(seen), cell.get().map(|value| **value));
        }
    });
}

#[test]
fn fill_and_cancel() {
    model(|| {
        let cell = Arc::new(OnceCell::new());
        let other = cell.clone();
        let other = thread::spawn(move || {
            let mut future = pin!(other.get_or_init(std::future::pending::<u32>));
            block_on(poll_fn(|cx| {
                let _ = future.as_mut().poll(cx);
                Poll::Ready(())
            }));
        });
        assert_eq!(*block_on(cell.get_or_init(|| async { 2 })), 2);
        other.join().unwrap();
    });
}
