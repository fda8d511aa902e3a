//! The plan, its runs on all processors, and the table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::calls::{Call, EXCLUDED, LISTED};
use super::tracer::{self, Fault, Run};
use crate::{Outcome, cmd, table};

/// How the program runs: `ZOKIO_IO`, and how many workers (none: a runtime of one thread).
#[derive(Debug, Clone, Copy)]
struct Way {
    io: &'static str,
    workers: &'static str,
}

const WAYS: [Way; 4] = [
    Way {
        io: "auto",
        workers: "0",
    },
    Way {
        io: "epoll",
        workers: "2",
    },
    Way {
        io: "auto",
        workers: "2",
    },
    Way {
        io: "epoll",
        workers: "0",
    },
];

const PAIRS: usize = 200;
const PAIRS_QUICK: usize = 24;

struct Trial {
    way: Way,
    faults: Vec<(&'static Call, Fault)>,
}

#[derive(Default)]
struct Cell {
    runs: u32,
    met: u32,
    bad: u32,
}

struct Options {
    is_quick: bool,
    pairs: usize,
    seed: u64,
    only: Option<String>,
}

fn options(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        is_quick: false,
        pairs: PAIRS,
        seed: std::process::id().into(),
        only: None,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--quick" => {
                options.is_quick = true;
                options.pairs = PAIRS_QUICK;
            }
            "--pairs" => options.pairs = value()?.parse().map_err(|_| "--pairs N")?,
            "--seed" => options.seed = value()?.parse().map_err(|_| "--seed N")?,
            "--only" => options.only = Some(value()?.clone()),
            other => return Err(format!("no option `{other}`")),
        }
    }
    Ok(options)
}

/// Builds the program, plans, runs, and shows what came of it.
pub(crate) fn run(args: &[String]) -> Outcome {
    let options = options(args)?;
    cmd::run(cmd::cargo(&["build", "--quiet", "-p", "zokio-stress"]))?;
    let program = cmd::target_dir().join("debug/zokio-stress");
    let mut counts = Vec::new();
    for way in WAYS {
        let (run, said) = once(&program, way, &[])?;
        if run.status != Some(0) {
            return Err(format!(
                "{way:?} fails without a fault: {:?}\n{said}",
                run.status
            ));
        }
        counts.push(run.counts);
    }
    let trials = plan(&options, &counts);
    println!("seed {}, {} runs", options.seed, trials.len());
    let (cells, bad) = run_all(&program, &trials);
    show(&options, &counts, &cells);
    for text in &bad {
        println!("{text}");
    }
    let unreached: Vec<&str> = LISTED
        .iter()
        .filter(|call| {
            counts
                .iter()
                .all(|of_way| !of_way.contains_key(&call.number))
        })
        .map(|call| call.name)
        .collect();
    match (bad.len(), unreached.is_empty()) {
        (0, true) => Ok(()),
        (0, false) => Err(format!("never reached: {}", unreached.join(", "))),
        (count, _) => Err(format!("{count} runs failed")),
    }
}

/// One run. Returns what the program said, too.
fn once(program: &Path, way: Way, faults: &[Fault]) -> Result<(Run, String), String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let log: PathBuf =
        cmd::target_dir().join(format!("faults-{}-{number}.log", std::process::id()));
    let file = std::fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let twin = file.try_clone().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command
        .args(["--faults", way.workers])
        .env("ZOKIO_IO", way.io);
    command.env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(file).stderr(twin);
    let run = tracer::run(&mut command, faults).map_err(|e| format!("tracing: {e}"));
    let said = std::fs::read(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    Ok((run?, String::from_utf8_lossy(&said).into_owned()))
}

fn plan(options: &Options, counts: &[BTreeMap<i64, u64>]) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut singles = Vec::new();
    let chosen = |call: &&Call| options.only.as_ref().is_none_or(|only| only == call.name);
    for call in LISTED.iter().filter(chosen) {
        for (at, &error) in call.errors.iter().enumerate() {
            for (index, &way) in WAYS.iter().enumerate() {
                let count = counts[index].get(&call.number).copied().unwrap_or(0);
                for nth in BTreeSet::from([1, 2, count.div_ceil(2), count]) {
                    if nth == 0 || nth > count {
                        continue;
                    }
                    let fault = Fault {
                        call: call.number,
                        nth,
                        error,
                        is_done: call.is_done,
                    };
                    singles.push((way, (call, fault), at, index));
                }
            }
        }
    }
    for (way, fault, ..) in &singles {
        trials.push(Trial {
            way: *way,
            faults: vec![*fault],
        });
    }
    if options.is_quick {
        trials = quick(&singles);
    }
    let mut random = options.seed.wrapping_mul(2).wrapping_add(1);
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    for _ in 0..options.pairs {
        let one = &singles[next(singles.len())];
        let of_way: Vec<_> = singles.iter().filter(|it| it.3 == one.3).collect();
        let other = of_way[next(of_way.len())];
        trials.push(Trial {
            way: one.0,
            faults: vec![one.1, other.1],
        });
    }
    trials
}

