//! `cargo xtask fuzz`: the fuzz targets, each for a bounded time.
//!
//! The models that the targets run are in the crates themselves, and ordinary tests run them over
//! the kept corpus. The toolchain of the workspace is told to accept the sanitizer's options, so that
//! cargo-fuzz needs no other.
//!
//! The new inputs that the fuzzer finds lie below the target directory, and the next run begins with them;
//! the repository keeps those that `--keep` chooses: a small set that reaches every edge.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Outcome, cmd, table};

/// How long each target runs unless `--seconds` says otherwise.
const SECONDS_DEFAULT: u64 = 60;
/// The longest input.
const INPUT_LEN_MAX: usize = 768;
/// Beyond its time a target gets so long to start and to end.
const SLACK: Duration = Duration::from_secs(300);
/// Where the models are.
const CRATES: &[&str] = &["zokio-driver", "zokio-sched", "zokio-sync", "zokio-time"];

struct Options {
    seconds: u64,
    keep: bool,
    targets: Vec<String>,
}

/// The outcome of a run of one target.
struct Report {
    runs: u64,
    edges: u64,
    /// The end of the output, if it found something.
    finding: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Outcome {
    let options = parse(args)?;
    if !is_installed() {
        return Err("cargo-fuzz is missing: `cargo install cargo-fuzz --locked`".into());
    }
    let binaries = build()?;
    let mut rows = Vec::new();
    let mut found = Vec::new();
    for target in &options.targets {
        let report = fuzz(&binaries, target, options.seconds)?;
        let word = if report.finding.is_some() {
            "FOUND"
        } else {
            "nothing found"
        };
        rows.push(vec![
            target.clone(),
            options.seconds.to_string(),
            report.runs.to_string(),
            report.edges.to_string(),
            word.into(),
        ]);
        if let Some(finding) = report.finding {
            eprintln!("{target}:\n{finding}");
            found.push(target.as_str());
        }
        if options.keep {
            keep(&binaries, target)?;
        }
    }
    let heading = ["target", "seconds", "runs", "edges", "result"];
    print!("{}", table::render(&heading, &rows));
    if found.is_empty() {
        Ok(())
    } else {
        Err(format!("findings in {}", found.join(", ")))
    }
}

/// Whether there is what builds the targets.
pub(crate) fn is_installed() -> bool {
    cmd::present("cargo", &["fuzz", "--version"])
}

fn parse(args: &[String]) -> Result<Options, String> {
    let all = targets()?;
    let mut options = Options {
        seconds: SECONDS_DEFAULT,
        keep: false,
        targets: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => {
                let seconds = args.next().and_then(|n| n.parse().ok());
                options.seconds = seconds.ok_or("--seconds needs a number")?;
            }
            "--keep" => options.keep = true,
            target if all.iter().any(|known| known == target) => {
                options.targets.push(target.to_string());
            }
            other => {
                let all = all.join(", ");
                return Err(format!(
                    "fuzz: `{other}` is no option and none of the targets {all}"
                ));
            }
        }
    }
    if options.targets.is_empty() {
        options.targets = all;
    }
    Ok(options)
}

/// The targets: one file each.
fn targets() -> Result<Vec<String>, String> {
    let folder = cmd::root().join("fuzz/fuzz_targets");
    let mut names: Vec<String> = files(&folder)?
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()))
        .collect();
    names.sort();
    Ok(names)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths
        .collect::<Result<_, _>>()
        .map_err(|e| format!("{}: {e}", folder.display()))
}

/// Runs what is kept through the models, as the ordinary tests do. Needs no cargo-fuzz.
pub(crate) fn replay() -> Outcome {
    let mut test = cmd::cargo(&["test", "--quiet", "--lib"]);
    for name in CRATES {
        test.args(["-p", name]);
    }
    test.arg("the_corpus_passes");
    cmd::run(test)
}

