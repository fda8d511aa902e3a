//! `cargo xtask api`: Zokio's public API beside upstream's, line by line.
//!
//! The reference is a text, `tokio-api.txt`, and a script, `api_inventory.py`, which makes such a text
//! from rustdoc's JSON. Neither is part of the repository: `--shared DIR` says where they lie
//! (`../shared` unless it is said). Section 1 of the text is upstream's stable API and the bar;
//! section 3 is what upstream hides behind a cfg, and is only counted.
//!
//! 1. rustdoc writes the JSON of `zokio` and of all crates of the workspace below it.
//! 2. The script turns it into lines, as if every item stood in `zokio`.
//! 3. Lines are compared without the names of lifetimes and private types. A line that only
//!    upstream has is *missing*, or *different* where Zokio has another line for the same item.
//! 4. `tests/api/allow.txt` lists the differences that are on purpose, each with its reason. An entry
//!    pins Zokio's line too, and one that is true no longer is an error.
//!
//! Items that only Zokio has are listed and are no error. The comparison sees the system it runs on: Linux.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, cmd, meta, table};

const SCRIPT: &str = "api_inventory.py";
const REFERENCE: &str = "tokio-api.txt";
const ALLOW: &str = "tests/api/allow.txt";
const USAGE: &str = "usage: cargo xtask api [--shared DIR]";

/// One line of an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    module: String,
    text: String,
}

/// Upstream's line and what Zokio has instead, if anything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    module: String,
    theirs: String,
    ours: Option<String>,
}

/// The findings of the comparison.
#[derive(Debug, Default)]
struct Comparison {
    compared: usize,
    differences: Vec<Difference>,
    additions: Vec<Line>,
}

