//! Files beside Tokio, a plain thread, and another runtime on rings: `compare files`.
//!
//! Every round runs every arm of every program, in an order that moves on by one each round, so that
//! none always finds the cache as the same neighbour left it. Each arm returns a sum over what it
//! read, which has to be the one that the contents were made with: nothing is measured that did
//! not happen. Processor time is user and system time of the whole process (`getrusage`), threads of
//! pools and of the kernel's rings included.

mod on_tokio;
mod on_zokio;
mod others;
mod tree;

use std::time::{Duration, Instant};

use crate::measure::{median, quantile};
use crate::os;
use tree::Tree;

/// How many reads are under way at once.
pub(crate) const IN_FLIGHT: usize = 32;
/// How many reads a round of an arm makes.
pub(crate) const READS: usize = 64_000;
/// How many times a round of an arm appends and syncs.
pub(crate) const APPENDS: usize = 200;
/// How many bytes each of these appends.
pub(crate) const APPENDED: usize = 512;

const USAGE: &str =
    "usage: compare files [--rounds N] [--workers N] [reads|small_1|small_32|append]..";

/// What an arm does, and the sum over what it saw.
type Run = Box<dyn Fn(&Tree) -> u64>;

struct Arm {
    name: &'static str,
    run: Run,
}

struct Program {
    name: &'static str,
    operations: usize,
    /// The first is what the others are compared with.
    arms: Vec<Arm>,
    expected: fn(&Tree) -> u64,
}

fn arm(name: &'static str, run: impl Fn(&Tree) -> u64 + 'static) -> Arm {
    Arm {
        name,
        run: Box::new(run),
    }
}

fn reads(workers: usize) -> Program {
    Program {
        name: "reads",
        operations: READS,
        arms: vec![
            arm("Tokio, seek and read", move |t| {
                on_tokio::seek_and_read(t, workers)
            }),
            arm("Tokio, pread on its pool", move |t| {
                others::tokio_pread(t, workers)
            }),
            arm("Zokio, seek and read", move |t| {
                on_zokio::seek_and_read(t, workers)
            }),
            arm("Zokio, read_exact_at", move |t| {
                others::zokio_read_at(t, workers)
            }),
            arm("Zokio, batches", move |t| others::zokio_batches(t, workers)),
            arm("compio, read_exact_at", others::compio_read_at),
            arm("plain thread, pread", others::plain_pread),
        ],
        expected: tree::sum_of_reads,
    }
}

fn small(name: &'static str, in_flight: usize, workers: usize) -> Program {
    Program {
        name,
        operations: tree::FILES,
        arms: vec![
            arm("Tokio, open and read", move |t| {
                on_tokio::open_and_read(t, workers, in_flight)
            }),
            arm("Tokio, fs::read", move |t| {
                on_tokio::whole(t, workers, in_flight)
            }),
            arm("Zokio, open and read", move |t| {
                on_zokio::open_and_read(t, workers, in_flight)
            }),
            arm("Zokio, fs::read", move |t| {
                on_zokio::whole(t, workers, in_flight)
            }),
            arm("compio, open and read", move |t| {
                others::compio_whole(t, in_flight)
            }),
            arm("plain thread, fs::read", others::plain_whole),
        ],
        expected: tree::sum_of_files,
    }
}

fn append(workers: usize) -> Program {
    Program {
        name: "append",
        operations: APPENDS,
        arms: vec![
            arm("Tokio", move |t| on_tokio::append(t, workers)),
            arm("Zokio", move |t| on_zokio::append(t, workers)),
            arm("compio", others::compio_append),
            arm("plain thread", others::plain_append),
        ],
        expected: tree::sum_of_appends,
    }
}

/// User and system time of the process so far.
fn processor_time() -> Duration {
    // SAFETY: zero bits are a valid `rusage`, and the call fills a live one.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), 0);
        usage
    };
    let of = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Microseconds for each operation of one round of an arm: processor and wall.
#[derive(Clone, Copy)]
struct Cost {
    processor: f64,
    wall: f64,
}

fn measure(program: &Program, arm: &Arm, tree: &Tree) -> Cost {
    let (before, started) = (processor_time(), Instant::now());
    let sum = (arm.run)(tree);
    let wall = started.elapsed();
    let processor = processor_time().saturating_sub(before);
    assert_eq!(
        sum,
        (program.expected)(tree),
        "{}: what {} read is not what was there",
        program.name,
        arm.name
    );
    let per = |time: Duration| time.as_nanos() as f64 / 1e3 / program.operations as f64;
    Cost {
        processor: per(processor),
        wall: per(wall),
    }
}

fn print(program: &Program, costs: &[Vec<Cost>]) {
    println!(
        "{:<28} {:>9} {:>6}  {:<13} {:>9} {:>6}",
        program.name, "cpu us", "ratio", "spread", "wall us", "ratio"
    );
    let of = |arm: usize, what: fn(&Cost) -> f64| costs[arm].iter().map(what).collect::<Vec<_>>();
    let base_processor = of(0, |cost| cost.processor);
    let base_wall = median(&of(0, |cost| cost.wall));
    for (index, arm) in program.arms.iter().enumerate() {
        let processor = of(index, |cost| cost.processor);
        let wall = median(&of(index, |cost| cost.wall));
        let ratios: Vec<f64> = processor
            .iter()
            .zip(&base_processor)
            .map(|(a, b)| a / b)
            .collect();
        let spread = format!(
            "{:.2}-{:.2}",
            quantile(&ratios, 0.0),
            quantile(&ratios, 1.0)
        );
        println!(
            "{:<28} {:>9.2} {:>6.2}  {spread:<13} {wall:>9.2} {:>6.2}",
            arm.name,
            median(&processor),
            median(&processor) / median(&base_processor),
            wall / base_wall,
        );
    }
    println!();
}

/// The program: `compare files ..`.
pub(crate) fn main(words: &[&str]) -> Result<(), String> {
    let (mut rounds, mut workers, mut filter) = (7, 2, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let word = words.next().ok_or(USAGE)?;
            word.parse::<usize>().map_err(|_| USAGE)
        };
        match *word {
            "--rounds" => rounds = number()?,
            "--workers" => workers = number()?,
            name if !name.starts_with('-') => filter.push(name),
            _ => return Err(USAGE.into()),
        }
    }
    let mut programs = vec![
        reads(workers),
        small("small_1", 1, workers),
        small("small_32", IN_FLIGHT, workers),
        append(workers),
    ];
    programs.retain(|program| filter.is_empty() || filter.contains(&program.name));
    if programs.is_empty() || rounds == 0 || workers == 0 {
        return Err(USAGE.into());
    }
    println!("Files, {workers} workers: {}", os::machine());
    println!(
        "{rounds} rounds in turns after one that does not count; medians for each operation; ratios to the\n\
         first line; spread is the least and greatest ratio of one round\n"
    );
    let tree = Tree::make();
    for program in programs {
        let arms = program.arms.len();
        let mut costs = vec![Vec::new(); arms];
        for round in 0..=rounds {
            eprintln!("{}: round {round} of {rounds}", program.name);
            for turn in 0..arms {
                let index = (turn + round) % arms;
                let cost = measure(&program, &program.arms[index], &tree);
                if round > 0 {
                    costs[index].push(cost);
                }
            }
        }
        print(&program, &costs);
    }
    Ok(())
}
