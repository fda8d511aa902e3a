//! Checks that look at one source file: header, sizes, SAFETY comments, banned calls, orderings,
//! banned words.
//!
//! Test code is excused from sizes, orderings and most banned calls. A line counts as test code
//! when it lies in an item under `#[cfg(..test..)]`, in a file that such an item declares, or below
//! a `tests` or `benches` folder.

use std::collections::BTreeSet;

use crate::tidy::{Finding, bans, lexer};

/// Lines of code a file may have, documentation and tests not counted.
const FILE_LINES_MAX: usize = 600;
/// Lines of code a function may have.
const FUNCTION_LINES_MAX: usize = 70;
/// How far above an atomic ordering its comment may stand.
const ORDERING_COMMENT_DISTANCE_MAX: usize = 6;

/// One source file, split and classified.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    text: String,
    pub(super) code: Vec<String>,
    comments: Vec<String>,
    /// By line: whether it is test code.
    pub(super) test: Vec<bool>,
}

/// Splits the files and marks test code, also in files declared from elsewhere.
pub(super) fn load(texts: Vec<(String, String)>) -> Vec<File> {
    let mut files: Vec<File> = texts
        .into_iter()
        .map(|(path, text)| split(path, text))
        .collect();
    let mut tests: BTreeSet<String> = BTreeSet::new();
    for file in &files {
        tests.extend(test_modules(file));
    }
    for file in &mut files {
        let folder_of_tests = |t: &String| {
            let folder = t
                .trim_end_matches("mod.rs")
                .trim_end_matches(".rs")
                .trim_end_matches('/');
            file.path.starts_with(&format!("{folder}/"))
        };
        let in_tests = file
            .path
            .split('/')
            .any(|part| part == "tests" || part == "benches");
        if in_tests || tests.contains(&file.path) || tests.iter().any(folder_of_tests) {
            file.test.fill(true);
        }
    }
    files
}

fn split(path: String, text: String) -> File {
    let lexer::Split { code, comments } = lexer::split(&text);
    let test = test_lines(&code);
    File {
        path,
        text,
        code,
        comments,
        test,
    }
}

/// Runs every check on one file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    header(file, &mut findings);
    file_size(file, &mut findings);
    function_size(file, &mut findings);
    safety(file, &mut findings);
    bans::check(file, &mut findings);
    orderings(file, &mut findings);
    banned_words(file, &mut findings);
    findings
}

pub(super) fn find(
    file: &File,
    check: &'static str,
    index: usize,
    text: impl Into<String>,
) -> Finding {
    Finding::new(check, &file.path, index + 1, text.into())
}

// ---- what is test code ---------------------------------------------------------------------

/// Whether an attribute line puts the next item under test or model configurations only.
fn is_test_attribute(line: &str) -> bool {
    let line = line.trim();
    if line == "#[test]" {
        return true;
    }
    let Some(rest) = line
        .strip_prefix("#[cfg(")
        .or_else(|| line.strip_prefix("#![cfg("))
    else {
        return false;
    };
    let flat: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
    flat.starts_with("test)") || flat.starts_with("all(test,") || flat.contains(",test)")
}

/// Marks the items that stand under a test attribute.
fn test_lines(code: &[String]) -> Vec<bool> {
    let mut test = vec![false; code.len()];
    if code
        .iter()
        .any(|line| line.trim().starts_with("#![") && is_test_attribute(line))
    {
        test.fill(true);
        return test;
    }
    let mut index = 0;
    while index < code.len() {
        if is_test_attribute(&code[index]) {
            let end = item_end(code, index);
            test[index..=end].fill(true);
            index = end;
        }
        index += 1;
    }
    test
}

/// The last line of the item whose attributes begin at `start`.
fn item_end(code: &[String], start: usize) -> usize {
    let (mut depth, mut opened) = (0usize, false);
    for (index, line) in code.iter().enumerate().skip(start) {
        if !opened && line.trim().starts_with('#') {
            continue;
        }
        for byte in line.bytes() {
            match byte {
                b'{' => {
                    depth += 1;
                    opened = true;
                }
                b'}' => depth = depth.saturating_sub(1),
                b';' if !opened => return index,
                _ => {}
            }
        }
        if opened && depth == 0 {
            return index;
        }
    }
    code.len() - 1
}

/// Paths of the files that `mod name;` under a test attribute declares.
fn test_modules(file: &File) -> Vec<String> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let stem = file
        .path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs");
    let inner = match stem {
        "mod" | "lib" | "main" => folder.to_string(),
        _ => format!("{folder}/{stem}"),
    };
    let mut paths = Vec::new();
    for (index, line) in file.code.iter().enumerate().filter(|(i, _)| file.test[*i]) {
        let line = line
            .trim()
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ");
        let Some(name) = line.strip_prefix("mod ").and_then(|l| l.strip_suffix(';')) else {
            continue;
        };
        let above = file
            .text
            .lines()
            .nth(index.saturating_sub(1))
            .unwrap_or_default()
            .trim();
        if let Some(path) = above
            .strip_prefix("#[path = \"")
            .and_then(|l| l.strip_suffix("\"]"))
        {
            paths.push(format!("{folder}/{path}"));
        } else {
            paths.push(format!("{inner}/{name}.rs"));
            paths.push(format!("{inner}/{name}/mod.rs"));
        }
    }
    paths
}

// ---- the checks ----------------------------------------------------------------------------

fn header(file: &File, findings: &mut Vec<Finding>) {
    if !file.text.starts_with("//!") {
        findings.push(find(
            file,
            "header",
            0,
            "a file opens with `//!`: purpose, how it works, invariants",
        ));
    }
}

