//! Each check of a source file against a sample that breaks it and one that does not.

use super::*;

fn findings(path: &str, text: &str) -> Vec<(&'static str, usize)> {
    let files = load(vec![(path.to_string(), text.to_string())]);
    check(&files[0])
        .into_iter()
        .map(|finding| (finding.check, finding.line))
        .collect()
}

const LIB: &str = "crates/zokio-sched/src/x.rs";

#[test]
fn a_clean_file_has_no_findings() {
    assert_eq!(findings(LIB, "//! Purpose.\n\nfn f() {}\n"), []);
}

#[test]
fn a_missing_header_is_found() {
    assert_eq!(findings(LIB, "fn f() {}\n"), [("header", 1)]);
    assert_eq!(findings(LIB, "// Not documentation.\n"), [("header", 1)]);
}

#[test]
fn a_long_file_is_found_and_tests_do_not_count() {
    let line = "const A: u8 = 1;\n";
    let long = format!("//! P.\n{}", line.repeat(FILE_LINES_MAX + 1));
    assert_eq!(findings(LIB, &long), [("file-size", 1)]);
    let commented = format!("//! P.\n{}", "// Why.\n\n".repeat(FILE_LINES_MAX));
    assert_eq!(findings(LIB, &commented), []);
    let tests = format!(
        "//! P.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
        line.repeat(FILE_LINES_MAX + 1)
    );
    assert_eq!(findings(LIB, &tests), []);
}

#[test]
fn a_long_function_is_found() {
    let body = |lines: usize| {
        format!(
            "//! P.\nfn f(\n    a: [u8; 3],\n) {{\n{}}}\n",
            "    g();\n".repeat(lines)
        )
    };
    assert_eq!(findings(LIB, &body(FUNCTION_LINES_MAX - 2)), []);
    assert_eq!(
        findings(LIB, &body(FUNCTION_LINES_MAX - 1)),
        [("function-size", 2)]
    );
    let declared =
        "//! P.\ntrait T {\n    fn f(&self);\n    fn g(x: fn(u8) -> u8) -> [u8; 2];\n}\n";
    assert_eq!(findings(LIB, declared), []);
}

#[test]
fn unsafe_needs_a_safety_comment() {
    let bad =
        "//! P.\nfn f() {\n    let a = 1;\n    unsafe { g() };\n}\nunsafe impl Send for A {}\n";
    assert_eq!(findings(LIB, bad), [("safety", 4), ("safety", 6)]);
    let good = "//! P.\nfn f() {\n    // SAFETY: invariant 1.\n    let a =\n        unsafe { g() };\n}\n\
                // SAFETY: invariant 2.\n#[allow(x)]\nunsafe impl Send for A {}\nunsafe fn h() {}\n";
    assert_eq!(findings(LIB, good), []);
    let far = "//! P.\nfn f() {\n    // SAFETY: of the first.\n    unsafe { g() };\n    unsafe { g() };\n}\n";
    assert_eq!(findings(LIB, far), [("safety", 5)]);
    let text = "//! P.\nfn f() {\n    let a = \"unsafe { }\"; // unsafe { }\n}\n";
    assert_eq!(findings(LIB, text), []);
}

#[test]
fn banned_calls_are_found_outside_base_only() {
    let uses = "//! P.\nuse std::sync::atomic::AtomicU8;\nuse std::thread;\n";
    assert_eq!(
        findings(LIB, uses),
        [("banned-call", 2), ("banned-call", 3)]
    );
    assert_eq!(findings("crates/zokio-base/src/sync/std.rs", uses), []);
    let grouped = "//! P.\nuse std::sync::{\n    Arc,\n    Mutex,\n};\n";
    assert_eq!(findings(LIB, grouped), [("banned-call", 2)]);
    assert_eq!(findings(LIB, "//! P.\nuse std::sync::Arc;\n"), []);
    let calls = "//! P.\nfn f() { unsafe_free(); std::time::Instant::now(); libc::getpid(); }\n";
    assert_eq!(
        findings(LIB, calls),
        [("banned-call", 2), ("banned-call", 2)]
    );
    assert_eq!(
        findings(
            "crates/zokio-driver/src/sys/unix.rs",
            "//! P.\nuse libc::pid_t;\n"
        ),
        []
    );
}

#[test]
fn constants_may_be_named_and_calls_made_in_sys_only() {
    let constant = "//! P.\nfn f() -> i32 { libc::O_RDONLY }\n";
    let call = "//! P.\nfn f() -> i32 { libc::getpid() }\n";
    let op = "crates/zokio-driver/src/op/open/uring.rs";
    assert_eq!(findings(op, constant), []);
    assert_eq!(findings(op, call), [("banned-call", 2)]);
    assert_eq!(findings(LIB, constant), []);
    assert_eq!(findings(LIB, call), [("banned-call", 2)]);
    assert_eq!(findings("crates/zokio-driver/src/op/sys/unix.rs", call), []);
    assert_eq!(findings(op, "//! P.\nuse io_uring::opcode;\n"), []);
    assert_eq!(
        findings(LIB, "//! P.\nuse io_uring::opcode;\n"),
        [("banned-call", 2)]
    );
}

#[test]
fn questions_about_this_thread_are_free() {
    let asks = "//! P.\nfn f() -> bool { std::thread::panicking() }\n";
    assert_eq!(findings(LIB, asks), []);
    let spawns = "//! P.\nfn f() { std::thread::spawn(g); }\n";
    assert_eq!(findings(LIB, spawns), [("banned-call", 2)]);
}

#[test]
fn test_code_may_use_real_threads() {
    let inline =
        "//! P.\n#[cfg(all(test, not(zokio_model)))]\nmod tests {\n    use std::thread;\n}\n";
    assert_eq!(findings(LIB, inline), []);
    let files = load(vec![
        (
            "crates/a/src/queue.rs".into(),
            "//! P.\n#[cfg(test)]\nmod tests;\n".into(),
        ),
        (
            "crates/a/src/queue/tests.rs".into(),
            "//! P.\nuse std::thread;\n".into(),
        ),
        (
            "crates/a/src/lib.rs".into(),
            "//! P.\n#[cfg(test)]\n#[path = \"odd.rs\"]\nmod t;\n".into(),
        ),
        (
            "crates/a/src/odd.rs".into(),
            "//! P.\nuse std::thread;\n".into(),
        ),
    ]);
    assert!(files.iter().all(|file| check(file).is_empty()));
}

#[test]
fn an_ordering_needs_a_comment_nearby() {
    let bad = "//! P.\nfn f(a: &AtomicU8) {\n\n\n\n\n\n\n    a.load(Acquire);\n}\n";
    assert_eq!(findings(LIB, bad), [("ordering", 9)]);
    let good = "//! P.\nfn f(a: &AtomicU8) {\n    // Acquire: pairs with the release in `g`.\n    a.load(Acquire);\n}\n";
    assert_eq!(findings(LIB, good), []);
}

#[test]
fn banned_words_are_found_in_comments_too() {
    let text = format!(
        "//! P.\n// {}: later\nfn f() {{ {}!() }}\n",
        concat!("TO", "DO"),
        concat!("to", "do")
    );
    assert_eq!(
        findings(LIB, &text),
        [("banned-word", 2), ("banned-word", 3)]
    );
    assert_eq!(findings(LIB, "//! P.\nfn todos() {}\n"), []);
}
