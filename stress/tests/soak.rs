//! A soak of some seconds as a test; longer ones are for `zokio-stress --soak`.

#![cfg(all(not(zokio_shuttle), target_os = "linux"))]

use std::time::Duration;

use zokio::runtime::IoMode;
use zokio_stress::soak::{Soak, soak};

#[test]
fn a_short_soak_is_flat() {
    for mode in [IoMode::Auto, IoMode::Epoll] {
        soak(Soak {
            seed: 1,
            time: Duration::from_secs(6),
            samples: 18,
            mode,
        });
    }
}