fn file_size(file: &File, findings: &mut Vec<Finding>) {
    let lines = (0..file.code.len())
        .filter(|i| is_code(file, *i) && !file.test[*i])
        .count();
    if lines > FILE_LINES_MAX {
        let text = format!("{lines} lines of code, at most {FILE_LINES_MAX}");
        findings.push(find(file, "file-size", 0, text));
    }
}

fn is_code(file: &File, index: usize) -> bool {
    !file.code[index].trim().is_empty()
}

fn function_size(file: &File, findings: &mut Vec<Finding>) {
    for (index, name) in functions(&file.code) {
        if file.test[index] {
            continue;
        }
        if let Some((first, last)) = body(&file.code, index, &name) {
            let lines = (first..=last).filter(|i| is_code(file, *i)).count();
            if lines > FUNCTION_LINES_MAX {
                let text =
                    format!("`{name}` has {lines} lines of code, at most {FUNCTION_LINES_MAX}");
                findings.push(find(file, "function-size", index, text));
            }
        }
    }
}

/// The lines where `fn name` stands.
fn functions(code: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in code.iter().enumerate() {
        for start in words(line, "fn") {
            let name: String = line[start + 2..]
                .trim_start()
                .bytes()
                .take_while(|b| lexer::is_word(*b))
                .map(char::from)
                .collect();
            if !name.is_empty() {
                found.push((index, name));
            }
        }
    }
    found
}

/// First and last line of the body of the function named at `start`; `None` without a body.
fn body(code: &[String], start: usize, name: &str) -> Option<(usize, usize)> {
    let (mut round, mut curly, mut first) = (0i32, 0i32, None);
    for (index, line) in code.iter().enumerate().skip(start) {
        let from = if index == start {
            line.find(name).unwrap_or(0)
        } else {
            0
        };
        for byte in line[from..].bytes() {
            match byte {
                b'(' | b'[' => round += 1,
                b')' | b']' => round -= 1,
                b';' if first.is_none() && round == 0 => return None,
                b'{' => {
                    first.get_or_insert(index);
                    curly += 1;
                }
                b'}' => curly -= 1,
                _ => {}
            }
            if first.is_some() && curly == 0 {
                return Some((first?, index));
            }
        }
    }
    None
}

/// Where `word` stands by itself in `line`.
pub(super) fn words(line: &str, word: &str) -> Vec<usize> {
    let bytes = line.as_bytes();
    line.match_indices(word)
        .map(|(start, _)| start)
        .filter(|start| *start == 0 || !lexer::is_word(bytes[start - 1]))
        .filter(|start| {
            bytes
                .get(start + word.len())
                .is_none_or(|b| !lexer::is_word(*b))
        })
        .collect()
}

fn safety(file: &File, findings: &mut Vec<Finding>) {
    for (index, line) in file.code.iter().enumerate() {
        for start in words(line, "unsafe") {
            let rest = line[start + 6..].trim_start();
            let next = if rest.is_empty() {
                file.code.get(index + 1).map_or("", |l| l.trim_start())
            } else {
                rest
            };
            let needs = next.starts_with('{') || next.starts_with("impl");
            let inside = file
                .comments
                .get(index + 1)
                .is_some_and(|c| c.contains("SAFETY:"));
            if needs && !inside && !has_comment_above(file, index, "SAFETY:") {
                findings.push(find(
                    file,
                    "safety",
                    index,
                    "unsafe without a `// SAFETY:` comment above it",
                ));
            }
        }
    }
}

/// Whether the statement that holds line `index` has `mark` in a comment on it or right above it.
fn has_comment_above(file: &File, index: usize, mark: &str) -> bool {
    if file.comments[index].contains(mark) {
        return true;
    }
    for above in (0..index).rev() {
        if file.comments[above].contains(mark) {
            return true;
        }
        let code = file.code[above].trim();
        let comment = !file.comments[above].trim().is_empty();
        if code.is_empty() && !comment {
            return false;
        }
        let ends = code.ends_with(';') || code.ends_with('{') || code.ends_with('}');
        if ends && !code.starts_with('#') {
            return false;
        }
    }
    false
}

fn orderings(file: &File, findings: &mut Vec<Finding>) {
    if bans::is_outside(&file.path) {
        return;
    }
    const NAMES: &[&str] = &["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
    for (index, line) in file.code.iter().enumerate().filter(|(i, _)| !file.test[*i]) {
        let import =
            line.trim_start().starts_with("use ") || line.trim_start().starts_with("pub use ");
        let names = NAMES.iter().any(|name| !words(line, name).is_empty());
        let nearest = index.saturating_sub(ORDERING_COMMENT_DISTANCE_MAX);
        let commented = (nearest..=index).any(|i| is_plain_comment(&file.comments[i]));
        if names && !import && !commented {
            findings.push(find(
                file,
                "ordering",
                index,
                "an atomic ordering without a comment naming its partner",
            ));
        }
    }
}

/// A comment that is not documentation; documentation above a one-line method counts too.
fn is_plain_comment(comment: &str) -> bool {
    comment.contains("//") || comment.contains("/*")
}

fn banned_words(file: &File, findings: &mut Vec<Finding>) {
    // Written in two halves, or this file would find itself.
    const WORDS: &[&str] = &[
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("todo", "!"),
        concat!("unimplemented", "!"),
        concat!("dbg", "!"),
    ];
    for (index, line) in file.text.lines().enumerate() {
        for word in WORDS {
            let plain = word.trim_end_matches('!');
            if words(line, plain)
                .iter()
                .any(|start| line[*start..].starts_with(word))
            {
                findings.push(find(
                    file,
                    "banned-word",
                    index,
                    format!("`{word}`: finish it or file it"),
                ));
            }
        }
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
