//! The macros' complaints about mistakes, and the code that the attributes build. That the expansions compile
//! and do what they should is tested in `zokio`.

use crate::entry::{self, Kind};
use crate::join::Join;
use crate::select::Select;
use proc_macro2::TokenStream;

/// The texts of the `compile_error!`s in an expansion.
fn expand(kind: Kind, args: &str, item: &str) -> String {
    let parse = |text: &str| text.parse::<TokenStream>().unwrap();
    entry::expand(parse(args), parse(item), kind, "::zokio").to_string()
}

fn main_of(args: &str) -> String {
    expand(Kind::Main, args, "async fn main() {}")
}

fn test_of(args: &str) -> String {
    expand(Kind::Test, args, "async fn works() {}")
}

#[track_caller]
fn says(expanded: &str, text: &str) {
    // Quotes and backslashes are escaped in the error's literal.
    let plain = expanded.replace('\\', "");
    assert!(plain.contains("compile_error"), "no error in {expanded}");
    assert!(plain.contains(text), "no {text:?} in {expanded}");
}

#[track_caller]
fn builds(expanded: &str, chain: &str) {
    let squeeze = |text: &str| text.replace([' ', '\n'], "");
    assert!(!expanded.contains("compile_error"), "{expanded}");
    assert!(squeeze(expanded).contains(&squeeze(chain)), "{expanded}");
}

#[test]
fn flavors() {
    builds(
        &main_of(""),
        "::zokio::runtime::Builder::new_multi_thread().enable_all().build()",
    );
    builds(
        &test_of(""),
        "Builder::new_current_thread().enable_all().build()",
    );
    builds(&test_of(""), "#[::core::prelude::v1::test]");
    builds(
        &main_of("flavor = \"multi_thread\", worker_threads = 3,"),
        ".worker_threads(3).build()",
    );
    builds(
        &main_of("worker_threads = count()"),
        ".worker_threads(count())",
    );
    builds(
        &main_of("flavor = \"local\", crate = \"a::b\""),
        "a::b::runtime::Builder::new_current_thread().enable_all()
            .build_local(a::b::runtime::LocalOptions::default())",
    );
    builds(
        &test_of("start_paused = true, name = \"x\", unhandled_panic = \"ignore\""),
        ".start_paused(true).unhandled_panic(::zokio::runtime::UnhandledPanic::Ignore).name(\"x\")",
    );
    builds(&main_of("start_paused = false"), ".start_paused(false)");
}

#[test]
fn mistakes_in_options() {
    says(
        &main_of("flavour = \"local\""),
        "unknown option `flavour`; the options are `flavor`",
    );
    says(
        &main_of("current_thread"),
        "write `flavor = \"current_thread\"`",
    );
    says(
        &main_of("multi_thread"),
        "write `flavor = \"multi_thread\"`",
    );
    says(&main_of("nonsense"), "unknown option `nonsense`");
    says(&main_of("worker_threads"), "`worker_threads` needs a value");
    says(&main_of("flavor = \"fast\""), "there is no flavor `fast`");
    says(&main_of("flavor = 3"), "must be a string literal");
    says(&main_of("worker_threads = 0"), "a whole number above zero");
    says(&main_of("worker_threads = -1"), "a whole number above zero");
    says(
        &main_of("worker_threads = \"two\""),
        "a whole number above zero",
    );
    says(
        &main_of("worker_threads = 1, worker_threads = 2"),
        "set more than once",
    );
    says(&main_of("start_paused = 1"), "must be `true` or `false`");
    says(
        &main_of("start_paused = true"),
        "`start_paused` needs a runtime on the current thread",
    );
    says(
        &main_of("unhandled_panic = \"ignore\""),
        "`#[main(flavor = \"current_thread\"",
    );
    says(
        &test_of("unhandled_panic = \"shrug\""),
        "`shutdown_runtime`",
    );
    says(
        &test_of("worker_threads = 2"),
        "`#[test(flavor = \"multi_thread\", worker_threads",
    );
    says(
        &test_of("crate = \"not a path\""),
        "not the path of a crate",
    );
}

#[test]
fn mistakes_in_functions() {
    says(&expand(Kind::Main, "", "fn main() {}"), "write `async fn`");
    says(
        &expand(Kind::Main, "", "async fn main(x: u8) {}"),
        "takes no arguments",
    );
    says(
        &expand(Kind::Test, "", "async fn t(x: u8) {}"),
        "takes no arguments",
    );
    says(
        &expand(Kind::Test, "", "#[test] async fn t() {}"),
        "a second test attribute",
    );
    says(&expand(Kind::Main, "", "struct Main;"), "expected `fn`");
    builds(
        &expand(Kind::Main, "", "async fn run(x: u8) {}"),
        "fn run(x: u8)",
    );
    // The item itself stays, so that the compiler does not complain that it is missing too.
    assert!(expand(Kind::Main, "", "fn main() {}").contains("fn main"));
}

#[test]
fn attributes_in_the_body_move_to_the_function() {
    let expanded = expand(
        Kind::Test,
        "",
        "async fn t() { #![allow(unused)] let x = 1; }",
    );
    builds(&expanded, "async { let x = 1; }");
    assert!(expanded.contains("allow (unused)"), "{expanded}");
}

fn select_error(input: &str) -> String {
    match syn::parse_str::<Select>(&format!("[zokio] {input}")) {
        Ok(_) => panic!("{input:?} was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mistakes_in_select() {
    assert!(select_error("").contains("needs a branch"));
    assert!(select_error("biased;").contains("needs a branch"));
    assert!(select_error("else => 1, x = y => 2").contains("must be the last"));
    assert!(select_error("x => 1").contains("expected `=`"));
    assert!(select_error("x = y => 1 z = w => 2").contains("expected `,`"));
    assert!(select_error("x = y, z => 1").contains("expected `if`"));
    let many = "_ = x => {}".repeat(65);
    assert!(select_error(&many).contains("up to 64 branches"));
    let most = format!("[zokio] {}", "_ = x => {}".repeat(64));
    assert!(syn::parse_str::<Select>(&most).is_ok());
}

#[test]
fn mistakes_in_join() {
    assert!(syn::parse_str::<Join>("[zokio] a b").is_err());
    assert!(syn::parse_str::<Join>("[zokio] biased; a, b,").is_ok());
    // A future may have that name.
    assert!(syn::parse_str::<Join>("[zokio] biased, b").is_ok());
}