/// An exception, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    theirs: String,
    ours: Option<String>,
    reason: String,
}

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Outcome {
    let shared = match args {
        [] => cmd::root().join("../shared"),
        [flag, folder] if flag == "--shared" => PathBuf::from(folder),
        _ => return Err(USAGE.into()),
    };
    for name in [SCRIPT, REFERENCE] {
        if !shared.join(name).is_file() {
            return Err(format!(
                "there is no {name} in {}: it is no part of this repository. Name the folder that \
                 has it with --shared DIR",
                shared.display()
            ));
        }
    }
    let reference = read(&shared.join(REFERENCE))?;
    let theirs = lines(section(&reference, 1)?, None);
    // One list without modules.
    let unstable = lines(section(&reference, 3)?, Some("unstable"));
    let ours = lines(&inventory(&shared.join(SCRIPT))?, None);
    let exceptions = parse_exceptions(&read(&cmd::root().join(ALLOW))?)?;

    let mut found = compare(&theirs, &ours);
    let absent = take_unstable(&mut found.additions, &unstable);
    println!("what only Zokio has:");
    for line in &found.additions {
        println!("  {}", line.text);
    }
    let (open, stale) = judge(&found.differences, &exceptions);
    println!();
    print!("{}", summary(&theirs, &found, &open));
    println!(
        "{} lines compared; of upstream's {} unstable lines {} are here",
        found.compared,
        unstable.len(),
        unstable.len() - absent
    );
    report(&open, &stale)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Zokio's lines, as the script prints them.
fn inventory(script: &Path) -> Result<String, String> {
    let packages = meta::load(&cmd::root().join("Cargo.toml"), &["--no-deps"])?;
    let names = below("zokio", &packages);
    let folder = cmd::target_dir().join("api");
    for name in &names {
        let mut command = cmd::cargo(&["rustdoc", "--quiet", "--lib", "--all-features", "-p"]);
        command
            .arg(name)
            .args(["--", "-Zunstable-options", "--output-format", "json"])
            .args(["--document-hidden-items", "--cap-lints", "allow"])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", &folder);
        cmd::run(command)?;
    }
    let json = |name: &String| folder.join(format!("doc/{}.json", name.replace('-', "_")));
    let mut command = Command::new("python3");
    command.arg(script).arg("--no-counts");
    command.arg(json(&"zokio".to_string())).arg("--with");
    command.args(names.iter().filter(|name| *name != "zokio").map(json));
    cmd::capture(command)
}

/// `name` and the members of the workspace that it depends on.
fn below(name: &str, packages: &[meta::Package]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut queue = vec![name.to_string()];
    while let Some(name) = queue.pop() {
        let Some(package) = packages.iter().find(|p| p.member && p.name == name) else {
            continue;
        };
        if found.insert(name) {
            let normal = |d: &&meta::Dependency| d.kind == meta::Kind::Normal;
            queue.extend(
                package
                    .dependencies
                    .iter()
                    .filter(normal)
                    .map(|d| d.name.clone()),
            );
        }
    }
    found
}

/// The part of the reference that begins with `# NUMBER.`.
fn section(text: &str, number: u32) -> Result<&str, String> {
    let after = |number: u32| {
        let heading = format!("\n# {number}. ");
        text.find(&heading).map(|at| at + 1)
    };
    let from = after(number).ok_or_else(|| format!("{REFERENCE} has no section {number}"))?;
    Ok(&text[from..after(number + 1).unwrap_or(text.len())])
}

/// The items of an inventory: what stands below a `## module` heading, and what stands before the
/// first one if there is a `module` for it.
fn lines(text: &str, module: Option<&str>) -> Vec<Line> {
    let mut module = module.map(str::to_string);
    let mut found = Vec::new();
    for text in text.lines() {
        if let Some(name) = text.strip_prefix("## ") {
            module = Some(name.trim().to_string());
        } else if let (Some(module), false) = (&module, text.is_empty() || text.starts_with('#')) {
            found.push(Line {
                module: module.clone(),
                text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            });
        }
    }
    found
}

/// The line without what no user can see: names of lifetimes and of private types, and whether a
/// method's own type is called by its name or `Self`.
fn neutral(line: &str) -> String {
    let mut text = String::new();
    let mut names: Vec<&str> = Vec::new();
    let mut anonymous = 0;
    // An edition's way to say that nothing is captured.
    let line = line.replace(" + use<>", "");
    let mut rest = line.as_str();
    while let Some(at) = rest.find(['\'', ':']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(path) = rest.strip_prefix("::") {
            text.push_str("::");
            rest = path;
            if text.ends_with("priv::") {
                text.push('_');
                rest = &rest[word(rest)..];
            }
        } else if let Some(name) = rest.strip_prefix('\'') {
            let (name, after) = name.split_at(word(name));
            rest = after;
            if name == "static" {
                text.push_str("'static");
            } else if name == "_" {
                anonymous += 1;
                text.push_str(&format!("'{}", names.len() + anonymous - 1));
            } else {
                let index = names.iter().position(|known| *known == name);
                let index = index.unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
                text.push_str(&format!("'{}", index + anonymous));
            }
        } else {
            text.push(':');
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    own_name(&text)
}

/// How many bytes of `text` are letters, digits and underscores.
fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// A method's line with `Self` for the plain name of its type.
fn own_name(line: &str) -> String {
    let Some((owner, _)) = line
        .strip_prefix("method crate::")
        .map(|path| &path[..path_len(path)])
        .and_then(|path| path.rsplit_once("::"))
    else {
        return line.to_string();
    };
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(owner) {
        let before = rest[..at].chars().next_back();
        let after = rest[at + owner.len()..].chars().next();
        let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '<');
        text.push_str(&rest[..at]);
        if before.is_some_and(inside) && before != Some('<') || after.is_some_and(inside) {
            text.push_str(owner);
        } else {
            text.push_str("Self");
        }
        rest = &rest[at + owner.len()..];
    }
    text.push_str(rest);
    text
}

fn path_len(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':'))
        .unwrap_or(text.len())
}

/// The part by which an item is found again if its signature differs.
fn identity(line: &str) -> String {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    if kind == "impl" {
        let end = [" {", " where ", " @"]
            .iter()
            .filter_map(|mark| rest.find(mark))
            .min()
            .unwrap_or(rest.len());
        let rest: String = rest[..end]
            .chars()
            .filter(|c| !c.is_ascii_digit() && *c != '\'')
            .collect();
        format!("impl {rest}")
    } else {
        format!("{kind} {}", rest[..path_len(rest)].trim_end_matches(':'))
    }
}

