//! `cargo xtask compat SUITE`: a published package's own tests, unchanged, over the facade.
//!
//! 1. [`host`] lets Cargo fetch the published package and puts its tests into a scratch package
//!    below the target folder, without the package's lock file. Nothing of it enters the repository.
//! 2. The scratch package patches `tokio` to the facade. Cargo only warns when a patch is not used
//!    and then silently builds real Tokio, so the runner asserts three things before it believes a
//!    result: the only `tokio` 1.x in the graph is the facade, the lock file lists no unused patch,
//!    and a test that names the facade's marker compiles and passes.
//! 3. [`build`](mod@build) builds file by file, so that one missing item costs one file.
//! 4. Each test runs in a process of its own with a time-out.
//! 5. [`report`] prints the table, beside the same on real Tokio (made once, kept in the target
//!    folder), and holds the total against `docs/compat-counts.txt`.

mod build;
mod host;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::testbin::{self, Report, Settings, Test, Verdict};
use crate::{Outcome, cmd};

/// The suites by name.
pub(crate) const SUITES: &[&str] = &["tokio", "tokio-util", "tokio-stream", "tokio-test"];

/// The longest a single test may run, unless `--timeout` says otherwise. The slowest on real Tokio
/// takes 37 s on two busy cores.
const TEST_LIMIT: Duration = Duration::from_secs(90);

/// Over which `tokio` a suite is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Facade,
    RealTokio,
}

#[derive(Debug)]
struct Options {
    suite: &'static host::Suite,
    files: Vec<String>,
    baseline: bool,
    record: bool,
    verbose: bool,
    limit: Duration,
    jobs: usize,
}

/// The outcome of one test file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct FileCount {
    compiled: bool,
    passed: usize,
    failed: usize,
    ignored: usize,
}

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Outcome {
    let options = parse(args)?;
    if options.baseline {
        return make_baseline(&options);
    }
    if options.files.is_empty() && report::load_baseline(options.suite).is_none() {
        println!("first the same on real Tokio, to compare with; its counts are kept");
        make_baseline(&options)?;
    }
    let (counts, reports) = run_over(&options, Over::Facade)?;
    let details = report::save_failures(options.suite, &reports)?;
    report::print_failures(&reports, options.verbose);
    report::print_unsteady(&reports);
    report::print_table(&counts, report::load_baseline(options.suite).as_ref());
    println!("output of failed tests: {}", details.display());
    if !options.files.is_empty() {
        return Ok(());
    }
    report::judge(options.suite, &counts, options.record)
}

/// Runs the suite on real Tokio and keeps the counts.
fn make_baseline(options: &Options) -> Outcome {
    let (counts, reports) = run_over(options, Over::RealTokio)?;
    report::print_failures(&reports, options.verbose);
    report::print_table(&counts, Some(&counts));
    if options.files.is_empty() {
        report::save_baseline(options.suite, &counts)?;
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Options, String> {
    let usage = || {
        format!(
            "usage: cargo xtask compat {} [FILE..] [--baseline] [--record] [--verbose] [--timeout SECONDS] [--jobs N]",
            SUITES.join("|")
        )
    };
    let (name, rest) = args.split_first().ok_or_else(usage)?;
    let suite = host::find(name).ok_or_else(usage)?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        suite,
        files: Vec::new(),
        baseline: false,
        record: false,
        verbose: false,
        limit: TEST_LIMIT,
        jobs,
    };
    let mut rest = rest.iter();
    let number = |text: Option<&String>| text.and_then(|t| t.parse::<u64>().ok()).ok_or_else(usage);
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--baseline" => options.baseline = true,
            "--record" => options.record = true,
            "--verbose" => options.verbose = true,
            "--timeout" => options.limit = Duration::from_secs(number(rest.next())?),
            "--jobs" => options.jobs = number(rest.next())? as usize,
            flag if flag.starts_with('-') => return Err(usage()),
            file => options.files.push(file.trim_end_matches(".rs").to_string()),
        }
    }
    Ok(options)
}

fn run_over(
    options: &Options,
    over: Over,
) -> Result<(BTreeMap<String, FileCount>, Vec<Report>), String> {
    let folder = host::prepare(options.suite, over)?;
    let mut files = host::test_files(&folder)?;
    if !options.files.is_empty() {
        files.retain(|file| file == host::MARKER || options.files.contains(file));
    }
    let built = build::build(&folder, &files)?;
    let settings = Settings {
        folder,
        environment: vec![("RUST_BACKTRACE".into(), "0".into())],
        limit: options.limit,
        jobs: options.jobs,
        retries: 1,
    };
    assert_marker(over, &built, &settings)?;
    let mut counts: BTreeMap<String, FileCount> = BTreeMap::new();
    let mut tests: Vec<Test> = Vec::new();
    for file in files.iter().filter(|file| *file != host::MARKER) {
        let count = counts.entry(file.clone()).or_default();
        if let Some(binary) = built.get(file) {
            count.compiled = true;
            tests.extend(testbin::list(file, binary, &settings)?);
        }
    }
    let reports = testbin::run(&tests, &settings, |report| {
        if matches!(report.verdict, Verdict::Failed | Verdict::TimedOut) {
            eprintln!(
                "{:?} {}::{} {:.1} s",
                report.verdict, report.test.group, report.test.name, report.seconds
            );
        }
    });
    for report in &reports {
        let count = counts.entry(report.test.group.clone()).or_default();
        match report.verdict {
            Verdict::Passed => count.passed += 1,
            Verdict::Ignored => count.ignored += 1,
            Verdict::Failed | Verdict::TimedOut => count.failed += 1,
        }
    }
    Ok((counts, reports))
}

/// A suite that does not see the marker has run on something else.
fn assert_marker(over: Over, built: &BTreeMap<String, PathBuf>, settings: &Settings) -> Outcome {
    if over == Over::RealTokio {
        return Ok(());
    }
    let binary = built.get(host::MARKER).ok_or(
        "the test that names the facade's marker does not compile: this is not the facade, or the \
         facade does not build (messages above)",
    )?;
    let tests = testbin::list(host::MARKER, binary, settings)?;
    let reports = testbin::run(&tests, settings, |_| {});
    let passed = reports.len() == 1 && reports[0].verdict == Verdict::Passed;
    if passed {
        Ok(())
    } else {
        Err("the facade's marker is not there".into())
    }
}

/// Where everything of a suite lies.
fn suite_folder(suite: &host::Suite) -> PathBuf {
    cmd::target_dir()
        .join("compat")
        .join(format!("{}-{}", suite.package, suite.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn arguments_are_read_and_checked() {
        let options = parse(&words(
            "tokio sync_mpsc.rs fs --verbose --timeout 7 --jobs 3",
        ))
        .unwrap();
        assert_eq!(options.files, ["sync_mpsc", "fs"]);
        assert_eq!((options.limit, options.jobs), (Duration::from_secs(7), 3));
        assert!(options.verbose && !options.record && !options.baseline);
        for wrong in [
            "",
            "hyper",
            "tokio --timeout",
            "tokio --timeout x",
            "tokio --what",
        ] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_suite_is_known() {
        assert!(SUITES.iter().all(|name| host::find(name).is_some()));
    }
}
