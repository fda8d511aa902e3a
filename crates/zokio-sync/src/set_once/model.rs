//! Each pair of operations that can race.

use super::*;
use loom::future::block_on;
use zokio_base::sync::{Arc, model, thread};

#[test]
fn set_and_wait() {
    model(|| {
        let cell = Arc::new(SetOnce::new());
        let other = cell.clone();
        let other = thread::spawn(move || other.set(Box::new(1)).unwrap());
        assert_eq!(**block_on(cell.wait()), 1);
        other.join().unwrap();
    });
}

#[test]
fn set_and_set() {
    model(|| {
        let cell = Arc::new(SetOnce::new());
        let other = cell.clone();
        let other = thread::spawn(move || match other.set(1) {
            Ok(()) => true,
            // Who fails finds the other's value.
            Err(_) => {
                assert_eq!(other.get(), Some(&2));
                false
            }
        });
        let here = cell.set(2).is_ok();
        assert!(other.join().unwrap() != here);
    });
}
