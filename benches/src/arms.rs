//! Programs of several arms, in turns: what `compare files` and `compare lanes` print.
//!
//! Every round runs every arm of every program, in an order that moves on by one each round, so that
//! none always finds the caches as the same neighbour left them. Each arm returns a sum over what it
//! did, which has to be the expected one: nothing is measured that did not happen. Processor time is
//! user and system time of the whole process (`getrusage`), threads of pools and of the kernel's
//! rings included.

use std::time::{Duration, Instant};

use crate::measure::{median, quantile};
use crate::os;

/// One way to do what a program does.
pub(crate) struct Arm {
    name: &'static str,
    run: Box<dyn Fn() -> u64>,
}

/// A program that is run in several ways.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// By which the costs of a run are divided.
    pub(crate) operations: usize,
    /// The first is what the others are compared with.
    pub(crate) arms: Vec<Arm>,
    /// The result that each arm has to return.
    pub(crate) expected: u64,
}

/// Makes an arm.
pub(crate) fn arm(name: &'static str, run: impl Fn() -> u64 + 'static) -> Arm {
    Arm {
        name,
        run: Box::new(run),
    }
}

/// The settings of the command line.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) workers: usize,
    /// Names of programs; all of them if there are none.
    filter: Vec<String>,
}

impl Options {
    /// Reads `[--rounds N] [--workers N] [NAME..]`.
    pub(crate) fn parse(words: &[&str], usage: &str) -> Result<Self, String> {
        let mut options = Self {
            rounds: 7,
            workers: 2,
            filter: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                let number = words.next().and_then(|word| word.parse::<usize>().ok());
                number.filter(|&n| n > 0).ok_or(usage)
            };
            match *word {
                "--rounds" => options.rounds = number()?,
                "--workers" => options.workers = number()?,
                name if !name.starts_with('-') => options.filter.push(name.into()),
                _ => return Err(usage.into()),
            }
        }
        Ok(options)
    }

    /// Runs the chosen ones of `programs`, and prints what they cost.
    pub(crate) fn run(&self, mut programs: Vec<Program>, usage: &str) -> Result<(), String> {
        let chosen = |name: &str| self.filter.is_empty() || self.filter.iter().any(|f| f == name);
        programs.retain(|program| chosen(program.name));
        if programs.is_empty() {
            return Err(usage.into());
        }
        println!("{} workers: {}", self.workers, os::machine());
        println!(
            "{} rounds in turns after one that does not count; medians for each operation; ratios to the\n\
             first line; spread is the least and greatest ratio of one round\n",
            self.rounds
        );
        for program in programs {
            let arms = program.arms.len();
            let mut costs = vec![Vec::new(); arms];
            for round in 0..=self.rounds {
                eprintln!("{}: round {round} of {}", program.name, self.rounds);
                for turn in 0..arms {
                    let index = (turn + round) % arms;
                    let cost = measure(&program, &program.arms[index]);
                    if round > 0 {
                        costs[index].push(cost);
                    }
                }
            }
            print(&program, &costs);
        }
        Ok(())
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

fn measure(program: &Program, arm: &Arm) -> Cost {
    let (before, started) = (processor_time(), Instant::now());
    let sum = (arm.run)();
    let wall = started.elapsed();
    let processor = processor_time().saturating_sub(before);
    assert_eq!(
        sum, program.expected,
        "{}: what {} did is not what was to be done",
        program.name, arm.name
    );
    let per = |time: Duration| time.as_nanos() as f64 / 1e3 / program.operations as f64;
    Cost {
        processor: per(processor),
        wall: per(wall),
    }
}

fn print(program: &Program, costs: &[Vec<Cost>]) {
    println!(
        "{:<34} {:>9} {:>6}  {:<13} {:>9} {:>6}",
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
            "{:<34} {:>9.2} {:>6.2}  {spread:<13} {wall:>9.2} {:>6.2}",
            arm.name,
            median(&processor),
            median(&processor) / median(&base_processor),
            wall / base_wall,
        );
    }
    println!();
}
