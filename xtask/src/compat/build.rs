//! Builds a host's test files, each independently of the others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::{cmd, testbin};

/// How many files' first errors are shown in full.
const SHOWN_ERRORS_MAX: usize = 12;

/// Builds `files` and returns the executables of those that compile.
///
/// One cargo process builds all (so that dependencies are built once and files in parallel) and
/// keeps going over errors; what did not compile is simply absent.
pub(super) fn build(folder: &Path, files: &[String]) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut command = cmd::cargo(&[
        "build",
        "--keep-going",
        "--message-format=json",
        "--manifest-path",
    ]);
    command.arg(folder.join("Cargo.toml"));
    for file in files {
        command.arg("--test").arg(file);
    }
    command.env("CARGO_TARGET_DIR", cmd::target_dir().join("compat/build"));
    eprintln!(
        "$ cargo build --keep-going --tests  # {} files in {}",
        files.len(),
        folder.display()
    );
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    let lines = String::from_utf8_lossy(&output.stdout);
    show_errors(&lines);
    let built: BTreeMap<String, PathBuf> = testbin::executables(&lines).into_iter().collect();
    if built.is_empty() && !output.status.success() {
        return Err("nothing was built".into());
    }
    Ok(built)
}

/// Shows the first error of each target that has one.
fn show_errors(json_lines: &str) {
    let firsts = first_errors(json_lines);
    for (target, error) in firsts.iter().take(SHOWN_ERRORS_MAX) {
        eprintln!("{target}: {error}");
    }
    if firsts.len() > SHOWN_ERRORS_MAX {
        let names: Vec<&str> = firsts
            .keys()
            .skip(SHOWN_ERRORS_MAX)
            .map(String::as_str)
            .collect();
        eprintln!("and errors in {}", names.join(", "));
    }
}

fn first_errors(json_lines: &str) -> BTreeMap<String, String> {
    let mut firsts = BTreeMap::new();
    for value in json_lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        if value["reason"] == "compiler-message" && value["message"]["level"] == "error" {
            let target = value["target"]["name"].as_str().unwrap_or("?").to_string();
            let text = value["message"]["rendered"]
                .as_str()
                .unwrap_or_default()
                .to_string();
            firsts.entry(target).or_insert(text);
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_error_of_each_target_is_kept() {
        let message = |target: &str, level: &str, text: &str| {
            format!(
                "{{\"reason\":\"compiler-message\",\"target\":{{\"name\":\"{target}\"}},\"message\":{{\"level\":\"{level}\",\"rendered\":\"{text}\"}}}}\n"
            )
        };
        let lines = message("a", "warning", "w")
            + &message("a", "error", "1")
            + &message("a", "error", "2")
            + "x\n";
        let errors = super::first_errors(&lines);
        assert_eq!(errors.len(), 1);
        assert_eq!(errors["a"], "1");
    }
}
