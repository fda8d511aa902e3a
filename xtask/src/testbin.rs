//! Runs the tests of libtest binaries one process per test, each with a time-out.
//!
//! One process per test keeps a crash, a hang or a leaked signal handler to the test that caused
//! it, and gives seconds per test on the stable toolchain.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::cmd;

/// A test in a binary.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    /// The source of the binary: a crate or a test file.
    pub(crate) group: String,
    pub(crate) binary: PathBuf,
    pub(crate) name: String,
    pub(crate) ignored: bool,
}

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    TimedOut,
    Ignored,
}

/// A test with its end.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) test: Test,
    pub(crate) verdict: Verdict,
    pub(crate) seconds: f64,
    pub(crate) output: String,
    /// How often it was run.
    pub(crate) runs: usize,
}

/// The settings that a run needs beside the tests.
pub(crate) struct Settings {
    pub(crate) folder: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) limit: Duration,
    pub(crate) jobs: usize,
    /// How often a failing test is run again; passing any of these counts as passing.
    pub(crate) retries: usize,
}

/// The test executables that `cargo ... --message-format=json` says it built, with target names.
pub(crate) fn executables(json_lines: &str) -> Vec<(String, PathBuf)> {
    let artifacts = json_lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    artifacts
        .filter(|value| value["reason"] == "compiler-artifact" && value["profile"]["test"] == true)
        .filter_map(|value| {
            let name = value["target"]["name"].as_str()?.to_string();
            Some((name, PathBuf::from(value["executable"].as_str()?)))
        })
        .collect()
}

/// The tests of `binary`, in its order.
pub(crate) fn list(group: &str, binary: &Path, settings: &Settings) -> Result<Vec<Test>, String> {
    let names = |ignored: bool| -> Result<Vec<String>, String> {
        let mut command = command(binary, settings);
        command.args(["--list", "--format", "terse"]);
        if ignored {
            command.arg("--ignored");
        }
        let finished = cmd::run_limited(command, settings.limit)
            .map_err(|e| format!("{}: {e}", binary.display()))?;
        if !finished.status.is_some_and(|s| s.success()) {
            return Err(format!(
                "{group}: cannot list tests: {}",
                finished.output.trim()
            ));
        }
        let tests = finished
            .output
            .lines()
            .filter_map(|line| line.strip_suffix(": test"));
        Ok(tests.map(str::to_string).collect())
    };
    let ignored = names(true)?;
    Ok(names(false)?
        .into_iter()
        .map(|name| Test {
            group: group.to_string(),
            binary: binary.to_path_buf(),
            ignored: ignored.contains(&name),
            name,
        })
        .collect())
}

/// Runs `tests`, several at a time; `done` sees each report as it comes.
pub(crate) fn run(
    tests: &[Test],
    settings: &Settings,
    done: impl Fn(&Report) + Sync,
) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::with_capacity(tests.len()));
    std::thread::scope(|scope| {
        for _ in 0..settings.jobs.max(1) {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = run_one(test, settings);
                    done(&report);
                    reports.lock().expect("no reporter panics").push(report);
                }
            });
        }
    });
    let mut reports = reports.into_inner().expect("no reporter panics");
    let place = |report: &Report| {
        tests
            .iter()
            .position(|t| t.binary == report.test.binary && t.name == report.test.name)
    };
    reports.sort_by_key(place);
    reports
}

fn run_one(test: &Test, settings: &Settings) -> Report {
    let report = |verdict, seconds, output| Report {
        test: test.clone(),
        verdict,
        seconds,
        output,
        runs: 0,
    };
    if test.ignored {
        return report(Verdict::Ignored, 0.0, String::new());
    }
    let mut last = report(Verdict::Failed, 0.0, String::new());
    for run in 1..=settings.retries + 1 {
        let mut command = command(&test.binary, settings);
        command.args([
            test.name.as_str(),
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ]);
        last = match cmd::run_limited(command, settings.limit) {
            Err(error) => report(Verdict::Failed, 0.0, error.to_string()),
            Ok(cmd::Finished {
                status,
                output,
                seconds,
            }) => match status {
                None => report(Verdict::TimedOut, seconds, output),
                Some(status) if status.success() => report(Verdict::Passed, seconds, output),
                Some(status) => report(Verdict::Failed, seconds, format!("{output}\n[{status}]")),
            },
        };
        last.runs = run;
        if last.verdict == Verdict::Passed {
            break;
        }
    }
    last
}

fn command(binary: &Path, settings: &Settings) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(&settings.folder);
    command.env("CARGO_MANIFEST_DIR", &settings.folder);
    command.envs(settings.environment.iter().map(|(key, value)| (key, value)));
    command
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_test_executables_are_taken() {
        let lines = concat!(
            "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":true},\"target\":{\"name\":\"a\"},\"executable\":\"/t/a\"}\n",
            "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":false},\"target\":{\"name\":\"b\"},\"executable\":\"/t/b\"}\n",
            "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":true},\"target\":{\"name\":\"c\"},\"executable\":null}\n",
            "not json\n",
        );
        assert_eq!(
            super::executables(lines),
            [("a".to_string(), "/t/a".into())]
        );
    }
}
