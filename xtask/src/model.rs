//! `cargo xtask model`: loom models and shuttle runs of every crate that has them.
//!
//! A crate has models when its sources say `cfg(all(test, zokio_loom))`, and random schedules when they
//! say `cfg(all(test, zokio_shuttle))`. Each cfg rebuilds the world, so each has a target folder of its
//! own. A model that runs longer than its time-out fails: the bound of two preemptions keeps every
//! model finite, and the table shows which one grows.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::table;
use crate::testbin::{self, Report, Settings, Test, Verdict};
use crate::{Outcome, cmd};

/// The longest a model may run with `--quick`.
const QUICK_LIMIT: Duration = Duration::from_secs(90);
/// The longest a model may run otherwise.
const FULL_LIMIT: Duration = Duration::from_secs(3600);
/// The longest all models together may run with `--quick`; builds are not counted.
const QUICK_TOTAL: Duration = Duration::from_secs(600);

/// A way of running the same tests.
#[derive(Clone, Copy)]
struct Checker {
    /// The library, the feature of `zokio-base` that brings it, and the last part of the cfg that selects it; `zokio_model` says that there is one.
    name: &'static str,
    marks: &'static [&'static str],
    /// Only tests whose path has this word.
    word: &'static str,
}

const LOOM: Checker = Checker {
    name: "loom",
    marks: &["cfg(all(test, zokio_loom"],
    word: "model",
};
const SHUTTLE: Checker = Checker {
    name: "shuttle",
    marks: &["cfg(all(test, zokio_shuttle"],
    word: "",
};

struct Options {
    quick: bool,
    package: Option<String>,
    filter: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Outcome {
    let mut options = Options {
        quick: false,
        package: None,
        filter: None,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.quick = true,
            "-p" => options.package = Some(args.next().ok_or("-p needs a crate")?.clone()),
            filter if !filter.starts_with('-') => options.filter = Some(filter.to_string()),
            _ => return Err(format!("model: no option `{arg}`")),
        }
    }
    let started = Instant::now();
    let mut reports = Vec::new();
    for checker in [LOOM, SHUTTLE] {
        reports.extend(check(checker, &options)?);
    }
    print_table(&reports);
    let failed = reports
        .iter()
        .filter(|(_, r)| r.verdict != Verdict::Passed)
        .count();
    let seconds: f64 = reports.iter().map(|(_, r)| r.seconds).sum();
    println!(
        "{} models, {seconds:.1} s (with builds {:.0} s)",
        reports.len(),
        started.elapsed().as_secs_f64()
    );
    if failed > 0 {
        return Err(format!("{failed} models failed"));
    }
    if options.quick && seconds > QUICK_TOTAL.as_secs_f64() {
        return Err(format!(
            "the models take {seconds:.0} s, more than {} s",
            QUICK_TOTAL.as_secs()
        ));
    }
    Ok(())
}

fn check(checker: Checker, options: &Options) -> Result<Vec<(&'static str, Report)>, String> {
    let folder = cmd::root();
    let settings = Settings {
        folder: folder.clone(),
        environment: vec![("RUST_BACKTRACE".into(), "0".into())],
        limit: if options.quick {
            QUICK_LIMIT
        } else {
            FULL_LIMIT
        },
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
        retries: 0,
    };
    let mut tests: Vec<Test> = Vec::new();
    for package in packages(&folder, checker)? {
        if options
            .package
            .as_ref()
            .is_some_and(|wanted| *wanted != package)
        {
            continue;
        }
        for (_, binary) in build(checker, &package)? {
            tests.extend(testbin::list(&package, &binary, &settings)?);
        }
    }
    let wanted = |test: &Test| {
        test.name.contains(checker.word)
            && options
                .filter
                .as_ref()
                .is_none_or(|filter| test.name.contains(filter.as_str()))
    };
    tests.retain(wanted);
    let reports = testbin::run(&tests, &settings, |report| {
        eprintln!(
            "{} {} {}: {:?}, {:.1} s",
            checker.name, report.test.group, report.test.name, report.verdict, report.seconds
        );
        if report.verdict != Verdict::Passed {
            eprintln!("{}", report.output);
        }
    });
    Ok(reports
        .into_iter()
        .map(|report| (checker.name, report))
        .collect())
}

/// The crates whose sources have one of the checker's marks.
fn packages(root: &Path, checker: Checker) -> Result<Vec<String>, String> {
    let crates = root.join("crates");
    let entries = std::fs::read_dir(&crates).map_err(|e| format!("{}: {e}", crates.display()))?;
    let mut names = Vec::new();
    for entry in entries.flatten() {
        if has_mark(&entry.path().join("src"), checker.marks) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    if has_mark(&root.join("stress/src"), checker.marks) {
        names.push("zokio-stress".into());
    }
    names.sort();
    Ok(names)
}

fn has_mark(folder: &Path, marks: &[&str]) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return has_mark(&path, marks);
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        marks.iter().any(|mark| text.contains(mark))
    })
}

fn build(checker: Checker, package: &str) -> Result<Vec<(String, std::path::PathBuf)>, String> {
    let mut command = cmd::cargo(&[
        "test",
        "--release",
        "--lib",
        "--no-run",
        "--message-format=json-render-diagnostics",
        "-p",
        package,
    ]);
    let feature = match package {
        "zokio-base" => checker.name.into(),
        _ => format!("zokio-base/{}", checker.name),
    };
    command.args(["--features", &feature]);
    command.env(
        "RUSTFLAGS",
        format!("--cfg zokio_model --cfg zokio_{}", checker.name),
    );
    command.env("CARGO_TARGET_DIR", cmd::target_dir().join(checker.name));
    eprintln!("$ {}", cmd::show(&command));
    Ok(testbin::executables(&cmd::capture(command)?))
}

fn print_table(reports: &[(&'static str, Report)]) {
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|(cfg, report)| {
            let name = format!("{} {}", report.test.group, report.test.name);
            let seconds = format!("{:.2}", report.seconds);
            vec![
                name,
                (*cfg).to_string(),
                seconds,
                format!("{:?}", report.verdict).to_lowercase(),
            ]
        })
        .collect();
    print!(
        "{}",
        table::render(&["model", "by", "seconds", "result"], &rows)
    );
}
