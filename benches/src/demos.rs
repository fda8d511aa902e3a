//! Demonstrations: one property each, Zokio next to Tokio.

use crate::load::Load;
use crate::measure::{Flavor, median, quantile};
use crate::{child, on_tokio, on_zokio, os};

type Outcome = Result<(), String>;

/// All of them, one after the other.
pub(crate) fn all() -> Outcome {
    println!("{}", os::machine());
    for demo in [
        memory,
        containment,
        runaway,
        busy,
        tail,
        idle,
        build,
        lateness,
    ] {
        demo()?;
        println!();
    }
    Ok(())
}

/// Resident memory of a million idle tasks, and its reuse after an abort.
pub(crate) fn memory() -> Outcome {
    println!(
        "memory: {} tasks that wait for ever, handles dropped, system allocator",
        child::TASKS
    );
    for name in ["zokio", "tokio"] {
        let [before, with, _] = child::idle(name, Flavor::Multi(2), false);
        println!(
            "  {name}: resident {with:>11.0} bytes, {:.1} for each task (before: {before:.0})",
            (with - before) / child::TASKS as f64
        );
        let [_, first, second] = child::idle(name, Flavor::Multi(2), true);
        println!(
            "  {name}: with abort handles kept {first:.0}; all aborted and as many spawned again \
             {second:.0} ({:.2} of the first)",
            second / first
        );
    }
    Ok(())
}

/// Shows the delays of other tasks beside some that block their thread.
pub(crate) fn containment() -> Outcome {
    println!("containment: 2 workers, tasks that block their thread for 500 ms again and again;");
    println!("  100 sleepers of 5 ms and 50 echo connections with a beat of 5 ms, 5 s");
    type Run = fn(usize, bool) -> [f64; 4];
    let zokio: Run = |blockers, on| {
        let seen = on_zokio::under::blocked(blockers, on);
        [
            seen.sleep_p99_ms,
            seen.sleep_max_ms,
            seen.echo.load.p99_us,
            seen.echo.load.max_us,
        ]
    };
    let tokio: Run = |blockers, on| {
        let seen = on_tokio::under::blocked(blockers, on);
        [
            seen.sleep_p99_ms,
            seen.sleep_max_ms,
            seen.echo.load.p99_us,
            seen.echo.load.max_us,
        ]
    };
    let runs: [(&str, Run, usize, bool); 7] = [
        ("zokio", zokio, 0, true),
        ("zokio", zokio, 1, true),
        ("zokio", zokio, 2, true),
        ("zokio, containment off", zokio, 1, false),
        ("zokio, containment off", zokio, 2, false),
        ("tokio", tokio, 1, true),
        ("tokio", tokio, 2, true),
    ];
    for (name, run, blockers, on) in runs {
        let [sleep, sleep_max, echo, echo_max] = run(blockers, on);
        println!(
            "  {name:<24} {blockers} blockers: sleepers late p99 {sleep:>7.1} ms (max {sleep_max:>7.1}), \
             echo p99 {:>7.1} ms (max {:>7.1})",
            echo / 1000.0,
            echo_max / 1000.0
        );
    }
    Ok(())
}

/// Threads of a runtime whose workers only compute.
pub(crate) fn runaway() -> Outcome {
    println!("runaway: 8 workers with 8 tasks that only compute for 3 s; most threads seen");
    println!(
        "  zokio {}, tokio {}",
        on_zokio::under::run_away(),
        on_tokio::under::run_away()
    );
    Ok(())
}

/// Connections beside a worker that is always busy, and connections that keep their worker busy.
pub(crate) fn busy() -> Outcome {
    println!("busy: 2 workers, one kept busy by polls of 50 us; 64 connections, a beat of 5 ms");
    beside(on_zokio::under::busy, on_tokio::under::busy);
    println!("owned: 2 workers, 64 connections on one of them, 50 us of work each, a beat of 4 ms");
    beside(on_zokio::under::owned, on_tokio::under::owned);
    Ok(())
}

fn beside(zokio: impl Fn() -> on_zokio::under::Echo, tokio: impl Fn() -> on_tokio::under::Echo) {
    for _ in 0..5 {
        let (zokio, tokio) = (zokio().load, tokio().load);
        println!(
            "  zokio p50 {:>4.0} us, p99 {:>5.0} us; tokio p50 {:>4.0} us, p99 {:>5.0} us; p99 {:.2}",
            zokio.p50_us,
            zokio.p99_us,
            tokio.p50_us,
            tokio.p99_us,
            zokio.p99_us / tokio.p99_us
        );
    }
}

/// The tail at 1,024 connections on one worker.
pub(crate) fn tail() -> Outcome {
    println!("tail: 1,024 echo connections of 64 bytes on one worker, in turns");
    let load = Load {
        connections: 1024,
        time: std::time::Duration::from_secs(2),
        bytes: 64,
        pause: None,
    };
    for _ in 0..5 {
        let zokio =
            on_zokio::under::serve_load(&on_zokio::under::runtime(Flavor::Multi(1)), load).load;
        let tokio =
            on_tokio::under::serve_load(&on_tokio::under::runtime(Flavor::Multi(1)), load).load;
        for (name, seen) in [("zokio", zokio), ("tokio", tokio)] {
            println!(
                "  {name}: p50 {:>8.0} us, p99 {:>8.0} us, {:>5.1} times p50, {:>7.0} requests/s",
                seen.p50_us,
                seen.p99_us,
                seen.p99_us / seen.p50_us,
                1e9 / seen.ns_per_request
            );
        }
    }
    Ok(())
}

/// Wake-ups of a runtime that has nothing to do.
pub(crate) fn idle() -> Outcome {
    println!("idle: 2 workers, 1,000 tasks that sleep for an hour; context switches in 5 s");
    let (zokio, threads) = on_zokio::under::idle();
    println!("  zokio {zokio} ({threads} threads)");
    // The other runtime's threads may still be ending: they would be counted.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (tokio, threads) = on_tokio::under::idle();
    println!("  tokio {tokio} ({threads} threads)");
    Ok(())
}

/// Time to build and drop a runtime.
pub(crate) fn build() -> Outcome {
    println!("build: build and drop of a runtime with 2 workers, 300 times, in turns");
    let (mut zokio, mut tokio) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        zokio.extend(on_zokio::under::build_and_drop(30));
        tokio.extend(on_tokio::under::build_and_drop(30));
    }
    for (name, times) in [("zokio", zokio), ("tokio", tokio)] {
        println!(
            "  {name}: median {:.3} ms, p99 {:.3} ms",
            median(&times) * 1000.0,
            quantile(&times, 0.99) * 1000.0
        );
    }
    Ok(())
}

/// How late a short sleep is.
pub(crate) fn lateness() -> Outcome {
    println!("lateness: sleep(1 ms), 1,000 times one after another");
    for flavor in [Flavor::Multi(2), Flavor::Current] {
        let zokio = on_zokio::under::sleep_lateness(flavor, 1000);
        let tokio = on_tokio::under::sleep_lateness(flavor, 1000);
        for (name, late) in [("zokio", zokio), ("tokio", tokio)] {
            println!(
                "  {flavor:?} {name}: median {:.3} ms, p99 {:.3} ms",
                median(&late),
                quantile(&late, 0.99)
            );
        }
    }
    Ok(())
}
