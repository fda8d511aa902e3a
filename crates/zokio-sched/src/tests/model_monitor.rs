//! A model of the monitor's sleep: a worker that rises while the monitor falls asleep rings.

use super::*;
use crate::idle::Idle;
use zokio_base::sync::model;

#[test]
fn a_rising_worker_finds_the_monitor_awake_or_wakes_it() {
    model(|| {
        let idle = Arc::new(Idle::new(1));
        let bell = Arc::new(Bell::new());
        let parker = bell.parker.lock().take().unwrap();
        idle.sleep(0, false);
        let worker = {
            let (idle, bell) = (idle.clone(), bell.clone());
            thread::spawn(move || {
                let _ = idle.rise(0);
                bell.ring_if_asleep();
            })
        };
        while bell.fall_asleep(|| idle.awake()) {
            // Nobody but the worker can end this.
            parker.park();
        }
        assert_eq!(idle.awake(), 1);
        worker.join().unwrap();
    });
}