fn compare(theirs: &[Line], ours: &[Line]) -> Comparison {
    let known: BTreeSet<String> = theirs.iter().map(|line| neutral(&line.text)).collect();
    let have: BTreeSet<String> = ours.iter().map(|line| neutral(&line.text)).collect();
    let mut extra: Vec<&Line> = ours
        .iter()
        .filter(|line| !known.contains(&neutral(&line.text)))
        .collect();
    let mut differences = Vec::new();
    for line in theirs {
        let text = neutral(&line.text);
        if have.contains(&text) {
            continue;
        }
        let wanted = identity(&text);
        let other = extra
            .iter()
            .position(|line| identity(&neutral(&line.text)) == wanted)
            .map(|at| extra.remove(at).text.clone());
        differences.push(Difference {
            module: line.module.clone(),
            theirs: line.text.clone(),
            ours: other,
        });
    }
    Comparison {
        compared: theirs.len(),
        differences,
        additions: extra.into_iter().cloned().collect(),
    }
}

/// Takes upstream's unstable lines out of the additions; returns how many of them are not there.
fn take_unstable(additions: &mut Vec<Line>, unstable: &[Line]) -> usize {
    let wanted: BTreeSet<String> = unstable.iter().map(|line| neutral(&line.text)).collect();
    let mut found = BTreeSet::new();
    additions.retain(|line| {
        let text = neutral(&line.text);
        let theirs = wanted.contains(&text);
        if theirs {
            found.insert(text);
        }
        !theirs
    });
    wanted.len() - found.len()
}

/// Reads the exceptions: blocks of `- theirs`, `+ ours` (none if it is missing) and lines of reason,
/// with empty lines between them. Lines that begin with `#` are comments.
fn parse_exceptions(text: &str) -> Result<Vec<Exception>, String> {
    let mut found = Vec::new();
    let text: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    for block in text.split(|line| line.trim().is_empty()) {
        let Some((first, rest)) = block.split_first() else {
            continue;
        };
        let theirs = first
            .strip_prefix("- ")
            .ok_or_else(|| format!("{ALLOW}: a block begins with `- `, not with `{first}`"))?;
        let (ours, rest) = match rest.split_first() {
            Some((line, rest)) if line.starts_with("+ ") => (Some(line[2..].to_string()), rest),
            _ => (None, rest),
        };
        if rest.is_empty() {
            return Err(format!("{ALLOW}: no reason is given for `{theirs}`"));
        }
        found.push(Exception {
            theirs: theirs.to_string(),
            ours,
            reason: rest.join(" "),
        });
    }
    Ok(found)
}

/// The differences that no exception covers, and the exceptions that cover none.
fn judge<'a>(
    differences: &'a [Difference],
    exceptions: &'a [Exception],
) -> (Vec<&'a Difference>, Vec<&'a Exception>) {
    let covers = |e: &Exception, d: &Difference| {
        (&e.theirs, e.ours.as_ref()) == (&d.theirs, d.ours.as_ref())
    };
    let open = differences
        .iter()
        .filter(|d| !exceptions.iter().any(|e| covers(e, d)))
        .collect();
    let stale = exceptions
        .iter()
        .filter(|e| !differences.iter().any(|d| covers(e, d)))
        .collect();
    (open, stale)
}

/// A table: per module what was compared, what is open, allowed and added.
fn summary(theirs: &[Line], found: &Comparison, open: &[&Difference]) -> String {
    const COLUMNS: usize = 5;
    let mut modules: BTreeMap<&str, [usize; COLUMNS]> = BTreeMap::new();
    for line in theirs {
        modules.entry(&line.module).or_default()[0] += 1;
    }
    for difference in &found.differences {
        let column = match (open.contains(&difference), &difference.ours) {
            (true, None) => 1,
            (true, Some(_)) => 2,
            (false, _) => 3,
        };
        modules.entry(&difference.module).or_default()[column] += 1;
    }
    for line in &found.additions {
        modules.entry(&line.module).or_default()[4] += 1;
    }
    let mut total = [0; COLUMNS];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (module, counts) in modules {
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
        rows.push(row(module, &counts));
    }
    rows.push(row("total", &total));
    let heading = [
        "module",
        "upstream",
        "missing",
        "different",
        "allowed",
        "added",
    ];
    table::render(&heading, &rows)
}

