//! The table of docs/TESTING.md that says which pairs of operations are modelled, against the models: each
//! one that it names is there, and each one that is there is named.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const HEADING: &str = "### Which pairs are modelled";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The models of one file.
fn models(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let tests = text.split("#[test]").skip(1);
    tests
        .map(|test| {
            let name = test.split("fn ").nth(1).unwrap();
            name[..name.find('(').unwrap()].to_string()
        })
        .collect()
}

/// The models of the folders in `sources`.
fn models_below(sources: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path().join("model.rs");
        if path.is_file() {
            found.extend(models(&path));
        }
    }
    found
}

#[test]
fn the_table_of_models_is_complete() {
    let crates = root().join("crates");
    let mut found = models_below(&crates.join("zokio-sync/src"));
    found.extend(models_below(&crates.join("zokio-runtime/src")));
    assert!(found.len() > 200, "the models were looked for elsewhere");

    let text = fs::read_to_string(root().join("docs/TESTING.md")).unwrap();
    let section = text.split(HEADING).nth(1).unwrap();
    let table = section.split("\n## ").next().unwrap();
    let named: BTreeSet<_> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(3))
        .flat_map(|models| models.split('`').skip(1).step_by(2))
        .filter(|name| name.contains('_'))
        .map(str::to_string)
        .collect();

    let missing: Vec<_> = found.difference(&named).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
    let gone: Vec<_> = named.difference(&found).collect();
    assert!(gone.is_empty(), "no such model: {gone:?}");
}
