//! A model of the root's waker: the thread waits in the driver or in its parker, and changes
//! between the two; a wake reaches it in either.

use super::*;
use zokio_base::sync::{model, thread};

#[derive(Clone)]
struct Driver(Unparker);

impl Unpark for Driver {
    fn unpark(&self) {
        self.0.unpark();
    }
}

fn root() -> (Arc<Root<Driver>>, Parker, Parker) {
    let (own, driver) = (Parker::new(), Parker::new());
    let root = Arc::new(Root {
        woken: AtomicBool::new(false),
        driving: AtomicBool::new(false),
        driver: Driver(driver.unparker()),
        parker: own.unparker(),
        scheduler: 1,
    });
    (root, own, driver)
}

#[test]
fn a_wake_reaches_a_thread_that_starts_to_drive() {
    model(|| {
        let (root, _own, driver) = root();
        let waker = {
            let root = root.clone();
            thread::spawn(move || root.wake())
        };
        root.set_driving(true);
        while !root.take_woken() {
            if !root.is_woken() {
                driver.park();
            }
        }
        waker.join().unwrap();
    });
}

#[test]
fn a_wake_reaches_a_thread_that_ceases_to_drive() {
    model(|| {
        let (root, own, _driver) = root();
        root.set_driving(true);
        let waker = {
            let root = root.clone();
            thread::spawn(move || root.wake())
        };
        root.set_driving(false);
        while !root.take_woken() {
            if !root.is_woken() {
                own.park();
            }
        }
        waker.join().unwrap();
    });
}