fn row(name: &str, counts: &[usize]) -> Vec<String> {
    let counts = counts.iter().map(ToString::to_string);
    std::iter::once(name.to_string()).chain(counts).collect()
}

fn report(open: &[&Difference], stale: &[&Exception]) -> Outcome {
    for difference in open {
        eprintln!("- {}", difference.theirs);
        if let Some(ours) = &difference.ours {
            eprintln!("+ {ours}");
        }
    }
    for exception in stale {
        eprintln!(
            "not so any more: - {} ({})",
            exception.theirs, exception.reason
        );
    }
    match (open.len(), stale.len()) {
        (0, 0) => Ok(()),
        (open, stale) => Err(format!(
            "{open} lines of upstream's API are missing or different, {stale} entries of {ALLOW} \
             are not true any more"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Vec<Line> {
        lines(&format!("## crate::a\n{text}"), None)
    }

    #[test]
    fn names_of_lifetimes_and_private_types_do_not_matter() {
        for (one, other) in [
            ("impl Debug for a::G<'_, T>", "impl Debug for a::G<'a, T>"),
            (
                "fn crate::f<'a>(&'a priv::A)",
                "fn crate::f<'x>(&'x priv::B)",
            ),
            (
                "method crate::a::B::new() -> a::B",
                "method crate::a::B::new() -> Self",
            ),
        ] {
            assert_eq!(neutral(one), neutral(other));
        }
        for (one, other) in [
            ("fn crate::f(&'static u8)", "fn crate::f(&'a u8)"),
            ("fn crate::f<'a, 'b>(&'a u8)", "fn crate::f<'a, 'b>(&'b u8)"),
            (
                "method crate::a::B::new() -> a::Bc",
                "method crate::a::B::new() -> Self",
            ),
            (
                "method crate::a::B::new() -> a::B<u8>",
                "method crate::a::B::new() -> Self",
            ),
        ] {
            assert_ne!(neutral(one), neutral(other));
        }
    }

    #[test]
    fn lines_are_missing_different_or_added() {
        let theirs = some("fn crate::a::f()\nfn crate::a::g() @track_caller\nfn crate::a::h()");
        let ours = some("fn crate::a::f()\nfn crate::a::g()\nfn crate::a::i()");
        let found = compare(&theirs, &ours);
        assert_eq!(found.compared, 3);
        let differences: Vec<_> = found
            .differences
            .iter()
            .map(|d| (d.theirs.as_str(), d.ours.as_deref()))
            .collect();
        assert_eq!(
            differences,
            [
                ("fn crate::a::g() @track_caller", Some("fn crate::a::g()")),
                ("fn crate::a::h()", None)
            ]
        );
        assert_eq!(found.additions, some("fn crate::a::i()"));
    }

    #[test]
    fn an_exception_covers_one_difference_and_must_be_true() {
        let exceptions = parse_exceptions(
            "# head\n\n- fn crate::a::g()\n+ fn crate::a::g(u8)\nbecause\nof it\n\n- fn crate::a::h()\nwhy\n",
        )
        .unwrap();
        assert_eq!(exceptions.len(), 2);
        assert_eq!(exceptions[0].reason, "because of it");
        let theirs = some("fn crate::a::g()");
        let found = compare(&theirs, &some("fn crate::a::g(u8)"));
        let (open, stale) = judge(&found.differences, &exceptions);
        assert!(open.is_empty());
        assert_eq!(stale, [&exceptions[1]]);
        let found = compare(&theirs, &some("fn crate::a::g(u16)"));
        assert_eq!(judge(&found.differences, &exceptions).0.len(), 1);
        assert!(parse_exceptions("- fn crate::a::g()\n").is_err());
        assert!(parse_exceptions("fn crate::a::g()\nwhy\n").is_err());
    }

    #[test]
    fn sections_are_found_by_number() {
        let text = "# head\n\n# 1. Stable\n\n## crate\nmod crate\n\n# 2. Hidden\n\n# 3. Rest\n# more\n\nfn crate::f()\n";
        assert_eq!(lines(section(text, 1).unwrap(), None).len(), 1);
        let rest = lines(section(text, 3).unwrap(), Some("rest"));
        assert_eq!((rest.len(), rest[0].text.as_str()), (1, "fn crate::f()"));
        assert!(section(text, 4).is_err());
    }
}