type Single = (Way, (&'static Call, Fault), usize, usize);

/// Each call once with each error: with the ways and the occurrences in turn.
fn quick(singles: &[Single]) -> Vec<Trial> {
    let mut groups: BTreeMap<(i64, usize), Vec<&Single>> = BTreeMap::new();
    for single in singles {
        groups
            .entry((single.1.0.number, single.2))
            .or_default()
            .push(single);
    }
    let pick = |(turn, group): (usize, Vec<&Single>)| {
        let single = group[turn * 5 % group.len()];
        Trial {
            way: single.0,
            faults: vec![single.1],
        }
    };
    groups.into_values().enumerate().map(pick).collect()
}

type Cells = BTreeMap<(&'static str, i32), Cell>;

fn run_all(program: &Path, trials: &[Trial]) -> (Cells, Vec<String>) {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((Cells::new(), Vec::new()));
    let work = || {
        while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
            let faults: Vec<Fault> = trial.faults.iter().map(|it| it.1).collect();
            let result = once(program, trial.way, &faults);
            let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
            let (is_bad, met, why) = match &result {
                Ok((run, said)) => (
                    run.status != Some(0),
                    run.met,
                    format!("{:?}\n{said}", run.status),
                ),
                Err(why) => (true, 0, why.clone()),
            };
            for (call, fault) in &trial.faults {
                let cell = results.0.entry((call.name, fault.error)).or_default();
                cell.runs += 1;
                cell.met += u32::from(met == trial.faults.len());
                cell.bad += u32::from(is_bad);
            }
            if is_bad {
                let names: Vec<String> = trial
                    .faults
                    .iter()
                    .map(|(call, fault)| {
                        format!("{} {} at {}", call.name, name_of(fault.error), fault.nth)
                    })
                    .collect();
                results.1.push(format!(
                    "BAD {:?}: {}: {why}",
                    trial.way,
                    names.join(" and ")
                ));
            }
        }
    };
    std::thread::scope(|scope| {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..count {
            scope.spawn(work);
        }
    });
    results.into_inner().unwrap_or_else(|e| e.into_inner())
}

/// The words of an error, without its number.
fn name_of(error: i32) -> String {
    let text = std::io::Error::from_raw_os_error(error).to_string();
    text.split(" (os").next().unwrap_or(&text).to_owned()
}

fn show(options: &Options, counts: &[BTreeMap<i64, u64>], cells: &Cells) {
    let mut rows = Vec::new();
    for ((name, error), cell) in cells {
        let number = LISTED
            .iter()
            .find(|call| call.name == *name)
            .map(|call| call.number);
        let occurs = counts
            .iter()
            .filter_map(|of_way| of_way.get(&number?))
            .max();
        let words = [
            occurs.copied().unwrap_or(0),
            cell.runs.into(),
            cell.met.into(),
            cell.bad.into(),
        ];
        let mut row = vec![format!("{name}: {}", name_of(*error))];
        row.extend(words.map(|word| word.to_string()));
        rows.push(row);
    }
    let heads = ["call and error", "calls of a run", "runs", "met", "bad"];
    print!("{}", table::render(&heads, &rows));
    let seen: BTreeSet<i64> = counts
        .iter()
        .flat_map(|of_way| of_way.keys().copied())
        .collect();
    let reached = LISTED
        .iter()
        .filter(|call| seen.contains(&call.number))
        .count();
    println!(
        "{reached} of {} listed calls reached, seed {}",
        LISTED.len(),
        options.seed
    );
    for (name, number, why) in EXCLUDED {
        if seen.contains(number) {
            println!("never refused: {name}: {why}");
        }
    }
    let is_named = |number: &i64| {
        LISTED.iter().any(|call| call.number == *number)
            || EXCLUDED.iter().any(|(_, excluded, _)| excluded == number)
    };
    let others: Vec<String> = seen
        .iter()
        .filter(|it| !is_named(it))
        .map(i64::to_string)
        .collect();
    if !others.is_empty() {
        println!("made and not listed, by number: {}", others.join(" "));
    }
}
