//! Zokio beside Tokio: the same programs on both, in turns, in one process.
//!
//! The programs lie in `under/` and are compiled twice, once with `rt` meaning Tokio
//! (`on_tokio.rs`) and once with `rt` meaning Zokio (`on_zokio.rs`). A round runs every scenario on
//! both; the order changes with each round, so that neither always runs on the warmer cache. What
//! is printed is the median over the rounds, the ratio of the medians, and the least and greatest
//! ratio of a single round: a difference within that spread is not established.
//!
//! Load for the echo server comes from a process of its own (`load.rs`), and memory is measured in
//! a fresh process per runtime (`child`).

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::duplicate_mod
)]

mod arms;
mod child;
mod demos;
mod files;
mod lanes;
mod load;
mod measure;
mod on_tokio;
mod on_zokio;
mod os;
mod sync;

use std::process::ExitCode;

use measure::{Flavor, Metric, Scenario};

const USAGE: &str = "\
usage: compare [--rounds N] [--workers N] [--flavor multi|current|both] [FILTER..]
       compare sync [the same options] [FILTER..]
       compare files [--rounds N] [--workers N] [reads|small_1|small_32|append]..
       compare lanes [--rounds N] [--workers N] [accept|receive|echo|datagrams|send|file|proxy]..
       compare memory | containment | runaway | busy | tail | idle | build | lateness | demos

scenarios: spawn yield ping_pong chained remote sleeps timeouts mpsc echo_1 echo_64 echo_1024 file memory
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["load", ..] => load::main(&words[1..]),
        ["child", ..] => child::main(&words[1..]),
        ["files", ..] => files::main(&words[1..]),
        ["lanes", ..] => lanes::main(&words[1..]),
        ["peer", ..] => lanes::peer_main(&words[1..]),
        ["memory"] => demos::memory(),
        ["containment"] => demos::containment(),
        ["runaway"] => demos::runaway(),
        ["busy"] => demos::busy(),
        ["tail"] => demos::tail(),
        ["idle"] => demos::idle(),
        ["build"] => demos::build(),
        ["lateness"] => demos::lateness(),
        ["demos"] => demos::all(),
        ["one", ..] => sync::one(&words[1..]),
        ["sync", ..] => compare(sync::scenarios(), &words[1..]),
        ["--help" | "-h" | "help"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => compare(scenarios(), &words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("compare: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Name, program on Zokio, program on Tokio.
fn scenarios() -> Vec<Scenario> {
    macro_rules! both {
        ($($name:literal: $function:ident($($argument:expr),*);)*) => {
            vec![$(Scenario {
                name: $name,
                zokio: |flavor| on_zokio::under::$function(flavor $(, $argument)*),
                tokio: |flavor| on_tokio::under::$function(flavor $(, $argument)*),
            }),*]
        };
    }
    let mut list = both! {
        "spawn": spawn();
        "yield": yield_now();
        "ping_pong": ping_pong();
        "chained": chained();
        "remote": remote();
        "sleeps": sleeps();
        "timeouts": timeouts();
        "mpsc": mpsc();
        "echo_1": echo(1);
        "echo_64": echo(64);
        "echo_1024": echo(1024);
        "file": file();
    };
    list.push(Scenario {
        name: "memory",
        zokio: |flavor| child::memory("zokio", flavor),
        tokio: |flavor| child::memory("tokio", flavor),
    });
    list
}

fn compare(mut list: Vec<Scenario>, words: &[&str]) -> Result<(), String> {
    let (mut rounds, mut workers, mut flavor, mut filter) = (10usize, 2usize, "both", Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .copied()
                .ok_or(format!("{word} needs a value\n{USAGE}"))
        };
        let number = |text: &str| text.parse().map_err(|_| format!("not a number: {text}"));
        match *word {
            "--rounds" => rounds = number(value()?)?,
            "--workers" => workers = number(value()?)?,
            "--flavor" => flavor = value()?,
            name if !name.starts_with('-') => filter.push(name.to_string()),
            other => return Err(format!("no option `{other}`\n{USAGE}")),
        }
    }
    let flavors = match flavor {
        "multi" => vec![Flavor::Multi(workers)],
        "current" => vec![Flavor::Current],
        "both" => vec![Flavor::Multi(workers), Flavor::Current],
        other => return Err(format!("no flavor `{other}`")),
    };
    if !filter.is_empty() {
        list.retain(|s| filter.iter().any(|f| s.name == f.as_str()));
    }
    if list.is_empty() || rounds == 0 || workers == 0 {
        return Err(format!("nothing to do\n{USAGE}"));
    }
    println!(
        "Zokio {} beside Tokio 1.54.1: {}",
        env!("CARGO_PKG_VERSION"),
        os::machine()
    );
    println!(
        "{rounds} rounds in turns; below 1 is Zokio ahead; spread is the least and greatest ratio of one round\n"
    );
    for flavor in flavors {
        let rows = measure::rounds(&list, flavor, rounds);
        println!("{}", measure::table(flavor, &rows));
    }
    Ok(())
}

/// One measured quantity; less is better.
fn metric(name: &'static str, unit: &'static str, value: f64) -> Metric {
    Metric { name, unit, value }
}
