//! `cargo xtask ci` and `cargo xtask full`: the checks in order, with a table of times.
//!
//! `ci` fits two cores and well under an hour from an empty target folder. It runs every step even
//! when one fails, so that one run shows all that is wrong, and it ends with one line that says how
//! many tests passed.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{
    Outcome, asan, cmd, compat, coverage, deny, faults, fuzz, model, table, targets, tidy, tsan,
    wine,
};

/// Tests counted over all runs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

#[derive(Default)]
struct Steps {
    rows: Vec<Vec<String>>,
    failed: Vec<String>,
    count: Count,
}

impl Steps {
    fn step(&mut self, name: &str, run: impl FnOnce(&mut Count) -> Outcome) {
        println!("==== {name}");
        let started = Instant::now();
        let outcome = run(&mut self.count);
        let word = if outcome.is_ok() { "ok" } else { "failed" };
        let seconds = format!("{:.0}", started.elapsed().as_secs_f64());
        if let Err(message) = outcome {
            eprintln!("{name}: {message}");
            self.failed.push(name.to_string());
        }
        self.rows
            .push(vec![name.to_string(), word.to_string(), seconds]);
    }

    fn finish(self) -> Outcome {
        print!(
            "\n{}\n",
            table::render(&["step", "result", "seconds"], &self.rows)
        );
        let Count {
            passed,
            failed,
            skipped,
        } = self.count;
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        if self.failed.is_empty() {
            Ok(())
        } else {
            Err(format!("failed: {}", self.failed.join(", ")))
        }
    }
}

/// The checks that `.ci/run` calls.
pub(crate) fn ci(args: &[String]) -> Outcome {
    no_arguments("ci", args)?;
    let mut steps = Steps::default();
    ci_steps(&mut steps);
    steps.step("faults, quick", |_| faults::run(&["--quick".into()]));
    steps.step("models, quick", |_| model::run(&["--quick".into()]));
    if fuzz::is_installed() {
        steps.step("fuzz, 20 s each", |_| fuzz::run(&seconds(20)));
    } else {
        steps.step("no cargo-fuzz: kept corpus", |_| fuzz::replay());
    }
    steps.finish()
}

/// Everything, however long it takes.
pub(crate) fn full(args: &[String]) -> Outcome {
    no_arguments("full", args)?;
    let mut steps = Steps::default();
    ci_steps(&mut steps);
    steps.step("faults", |_| faults::run(&[]));
    steps.step("models", |_| model::run(&[]));
    for suite in compat::SUITES {
        steps.step(&format!("compat {suite}"), |_| {
            compat::run(&[suite.to_string()])
        });
    }
    steps.step("targets", |_| targets::run(&[]));
    steps.step("under wine", |_| wine::run(&[]));
    steps.step("tsan", |_| tsan::run(&[]));
    steps.step("asan", |_| asan::run(&[]));
    steps.step("fuzz, 10 min each", |_| fuzz::run(&seconds(600)));
    steps.step("deny", |_| deny::run(&[]));
    steps.step("coverage", |_| coverage::run(&["--published".into()]));
    // Five minutes, or as many seconds as ZOKIO_SOAK_SECONDS says.
    steps.step("soak", |_| {
        let package = ["run", "--release", "-p", "zokio-stress", "--", "--soak"];
        cmd::run(cmd::cargo(&package))
    });
    steps.step("bench", |_| crate::bench::run(&[]));
    steps.finish()
}

fn seconds(count: u32) -> [String; 2] {
    ["--seconds".into(), count.to_string()]
}

fn no_arguments(command: &str, args: &[String]) -> Outcome {
    if args.is_empty() {
        Ok(())
    } else {
        Err(format!("{command} takes no arguments"))
    }
}

