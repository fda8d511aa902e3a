//! The one door to checks: `cargo xtask COMMAND`.
//!
//! Each command lives in a module of its own and returns `Ok(())` or a message that says what is
//! wrong. Commands never leave anything in the repository except files they are asked to record
//! (`--record`, `--update`): all scratch packages and tool output go below the target directory.
//!
//! The tools run outside every runtime, so they use the standard library's clock, threads and maps
//! freely; the rules that ban these inside the runtime are checked *by* this program.

#![deny(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a build tool: real time and real threads are what it needs"
)]

mod api;
mod asan;
mod bench;
mod ci;
mod cmd;
mod compat;
mod coverage;
mod deny;
mod faults;
mod fuzz;
mod instructions;
mod meta;
mod model;
mod noring;
mod table;
mod targets;
mod testbin;
mod tidy;
mod toolchain;
mod tsan;
mod wine;

use std::process::ExitCode;

/// The result of a command: nothing, or the reason why it failed.
type Outcome = Result<(), String>;

const USAGE: &str = "\
usage: cargo xtask COMMAND [OPTIONS]

  ci                     what .ci/run calls: fmt, tidy, clippy, doc, tests (ring, epoll, refused ring), quick models
  full                   everything: ci, all models, compat of every suite, targets, tsan, bench
  tidy [--update]        layers, headers, sizes, SAFETY comments, banned calls; --update lowers the ratchet
  model [--quick] [-p CRATE] [FILTER]
                         loom models, then shuttle runs, with a table of seconds
  compat SUITE [FILE..] [--baseline] [--record] [--verbose] [--timeout SECONDS] [--jobs N]
                         SUITE: tokio, tokio-util, tokio-stream, tokio-test: the published tests over the facade
  fuzz [--seconds N] [--keep] [TARGET..]
                         the fuzz targets, a bounded time each; --keep adds to the corpus what reaches new edges
  coverage [--published] [--report]
                         which lines the tests reach, per crate; --published: the published suites' tests too;
                         --report: what the last run left, without running anything
  deny                   licences, sources, bans and advisories of all dependencies
  api [--shared DIR]     the public API beside upstream's, held against tests/api/allow.txt
  bench [ARGS..]         Zokio beside Tokio; arguments go to benches/compare
  targets [TRIPLE..]     checks the workspace for macOS, Windows, FreeBSD and aarch64 Linux
  wine [ARGS..]          the tests built for Windows, under wine; arguments go to each test binary
  tsan                   the stress program under ThreadSanitizer
  asan                   the stress program under AddressSanitizer
  instructions --base REV [ROW..]
                         each benchmark row's instructions beside those of an earlier commit; over 3 % more is an error
  faults [--quick] [--seed N] [--pairs N] [--only CALL]
                         refuses each system call of a small program with each plausible error, then pairs; a table
  noring [-p] CMD..      runs CMD with io_uring refused by seccomp (ENOSYS, or EPERM with -p)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = args.split_first() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let outcome = match command.as_str() {
        "ci" => ci::ci(rest),
        "full" => ci::full(rest),
        "tidy" => tidy::run(rest),
        "model" => model::run(rest),
        "compat" => compat::run(rest),
        "faults" => faults::run(rest),
        "fuzz" => fuzz::run(rest),
        "coverage" => coverage::run(rest),
        "deny" => deny::run(rest),
        "api" => api::run(rest),
        "bench" => bench::run(rest),
        "targets" => targets::run(rest),
        "wine" => wine::run(rest),
        "tsan" => tsan::run(rest),
        "asan" => asan::run(rest),
        "instructions" => instructions::run(rest),
        "noring" => noring::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => Err(format!("no command `{other}`\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {command}: {message}");
            ExitCode::FAILURE
        }
    }
}
