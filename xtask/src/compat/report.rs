//! The table of a suite, its baseline on real Tokio, and the recorded total that may not fall.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::compat::host::Suite;
use crate::compat::{FileCount, suite_folder};
use crate::testbin::{Report, Verdict};
use crate::{Outcome, cmd, table};

type Counts = BTreeMap<String, FileCount>;

/// Prints one row per file and the totals.
pub(super) fn print_table(counts: &Counts, baseline: Option<&Counts>) {
    let heading = [
        "file",
        "passed",
        "failed",
        "not compiled",
        "ignored",
        "Tokio passed",
        "Tokio failed",
    ];
    let mut rows = Vec::new();
    let mut total = [0usize; 6];
    let mut uncompiled = 0;
    for (file, count) in counts {
        let real = baseline
            .and_then(|b| b.get(file))
            .cloned()
            .unwrap_or_default();
        // How many tests a file that does not compile has, only the baseline knows.
        let lost = if count.compiled {
            0
        } else {
            real.passed + real.failed
        };
        uncompiled += usize::from(!count.compiled);
        let numbers = [
            count.passed,
            count.failed,
            lost,
            count.ignored,
            real.passed,
            real.failed,
        ];
        for (sum, number) in total.iter_mut().zip(numbers) {
            *sum += number;
        }
        if count.compiled && numbers == [0; 6] {
            continue;
        }
        let mut row = vec![file.clone()];
        row.extend(numbers.iter().map(|n| {
            if *n == 0 {
                String::new()
            } else {
                n.to_string()
            }
        }));
        if !count.compiled {
            row[3] = if lost == 0 {
                "file".into()
            } else {
                lost.to_string()
            };
        }
        rows.push(row);
    }
    let mut last = vec!["total".to_string()];
    last.extend(total.iter().map(usize::to_string));
    rows.push(last);
    print!("{}", table::render(&heading, &rows));
    println!("{} files, {uncompiled} of them not compiled", counts.len());
    if baseline.is_none() {
        println!(
            "(nothing on real Tokio yet: `--baseline` runs the suite there and keeps the counts)"
        );
    }
}

/// Names what failed; with `verbose` also the end of its output.
pub(super) fn print_failures(reports: &[Report], verbose: bool) {
    for report in reports.iter().filter(|r| is_failure(r)) {
        if verbose {
            let tail: Vec<&str> = report.output.lines().rev().take(6).collect();
            println!(
                "{:?} {}::{}",
                report.verdict, report.test.group, report.test.name
            );
            for line in tail.iter().rev() {
                println!("    {line}");
            }
        }
    }
}

/// Names what passed, but not the first time: it counts as passed, and somebody should look at it.
pub(super) fn print_unsteady(reports: &[Report]) {
    let passed = reports.iter().filter(|r| r.verdict == Verdict::Passed);
    for report in passed.filter(|r| r.runs > 1) {
        let Report { test, runs, .. } = report;
        println!("passed in run {runs} only: {}::{}", test.group, test.name);
    }
}

fn is_failure(report: &Report) -> bool {
    matches!(report.verdict, Verdict::Failed | Verdict::TimedOut)
}

/// Writes the output of every failed test to one file.
pub(super) fn save_failures(suite: &Suite, reports: &[Report]) -> Result<PathBuf, String> {
    let path = suite_folder(suite).join("failures.txt");
    let mut text = String::new();
    for report in reports.iter().filter(|r| is_failure(r)) {
        text.push_str(&format!(
            "==== {:?} {}::{} after {:.2} s\n{}\n",
            report.verdict, report.test.group, report.test.name, report.seconds, report.output
        ));
    }
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

fn baseline_path(suite: &Suite) -> PathBuf {
    suite_folder(suite).join("baseline.txt")
}

/// Keeps the counts of a run on real Tokio in the target folder.
pub(super) fn save_baseline(suite: &Suite, counts: &Counts) -> Outcome {
    let path = baseline_path(suite);
    let mut text = String::new();
    for (file, count) in counts {
        let FileCount {
            compiled,
            passed,
            failed,
            ignored,
        } = count;
        text.push_str(&format!("{file} {compiled} {passed} {failed} {ignored}\n"));
    }
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The kept counts, when there are any.
pub(super) fn load_baseline(suite: &Suite) -> Option<Counts> {
    parse_baseline(&fs::read_to_string(baseline_path(suite)).ok()?)
}

fn parse_baseline(text: &str) -> Option<Counts> {
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [file, compiled, passed, failed, ignored] = words[..] else {
                return None;
            };
            let count = FileCount {
                compiled: compiled == "true",
                passed: passed.parse().ok()?,
                failed: failed.parse().ok()?,
                ignored: ignored.parse().ok()?,
            };
            Some((file.to_string(), count))
        })
        .collect()
}

/// Fails when fewer tests pass than are recorded; records when asked to.
pub(super) fn judge(suite: &Suite, counts: &Counts, record: bool) -> Outcome {
    let passed: usize = counts.values().map(|count| count.passed).sum();
    let path = cmd::root().join("docs/compat-counts.txt");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let recorded = recorded(&text, suite);
    println!(
        "{} {}: {passed} passed, {} recorded",
        suite.package,
        suite.version,
        recorded.unwrap_or(0)
    );
    if record {
        let text = with_record(&text, suite, passed);
        return fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()));
    }
    match recorded {
        Some(recorded) if passed < recorded => Err(format!(
            "{} tests fewer pass than docs/compat-counts.txt records",
            recorded - passed
        )),
        _ => Ok(()),
    }
}

const HEADING: &str = "# Tests of each published suite that pass over the facade: `cargo xtask compat SUITE --record`.\n";

fn recorded(text: &str, suite: &Suite) -> Option<usize> {
    let prefix = format!("{} {} ", suite.package, suite.version);
    text.lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .and_then(|n| n.trim().parse().ok())
}

fn with_record(text: &str, suite: &Suite, passed: usize) -> String {
    let other =
        |line: &&str| !line.starts_with('#') && !line.starts_with(&format!("{} ", suite.package));
    let mut lines: Vec<String> = text.lines().filter(other).map(str::to_string).collect();
    lines.push(format!("{} {} {passed}", suite.package, suite.version));
    lines.sort();
    format!("{HEADING}{}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::host::find;

    #[test]
    fn records_are_kept_per_suite() {
        let (tokio, util) = (find("tokio").unwrap(), find("tokio-util").unwrap());
        let text = with_record("", tokio, 7);
        let text = with_record(&text, util, 3);
        let text = with_record(&text, tokio, 9);
        assert_eq!(
            (recorded(&text, tokio), recorded(&text, util)),
            (Some(9), Some(3))
        );
        assert_eq!(recorded("", tokio), None);
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn a_baseline_comes_back_as_saved() {
        let counts = parse_baseline("a true 1 2 3\nb false 0 0 0\n").unwrap();
        assert_eq!(
            counts["a"],
            FileCount {
                compiled: true,
                passed: 1,
                failed: 2,
                ignored: 3
            }
        );
        assert!(!counts["b"].compiled);
        assert!(parse_baseline("a true 1\n").is_none());
    }
}