fn ci_steps(steps: &mut Steps) {
    steps.step("tidy", |_| tidy::run(&[]));
    steps.step("fmt", |_| {
        cmd::run(cmd::cargo(&["fmt", "--all", "--check"]))
    });
    steps.step("clippy", |_| {
        cmd::run(cmd::cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    steps.step("doc", |_| {
        let mut doc = cmd::cargo(&["doc", "--workspace", "--no-deps"]);
        doc.env("RUSTDOCFLAGS", "-D warnings");
        cmd::run(doc)
    });
    steps.step("test", |count| {
        let mut test = cmd::cargo(NEXTEST);
        test.env_remove("ZOKIO_IO");
        tests(test, count)
    });
    steps.step("doc tests", |count| {
        doc_tests(cmd::cargo(&["test", "--doc", "--workspace"]), count)
    });
    steps.step("test, ZOKIO_IO=epoll", |count| {
        let mut test = cmd::cargo(NEXTEST);
        test.env("ZOKIO_IO", "epoll");
        tests(test, count)
    });
    if cfg!(target_os = "linux") {
        steps.step("test, io_uring refused", |count| {
            let own = std::env::current_exe().map_err(|e| format!("own path: {e}"))?;
            let inner = cmd::cargo(NEXTEST);
            let mut test = Command::new(own);
            test.arg("noring")
                .arg("-p")
                .arg(inner.get_program())
                .args(inner.get_args());
            test.current_dir(cmd::root()).env_remove("ZOKIO_IO");
            tests(test, count)
        });
    }
}

const NEXTEST: &[&str] = &["nextest", "run", "--workspace", "--profile", "ci"];

/// Runs nextest and adds its summary to `count`.
fn tests(command: Command, count: &mut Count) -> Outcome {
    if !cmd::present("cargo", &["nextest", "--version"]) {
        return Err("cargo-nextest is missing: cargo install cargo-nextest --locked".into());
    }
    run_watched(command, true, |line| add_nextest_summary(line, count))
}

fn doc_tests(command: Command, count: &mut Count) -> Outcome {
    run_watched(command, false, |line| add_libtest_summary(line, count))
}

/// Runs `command`, shows its output and hands each line of one of its two streams to `seen`.
fn run_watched(mut command: Command, stderr: bool, mut seen: impl FnMut(&str)) -> Outcome {
    println!("$ {}", cmd::show(&command));
    if stderr {
        command.stderr(Stdio::piped())
    } else {
        command.stdout(Stdio::piped())
    };
    let mut child = command
        .spawn()
        .map_err(|e| format!("cannot run `{}`: {e}", cmd::show(&command)))?;
    let pipe: Box<dyn std::io::Read> = match (child.stderr.take(), child.stdout.take()) {
        (Some(pipe), _) => Box::new(pipe),
        (None, Some(pipe)) => Box::new(pipe),
        (None, None) => return Err("no pipe to the command".into()),
    };
    for line in BufReader::new(pipe).split(b'\n') {
        let line = line.map_err(|e| format!("reading output: {e}"))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        seen(&line);
    }
    let status = child.wait().map_err(|e| format!("waiting: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("ended with {status}"))
    }
}

/// `Summary [ 1.2s] 10 tests run: 9 passed (1 slow), 1 failed, 2 skipped`
fn add_nextest_summary(line: &str, count: &mut Count) {
    let line = line.trim();
    if let Some((_, rest)) = line
        .split_once("tests run:")
        .or_else(|| line.split_once("test run:"))
    {
        if line.starts_with("Summary") {
            add_counts(rest, count);
        }
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; ..`
fn add_libtest_summary(line: &str, count: &mut Count) {
    if let Some(rest) = line.trim().strip_prefix("test result:") {
        add_counts(&rest.replace(';', ","), count);
    }
}

fn add_counts(text: &str, count: &mut Count) {
    let words: Vec<&str> = text.split_whitespace().collect();
    for pair in words.windows(2) {
        let Ok(number) = pair[0].parse::<u64>() else {
            continue;
        };
        match pair[1].trim_end_matches([',', '.']) {
            "passed" => count.passed += number,
            "failed" => count.failed += number,
            "timed" => count.failed += number,
            "skipped" | "ignored" => count.skipped += number,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_added_up() {
        let mut count = Count::default();
        let line = "     Summary [   1.204s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        add_nextest_summary(line, &mut count);
        assert_eq!(
            count,
            Count {
                passed: 9,
                failed: 3,
                skipped: 4
            }
        );
        add_nextest_summary("12 tests run: 9 passed", &mut count);
        add_libtest_summary(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured",
            &mut count,
        );
        assert_eq!(
            count,
            Count {
                passed: 12,
                failed: 3,
                skipped: 5
            }
        );
    }
}
