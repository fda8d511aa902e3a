//! `cargo xtask coverage`: which lines the tests reach, per crate.
//!
//! Everything is built with instrumentation and run as `ci` runs it: unit and integration tests on
//! the ring, with `ZOKIO_IO=epoll`, and with io_uring refused; the documentation's examples; with
//! `--published` the published suites over the facade as well. LLVM's tools join what each process
//! counted.
//!
//! `--report` only shows once more what the last run has left.
//!
//! Lines of test code do not count, as little as those of this program. What a process counted is
//! lost if a signal kills it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, cmd, compat, meta, table, testbin, tidy, toolchain};

const PROFDATA: &str = "/usr/bin/llvm-profdata-22";
const COV: &str = "/usr/bin/llvm-cov-22";
const FLAGS: &str = "-C instrument-coverage";

/// The crates that do not count: users do not get them.
const EXCLUDED: &[&str] = &["xtask", "zokio-stress"];

/// Where the programs of examples are kept.
const EXAMPLES: &str = "examples-kept";

/// How many files are named at the end.
const FILES_MAX: usize = 25;

/// Lines that code is on, and those of them that ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Lines {
    all: u64,
    hit: u64,
}

impl Lines {
    fn percent(self) -> String {
        format!("{:.1}", 100.0 * self.hit as f64 / self.all.max(1) as f64)
    }
}

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Outcome {
    let (mut published, mut anew) = (false, true);
    for arg in args {
        match arg.as_str() {
            "--published" => published = true,
            "--report" => anew = false,
            _ => return Err("usage: cargo xtask coverage [--published] [--report]".into()),
        }
    }
    toolchain::ensure(&[("llvm-22", COV)])?;
    let folder = cmd::target_dir().join("coverage");
    let profiles = folder.join("profiles");
    for old in [&profiles, &folder.join(EXAMPLES)] {
        if anew && old.exists() {
            std::fs::remove_dir_all(old).map_err(|e| format!("{}: {e}", old.display()))?;
        }
    }
    let mut objects = objects(&folder)?;
    if anew {
        test(&folder, published)?;
    }
    objects.extend(programs(&folder.join(EXAMPLES))?);
    if published {
        objects.extend(programs(&folder.join("compat/build/debug/deps"))?);
    }
    let profile = join(&folder, &profiles)?;
    let lcov = export(&profile, &objects)?;
    report(&lcov)
}

/// This program.
fn own(args: &[&str]) -> Result<Command, String> {
    let path = std::env::current_exe().map_err(|e| format!("own path: {e}"))?;
    let mut own = Command::new(path);
    own.args(args).current_dir(cmd::root());
    Ok(own)
}

fn instrument(command: &mut Command, folder: &Path) {
    // Several processes of one program share a few files.
    let profile = folder.join("profiles/p-%4m.profraw");
    command
        .env("CARGO_TARGET_DIR", folder)
        .env("RUSTFLAGS", FLAGS)
        .env("RUSTDOCFLAGS", FLAGS)
        // For `examples`; everywhere, because a change of it builds everything again.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("LLVM_PROFILE_FILE", profile);
}

fn excluding(mut command: Command) -> Command {
    for name in EXCLUDED {
        command.args(["--exclude", name]);
    }
    command
}

/// Builds the tests. Returns every file with instrumented code.
fn objects(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut build = excluding(cmd::cargo(&["test", "--workspace", "--no-run", "--quiet"]));
    build.arg("--message-format=json");
    instrument(&mut build, folder);
    let messages = cmd::capture(build)?;
    let mut objects: Vec<PathBuf> = testbin::executables(&messages)
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    // The compiler runs these itself.
    let macros = messages.split('"').filter(|word| {
        let name = Path::new(word).file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        name.starts_with("libzokio_macros-") && name.ends_with(".so")
    });
    objects.extend(macros.map(PathBuf::from));
    Ok(objects)
}

/// The programs below `folder`: the files without an ending.
fn programs(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut programs = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|e| format!("{}: {e}", folder.display()))?
            .path();
        if path.is_dir() {
            programs.extend(self::programs(&path)?);
        } else if path.extension().is_none() {
            programs.push(path);
        }
    }
    Ok(programs)
}

/// Runs everything. Which tests pass is for others to judge: what a failed run reached counts too.
fn test(folder: &Path, published: bool) -> Outcome {
    let nextest = || {
        excluding(cmd::cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--profile",
            "ci",
        ]))
    };
    let mut ring = nextest();
    ring.env_remove("ZOKIO_IO");
    let mut epoll = nextest();
    epoll.env("ZOKIO_IO", "epoll");
    let mut refused = own(&["noring", "-p"])?;
    let inner = nextest();
    refused.arg(inner.get_program()).args(inner.get_args());
    let mut runs = vec![ring, epoll];
    if cfg!(target_os = "linux") {
        runs.push(refused);
    }
    if published {
        for suite in compat::SUITES {
            runs.push(own(&["compat", suite])?);
        }
    }
    for run in &mut runs {
        instrument(run, folder);
    }
    for package in counted()? {
        runs.push(examples(&package.name, folder));
    }
    for run in runs {
        if let Err(message) = cmd::run(run) {
            eprintln!("coverage: {message}");
        }
    }
    Ok(())
}