/// Builds all targets. Returns where they are.
fn build() -> Result<PathBuf, String> {
    let folder = cmd::target_dir().join("fuzz");
    let mut build = cmd::cargo(&["fuzz", "build"]);
    build.env("RUSTC_BOOTSTRAP", "1");
    build.env("CARGO_TARGET_DIR", &folder);
    cmd::run(build)?;
    let host = cmd::capture({
        let mut rustc = Command::new("rustc");
        rustc.args(["--print", "host-tuple"]);
        rustc
    })?;
    Ok(folder.join(host.trim()).join("release"))
}

fn corpus(target: &str) -> PathBuf {
    cmd::root().join("fuzz/corpus").join(target)
}

/// Where a run puts what is new, and what fails.
fn work(kind: &str, target: &str) -> Result<PathBuf, String> {
    let folder = cmd::target_dir().join("fuzz").join(kind).join(target);
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

fn option(name: &str, value: impl Into<OsString>) -> OsString {
    let mut text = OsString::from(format!("-{name}="));
    text.push(value.into());
    text
}

fn fuzz(binaries: &Path, target: &str, seconds: u64) -> Result<Report, String> {
    let mut artifacts = work("artifacts", target)?.into_os_string();
    artifacts.push("/");
    let mut command = Command::new(binaries.join(target));
    command.arg(work("found", target)?).arg(corpus(target));
    command
        .arg(option("max_total_time", seconds.to_string()))
        .arg(option("max_len", INPUT_LEN_MAX.to_string()))
        .arg(option("artifact_prefix", artifacts));
    // The models count what is given up; a test of leaks would count what a driver leaks on purpose.
    command.arg(option("detect_leaks", "0"));
    println!("$ {}", cmd::show(&command));
    let limit = Duration::from_secs(seconds) + SLACK;
    let finished =
        cmd::run_limited(command, limit).map_err(|e| format!("cannot run {target}: {e}"))?;
    let (runs, edges) = progress(&finished.output);
    let is_fine = finished.status.is_some_and(|status| status.success());
    let finding = (!is_fine).then(|| {
        let lines: Vec<&str> = finished
            .output
            .lines()
            .filter(|line| progress_of(line).is_none())
            .collect();
        lines.join("\n")
    });
    Ok(Report {
        runs,
        edges,
        finding,
    })
}

/// Runs and edges, from the last line that tells them.
fn progress(output: &str) -> (u64, u64) {
    let told = output.lines().rev().find_map(progress_of);
    told.unwrap_or_default()
}

/// `#78533  NEW    cov: 774 ft: 3209 corp: 384/20Kb ..`
fn progress_of(line: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix('#')?.split_whitespace();
    let runs = words.next()?.parse().ok()?;
    words.find(|word| *word == "cov:")?;
    let edges = words.next()?.parse().ok()?;
    Some((runs, edges))
}

/// Adds to the kept corpus what reaches edges that it does not reach.
fn keep(binaries: &Path, target: &str) -> Outcome {
    let mut merge = Command::new(binaries.join(target));
    merge.args(["-set_cover_merge=1", "-use_counters=0", "-detect_leaks=0"]);
    merge.arg(corpus(target)).arg(work("found", target)?);
    cmd::run(merge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_the_last_line_that_tells_it() {
        let output = "INFO: Seed: 1\n#2\tINITED cov: 7 ft: 8\n#12\tNEW    cov: 9 ft: 3 corp: 2/3b\nDone 15 runs\n#12: cov";
        assert_eq!(progress(output), (12, 9));
        assert_eq!(progress("panicked"), (0, 0));
    }

    #[test]
    fn every_target_has_a_corpus_and_a_binary_in_the_manifest() {
        let manifest = std::fs::read_to_string(cmd::root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(
                manifest.contains(&format!("name = \"{target}\"")),
                "{target}"
            );
            assert!(!files(&corpus(&target)).unwrap().is_empty(), "{target}");
        }
    }
}
