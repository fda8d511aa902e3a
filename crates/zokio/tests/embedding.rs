//! Programs that bring their own loop, or no runtime at all.
#![allow(clippy::disallowed_methods)] // Tests meet runtimes from real threads, in real time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use zokio::future::{Either, join_all, select};
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream};
use zokio::runtime::LocalRuntime;
use zokio::task::JoinHandle;
use zokio::time::sleep;

/// A loop that has a frame each millisecond, and gives the runtime a turn in it.
fn frames_until(task: &JoinHandle<()>, runtime: &LocalRuntime) {
    let begun = Instant::now();
    while !task.is_finished() {
        runtime.run_until_idle();
        std::thread::sleep(Duration::from_millis(1));
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing happens");
    }
}

#[test]
fn sockets_timers_and_files_go_on_in_a_foreign_loop() {
    let runtime = LocalRuntime::new().unwrap();
    let seen: Rc<RefCell<Vec<u8>>> = Rc::default();
    let into = seen.clone();
    let task = runtime.spawn_local(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = zokio::task::spawn_local(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            sleep(Duration::from_millis(5)).await;
            stream.write_all(b"hello").await.unwrap();
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        client.await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        zokio::fs::write(&path, &bytes).await.unwrap();
        *into.borrow_mut() = zokio::fs::read(&path).await.unwrap();
    });
    frames_until(&task, &runtime);
    assert_eq!(*seen.borrow(), b"hello");
}

#[test]
fn a_program_without_a_runtime_blocks_on_the_default_one() {
    let outputs = zokio::block_on(async {
        join_all((0..10_u64).map(|number| {
            zokio::spawn(async move {
                sleep(Duration::from_millis(number)).await;
                number
            })
        }))
        .await
    });
    assert!(outputs.into_iter().map(Result::unwrap).eq(0..10));
}

#[test]
fn what_loses_a_race_is_given_back() {
    zokio::block_on(async {
        let never = std::future::pending::<()>();
        let Either::Left((value, _never)) = select(Box::pin(async { 7 }), never).await else {
            panic!("what is never ready has won")
        };
        assert_eq!(value, 7);
    });
}
