//! Files beside Tokio, a plain thread, and another runtime on rings: `compare files`.
//!
//! Each arm returns a sum over what it read, and the expected one is that of what the contents were
//! made of.

mod on_tokio;
mod on_zokio;
mod others;
mod tree;

use std::rc::Rc;

use crate::arms::{Arm, Options, Program, arm};
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

/// Arms that work on a tree.
struct Arms {
    tree: Rc<Tree>,
    arms: Vec<Arm>,
}

impl Arms {
    fn of(tree: &Rc<Tree>) -> Self {
        Self {
            tree: tree.clone(),
            arms: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, run: impl Fn(&Tree) -> u64 + 'static) -> Self {
        let tree = self.tree.clone();
        self.arms.push(arm(name, move || run(&tree)));
        self
    }
}

fn reads(tree: &Rc<Tree>, workers: usize) -> Program {
    Program {
        name: "reads",
        operations: READS,
        arms: Arms::of(tree)
            .with("Tokio, seek and read", move |t| {
                on_tokio::seek_and_read(t, workers)
            })
            .with("Tokio, pread on its pool", move |t| {
                others::tokio_pread(t, workers)
            })
            .with("Zokio, seek and read", move |t| {
                on_zokio::seek_and_read(t, workers)
            })
            .with("Zokio, read_exact_at", move |t| {
                others::zokio_read_at(t, workers)
            })
            .with("Zokio, batches", move |t| others::zokio_batches(t, workers))
            .with("compio, read_exact_at", others::compio_read_at)
            .with("plain thread, pread", others::plain_pread)
            .arms,
        expected: tree::sum_of_reads(),
    }
}

fn small(tree: &Rc<Tree>, name: &'static str, in_flight: usize, workers: usize) -> Program {
    Program {
        name,
        operations: tree::FILES,
        arms: Arms::of(tree)
            .with("Tokio, open and read", move |t| {
                on_tokio::open_and_read(t, workers, in_flight)
            })
            .with("Tokio, fs::read", move |t| {
                on_tokio::whole(t, workers, in_flight)
            })
            .with("Zokio, open and read", move |t| {
                on_zokio::open_and_read(t, workers, in_flight)
            })
            .with("Zokio, fs::read", move |t| {
                on_zokio::whole(t, workers, in_flight)
            })
            .with("compio, open and read", move |t| {
                others::compio_whole(t, in_flight)
            })
            .with("plain thread, fs::read", others::plain_whole)
            .arms,
        expected: tree::sum_of_files(),
    }
}

fn append(tree: &Rc<Tree>, workers: usize) -> Program {
    Program {
        name: "append",
        operations: APPENDS,
        arms: Arms::of(tree)
            .with("Tokio", move |t| on_tokio::append(t, workers))
            .with("Zokio", move |t| on_zokio::append(t, workers))
            .with("compio", others::compio_append)
            .with("plain thread", others::plain_append)
            .arms,
        expected: tree::sum_of_appends(),
    }
}

/// The program: `compare files ..`.
pub(crate) fn main(words: &[&str]) -> Result<(), String> {
    let options = Options::parse(words, USAGE)?;
    let workers = options.workers;
    let tree = Rc::new(Tree::make());
    let programs = vec![
        reads(&tree, workers),
        small(&tree, "small_1", 1, workers),
        small(&tree, "small_32", IN_FLIGHT, workers),
        append(&tree, workers),
    ];
    options.run(programs, USAGE)
}
