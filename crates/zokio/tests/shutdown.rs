//! Operations that need a runtime say so once it has shut down, even where nothing would have to wait.

use std::future::Future;
use std::io;
use std::time::Duration;
use zokio::io::{AsyncWriteExt, stderr, stdout};
use zokio::net::{TcpListener, UdpSocket};
use zokio::runtime::{Builder, Handle, Runtime, is_rt_shutdown_err};
use zokio::{fs, task};

/// Within what the end of an idle runtime comes, and much more.
const LONG: Duration = Duration::from_secs(60);

/// Runs `test` inside of runtimes of both kinds that have shut down.
fn after_shutdown(test: impl Fn(&Handle)) {
    let runtimes: [fn() -> Builder; 2] = [Builder::new_current_thread, Builder::new_multi_thread];
    for builder in runtimes {
        let runtime: Runtime = builder().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let _entered = handle.enter();
        runtime.shutdown_timeout(LONG);
        test(&handle);
    }
}

fn refused<T: std::fmt::Debug>(
    handle: &Handle,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Error {
    handle.block_on(operation).unwrap_err()
}

#[test]
fn no_socket_is_made() {
    after_shutdown(|handle| {
        let any = "127.0.0.1:0";
        assert!(is_rt_shutdown_err(&refused(handle, TcpListener::bind(any))));
        assert!(is_rt_shutdown_err(&refused(handle, UdpSocket::bind(any))));
        let std = std::net::UdpSocket::bind(any).unwrap();
        std.set_nonblocking(true).unwrap();
        assert!(is_rt_shutdown_err(&UdpSocket::from_std(std).unwrap_err()));
    });
}

#[cfg(unix)]
#[test]
fn no_pair_and_no_pipe_is_made() {
    after_shutdown(|_| {
        let pair = zokio::net::UnixStream::pair();
        assert!(is_rt_shutdown_err(&pair.unwrap_err()));
        let pipe = zokio::net::unix::pipe::pipe();
        assert!(is_rt_shutdown_err(&pipe.unwrap_err()));
    });
}

#[test]
fn no_file_is_opened() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "there is something to read").unwrap();
    after_shutdown(|handle| {
        let path = file.path();
        let errors = [
            refused(handle, fs::read(path)),
            refused(handle, fs::metadata(path)),
            refused(handle, fs::File::open(path)),
            refused(handle, fs::write(path, "nothing")),
        ];
        for error in errors {
            assert_eq!(error.kind(), io::ErrorKind::Other);
            assert_eq!(error.to_string(), "background task failed");
        }
    });
    let left = std::fs::read_to_string(file.path()).unwrap();
    assert_eq!(left, "there is something to read");
}

#[test]
fn no_write_is_promised() {
    after_shutdown(|handle| {
        let error = refused(handle, async { stdout().write(b"x").await });
        assert!(is_rt_shutdown_err(&error));
        let error = refused(handle, async { stderr().write_all(b"x").await });
        assert!(is_rt_shutdown_err(&error));
        // Nothing was taken, so there is nothing to flush.
        handle.block_on(async { stdout().flush().await }).unwrap();
    });
}

/// A thread that polls nothing but one future may block, whatever the runtime, and even when that is
/// over.
#[test]
fn handles_let_their_future_block_in_place() {
    let blocks = || async {
        task::block_in_place(|| Handle::current().block_on(async { task::yield_now().await }));
    };
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.handle().block_on(blocks());
    after_shutdown(|handle| handle.block_on(blocks()));
}

#[test]
#[should_panic(expected = "can call blocking only when running on the multi-threaded runtime")]
fn who_drives_a_runtime_alone_may_not_block_in_place() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { task::block_in_place(|| ()) });
}
