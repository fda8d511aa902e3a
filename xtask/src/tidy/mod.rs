//! `cargo xtask tidy`: rules of docs/STYLE.md that a text check can hold.
//!
//! [`layers`] looks at `cargo metadata`, [`source`] at each file by itself; [`ratchet`] holds the
//! exceptions, which may only become fewer. The checks are deliberately crude: they read tokens,
//! not types. Clippy holds the rules that need types.

mod bans;
mod layers;
mod lexer;
mod ratchet;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Outcome, cmd, meta};

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    path: String,
    /// From 1; 0 where no line is meant.
    line: usize,
    text: String,
}

impl Finding {
    fn new(check: &'static str, path: &str, line: usize, text: String) -> Self {
        Self {
            check,
            path: path.to_string(),
            line,
            text,
        }
    }
}

/// Runs every check; `--update` lowers the ratchet first.
pub(crate) fn run(args: &[String]) -> Outcome {
    let update = match args {
        [] => false,
        [flag] if flag == "--update" => true,
        _ => return Err("usage: cargo xtask tidy [--update]".into()),
    };
    let root = cmd::root();
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let packages = meta::load(&root.join("Cargo.toml"), &[])?;
    let mut findings = layers::check(&packages);
    findings.extend(layers::check_footprint(&packages));
    let mut texts = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        texts.push((relative(&root, path), text));
    }
    for file in source::load(texts) {
        findings.extend(source::check(&file));
        if file.path == "facade/tokio/src/lib.rs" {
            findings.extend(layers::check_facade(&file.path, &file.code));
        }
    }
    let allow = root.join("xtask/tidy-allow.txt");
    let text = std::fs::read_to_string(&allow).map_err(|e| format!("{}: {e}", allow.display()))?;
    let mut ratchet = ratchet::Ratchet::parse(&text)?;
    if update {
        let lowered = ratchet.lowered(&text, &findings);
        std::fs::write(&allow, &lowered).map_err(|e| format!("{}: {e}", allow.display()))?;
        ratchet = ratchet::Ratchet::parse(&lowered)?;
    }
    report(&ratchet.judge(findings), files.len())
}

/// By file, from the root: which lines are test code.
pub(crate) fn test_lines(root: &Path) -> Result<BTreeMap<String, Vec<bool>>, String> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    let mut texts = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        texts.push((relative(root, path), text));
    }
    let files = source::load(texts).into_iter();
    Ok(files.map(|file| (file.path, file.test)).collect())
}

fn report(judged: &[Finding], files: usize) -> Outcome {
    for finding in judged {
        println!(
            "{}:{}: {}: {}",
            finding.path, finding.line, finding.check, finding.text
        );
    }
    if judged.is_empty() {
        println!("tidy: {files} files, nothing to say");
        Ok(())
    } else {
        Err(format!("{} findings", judged.len()))
    }
}

/// Every Rust file of the repository that is ours.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| format!("{}: {e}", folder.display()))?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .replace('\\', "/")
}
