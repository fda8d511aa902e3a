//! The behaviour of a runtime where something is not to be had: threads, a place in a channel, its own
//! thread's locals, a sensible environment.

mod environment;
mod gone;
mod sends;
// Elsewhere stacks are not taken in whole, or there is no telling how large is too large.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod threads;

/// Runs the test `name` of this program in a process of its own, which `prepare` may change.
/// Returns true in that process, where the caller does what it is about.
#[track_caller]
fn is_child(
    name: &str,
    prepare: impl FnOnce(std::process::Command) -> std::process::Command,
) -> bool {
    const CHILD: &str = "ZOKIO_TEST_IS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let mut child = prepare(std::process::Command::new(program));
    let output = child
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("1 passed"), "there is no such test: {said}");
    false
}

/// The message of a panic of `f`.
#[track_caller]
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    let Err(payload) = caught else {
        panic!("it should have panicked")
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&'static str>().unwrap()).to_owned(),
    }
}
