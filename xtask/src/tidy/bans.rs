//! Names that only some files may use: the doors to threads, time, chance and the kernel.
//!
//! Test code and the tools are free. Clippy's `disallowed_methods` holds the same rules for calls
//! through an alias.

use crate::tidy::source::{File, find, words};
use crate::tidy::{Finding, lexer};

/// Files that are not part of the runtime.
const OUTSIDE: &[&str] = &["xtask/", "benches/", "stress/", "examples/", "fuzz/"];
/// The one crate that may.
const BASE: &str = "crates/zokio-base/src/";
/// Crates and folders that speak with the kernel. The scheduler's own calls (its barrier, the clock
/// of a thread) stand beside the protocol that pairs with them.
const KERNEL: &[&str] = &[
    BASE,
    "crates/zokio-driver/src/sys",
    "crates/zokio-driver/src/op/sys",
    "crates/zokio-driver/src/uring",
    "crates/zokio-sched/src/sys",
];
const DRIVER: &str = "crates/zokio-driver/src/";

/// Name, what to use instead.
const BANS: &[(&str, &str)] = &[
    ("std::sync::atomic", "zokio_base::sync::atomic"),
    ("core::sync::atomic", "zokio_base::sync::atomic"),
    ("std::sync::Mutex", "zokio_base::sync::Mutex"),
    ("std::sync::RwLock", "zokio_base::sync"),
    ("std::sync::Condvar", "zokio_base::sync::Condvar"),
    ("std::sync::mpsc", "zokio_base::sync"),
    ("std::cell::UnsafeCell", "zokio_base::sync::UnsafeCell"),
    ("std::thread", "zokio_base::sync::thread"),
    ("std::time::Instant::now", "zokio_base::clock"),
    ("SystemTime::now", "zokio_base::clock"),
    ("std::collections::HashMap", "zokio_base::hash::Map"),
    ("std::collections::HashSet", "zokio_base::hash::Set"),
    ("RandomState", "zokio_base::hash"),
];

/// The endings that may follow a banned name all the same: questions that start nothing, and the type of
/// `thread_local!`'s items.
const QUESTIONS: &[&str] = &["::panicking", "::available_parallelism", "::LocalKey"];

/// Imports in braces: their beginning, and the names that may not be among them.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "use std::sync::{",
        &["atomic", "Mutex", "RwLock", "Condvar", "mpsc"],
    ),
    ("use std::collections::{", &["HashMap", "HashSet"]),
    ("use std::{", &["thread", "sync"]),
];

/// Whether a file lies outside of the runtime.
pub(super) fn is_outside(path: &str) -> bool {
    OUTSIDE.iter().any(|prefix| path.starts_with(prefix))
}

/// Finds every use of a banned name.
pub(super) fn check(file: &File, findings: &mut Vec<Finding>) {
    if is_outside(&file.path) {
        return;
    }
    for index in (0..file.code.len()).filter(|index| !file.test[*index]) {
        let line = &file.code[index];
        if !file.path.starts_with(BASE) {
            names(file, index, line, findings);
            groups(file, index, line, findings);
        }
        kernel(file, index, line, findings);
    }
}

fn names(file: &File, index: usize, line: &str, findings: &mut Vec<Finding>) {
    for (name, instead) in BANS {
        let banned = words(line, name).iter().any(|start| {
            let rest = &line[start + name.len()..];
            !QUESTIONS.iter().any(|question| rest.starts_with(question))
        });
        if banned {
            let text = format!("`{name}` is not for this file: use {instead}");
            findings.push(find(file, "banned-call", index, text));
        }
    }
}

fn groups(file: &File, index: usize, line: &str, findings: &mut Vec<Finding>) {
    for (start, names) in GROUPS {
        let Some(at) = line.find(start) else { continue };
        let mut group = line[at + start.len()..].to_string();
        let mut next = index;
        while !group.contains(';') && next + 1 < file.code.len() {
            next += 1;
            group.push_str(&file.code[next]);
        }
        for name in names.iter().filter(|name| !words(&group, name).is_empty()) {
            let text = format!("`{start}{name}` is not for this file: use zokio_base");
            findings.push(find(file, "banned-call", index, text));
        }
    }
}

/// System calls are for the driver's `sys` and `uring`, and rings for the driver. The kernel's
/// constants and types may be named anywhere: they are part of what the public API is about.
fn kernel(file: &File, index: usize, line: &str, findings: &mut Vec<Finding>) {
    if KERNEL.iter().any(|prefix| file.path.starts_with(prefix)) {
        return;
    }
    let driver = file.path.starts_with(DRIVER);
    for start in words(line, "libc") {
        let Some(rest) = line[start..].strip_prefix("libc::") else {
            continue;
        };
        if is_call(rest) {
            let text =
                "system calls are not for this file: use the driver's sys module".to_string();
            findings.push(find(file, "banned-call", index, text));
        }
    }
    for start in words(line, "io_uring") {
        if !driver && line[start..].starts_with("io_uring::") {
            let text =
                "`io_uring::` is not for this file: use an operation of the driver".to_string();
            findings.push(find(file, "banned-call", index, text));
        }
    }
}

/// Whether `rest` begins with `name(`, where a name in lower case is a function's.
fn is_call(rest: &str) -> bool {
    let length = rest
        .bytes()
        .take_while(|byte| lexer::is_word(*byte))
        .count();
    let lower = rest[..length]
        .bytes()
        .all(|byte| !byte.is_ascii_uppercase());
    lower && rest[length..].starts_with('(')
}