/// The packages that count.
fn counted() -> Result<Vec<meta::Package>, String> {
    let mut packages = meta::load(&cmd::root().join("Cargo.toml"), &[])?;
    packages.retain(|p| p.member && !EXCLUDED.contains(&p.name.as_str()));
    Ok(packages)
}

/// The documentation's examples of one package. What generic code they ran is known from their
/// programs only, which rustdoc keeps if asked; each package needs a folder of its own.
fn examples(package: &str, folder: &Path) -> Command {
    let mut run = cmd::cargo(&["test", "--doc", "--quiet", "-p", package]);
    instrument(&mut run, folder);
    let kept = folder.join(EXAMPLES).join(package);
    let flags = format!(
        "{FLAGS} -Z unstable-options --persist-doctests {}",
        kept.display()
    );
    run.env("RUSTDOCFLAGS", flags);
    run
}

fn join(folder: &Path, profiles: &Path) -> Result<PathBuf, String> {
    let joined = folder.join("joined.profdata");
    let mut merge = Command::new(PROFDATA);
    merge.args(["merge", "-sparse"]).arg(profiles);
    merge.arg("-o").arg(&joined);
    cmd::run(merge)?;
    Ok(joined)
}

fn export(profile: &Path, objects: &[PathBuf]) -> Result<String, String> {
    let mut export = Command::new(COV);
    export.args(["export", "--format=lcov", "--instr-profile"]);
    export.arg(profile);
    for object in objects {
        export.arg("-object").arg(object);
    }
    cmd::capture(export)
}

/// Lines by file, from LCOV's format, those of `skip` left out.
fn count(lcov: &str, mut skip: impl FnMut(&str, usize) -> bool) -> BTreeMap<String, Lines> {
    let mut files: BTreeMap<String, Lines> = BTreeMap::new();
    let mut file = "";
    for line in lcov.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            file = path;
        }
        let Some((number, hits)) = line.strip_prefix("DA:").and_then(|l| l.split_once(',')) else {
            continue;
        };
        let (Ok(number), Ok(hits)) = (number.parse::<usize>(), hits.parse::<u64>()) else {
            continue;
        };
        if !skip(file, number) {
            let lines = files.entry(file.to_string()).or_default();
            lines.all += 1;
            lines.hit += u64::from(hits > 0);
        }
    }
    files
}

fn report(lcov: &str) -> Outcome {
    let root = cmd::root();
    let tests = tidy::test_lines(&root)?;
    let short = |path: &str| {
        let path = Path::new(path).strip_prefix(&root);
        path.map(|p| p.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let files = count(lcov, |path, number| {
        let lines = tests.get(&short(path));
        lines.is_none_or(|lines| lines.get(number - 1).copied().unwrap_or(true))
    });
    let mut rows = Vec::new();
    let mut total = Lines::default();
    for package in counted()? {
        let mut lines = Lines::default();
        let own = |path: &str| Path::new(path).starts_with(package.folder());
        for (_, of_file) in files.iter().filter(|(path, _)| own(path)) {
            lines.all += of_file.all;
            lines.hit += of_file.hit;
        }
        total.all += lines.all;
        total.hit += lines.hit;
        if lines.all > 0 {
            rows.push(row(&package.name, lines));
        }
    }
    rows.push(row("total", total));
    let heading = ["crate", "lines", "reached", "percent"];
    println!("{}", table::render(&heading, &rows));
    let mut worst: Vec<(String, Lines)> = files.iter().map(|(p, l)| (short(p), *l)).collect();
    worst.retain(|(path, lines)| lines.hit < lines.all && !path.starts_with("stress/"));
    worst.sort_by_key(|(_, lines)| std::cmp::Reverse(lines.all - lines.hit));
    let rows: Vec<_> = worst
        .iter()
        .take(FILES_MAX)
        .map(|(p, l)| row(p, *l))
        .collect();
    print!(
        "{}",
        table::render(
            &["most lines not reached", "lines", "reached", "percent"],
            &rows
        )
    );
    Ok(())
}

fn row(name: &str, lines: Lines) -> Vec<String> {
    vec![
        name.to_string(),
        lines.all.to_string(),
        lines.hit.to_string(),
        lines.percent(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_file_without_those_that_are_skipped() {
        let lcov = "SF:/a/b.rs\nFN:1,x\nDA:1,7\nDA:2,0\nDA:3,0\nend_of_record\nSF:/a/c.rs\nDA:9,1\nend_of_record\n";
        let files = count(lcov, |path, number| path == "/a/b.rs" && number == 3);
        assert_eq!(files["/a/b.rs"], Lines { all: 2, hit: 1 });
        assert_eq!(files["/a/c.rs"], Lines { all: 1, hit: 1 });
        assert_eq!(files["/a/b.rs"].percent(), "50.0");
    }
}
