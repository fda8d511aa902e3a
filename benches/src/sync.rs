//! `compare sync`: channels, locks, notifications, time-outs and sleeps, on both runtimes.
//!
//! `compare one RUNTIME FLAVOR SCENARIO [TIMES]` runs one program on one runtime only, to be looked
//! at with a profiler.

use crate::measure::{Flavor, Scenario};
use crate::{on_tokio, on_zokio};

/// Name, program on Zokio, program on Tokio.
pub(crate) fn scenarios() -> Vec<Scenario> {
    macro_rules! both {
        ($($name:literal: $function:ident($($argument:expr),*);)*) => {
            vec![$(Scenario {
                name: $name,
                zokio: |flavor| on_zokio::under::$function(flavor $(, $argument)*),
                tokio: |flavor| on_tokio::under::$function(flavor $(, $argument)*),
            }),*]
        };
    }
    both! {
        "mpsc_1_bounded": mpsc_bounded(1, 256);
        "mpsc_4_bounded": mpsc_bounded(4, 256);
        "mpsc_1_narrow": mpsc_bounded(1, 1);
        "mpsc_1_unbounded": mpsc_unbounded(1);
        "mpsc_4_unbounded": mpsc_unbounded(4);
        "oneshot_local": oneshot_local();
        "oneshot_across": oneshot_across();
        "mutex_free": mutex_free();
        "mutex_4": mutex_contended(false);
        "mutex_4_held": mutex_contended(true);
        "rwlock_read": rwlock_read();
        "rwlock_write": rwlock_write();
        "rwlock_4_read_mostly": rwlock_contended(32);
        "rwlock_4_write": rwlock_contended(1);
        "semaphore_free": semaphore_free();
        "semaphore_4_held": semaphore_contended();
        "notify_ping_pong": notify_ping_pong();
        "notify_100_waiters": notify_waiters();
        "broadcast_4": broadcast(64);
        "broadcast_4_single": broadcast(1);
        "watch_4": watch();
        "timeout_ready": timeout_ready();
        "timeout_dropped": timeout_dropped();
        "timeout_then_ready": timeout_then_ready();
        "sleeps_10000": sleeps();
    }
}

/// Runs one program on one runtime.
pub(crate) fn one(words: &[&str]) -> Result<(), String> {
    let (runtime, flavor, name, times) = match *words {
        [runtime, flavor, name] => (runtime, flavor, name, "1"),
        [runtime, flavor, name, times] => (runtime, flavor, name, times),
        _ => return Err("one zokio|tokio multi|current SCENARIO [TIMES]".to_string()),
    };
    let flavor = match flavor {
        "multi" => Flavor::Multi(2),
        "current" => Flavor::Current,
        other => return Err(format!("no flavor `{other}`")),
    };
    let times: usize = times
        .parse()
        .map_err(|_| format!("not a number: {times}"))?;
    let mut list = scenarios();
    list.append(&mut crate::scenarios());
    list.retain(|scenario| scenario.name == name);
    let scenario = list.pop().ok_or(format!("no scenario `{name}`"))?;
    let program = match runtime {
        "zokio" => scenario.zokio,
        "tokio" => scenario.tokio,
        other => return Err(format!("no runtime `{other}`")),
    };
    for _ in 0..times {
        for metric in program(flavor) {
            println!("{} {:.1} {}", metric.name, metric.value, metric.unit);
        }
    }
    Ok(())
}
