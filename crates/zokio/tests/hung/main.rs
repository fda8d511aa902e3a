//! Files whose server does not answer: no worker waits for it.
//!
//! The server keeps its answers back until the test is over. So a worker that waits for it, waits for ever:
//! the other tasks stand still, a timeout does not fire, and a watchdog ends the test. Nothing here
//! measures a time.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, unreachable_pub)] // The server is a thread.

mod server;

use server::{Kind, LEN, Server, ask};
use std::io::SeekFrom;
use std::sync::Arc;
use std::time::Duration;
use zokio::fs::{self, File};
use zokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use zokio::runtime::{Builder, IoMode, Runtime};
use zokio::time::timeout;

/// A wait for an operation that nobody answers: it cannot be over.
const A_WHILE: Duration = Duration::from_millis(50);

/// A runtime with one worker, so that there is none to take over.
fn build(mode: IoMode, is_multi: bool) -> Runtime {
    let mut builder = if is_multi {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    builder.worker_threads(1).io_mode(mode).enable_all();
    builder.build().unwrap()
}

/// Runs `test` in a task of each runtime, with a server of its own.
fn on_each<F, T>(kind: Kind, test: F)
where
    F: Fn(Arc<Server>) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let modes = [IoMode::Auto, IoMode::Epoll];
    for (mode, is_multi) in modes
        .into_iter()
        .flat_map(|mode| [(mode, false), (mode, true)])
    {
        let Some(server) = Server::mount(kind) else {
            return;
        };
        // Only threads that are started from here on see what is mounted.
        let runtime = build(mode, is_multi);
        let name = format!("{mode:?}, is multi-threaded: {is_multi}");
        println!("{name}");
        let server = Arc::new(server);
        let (over, is_over) = std::sync::mpsc::channel::<()>();
        let dog = {
            let (server, name) = (server.clone(), name.clone());
            std::thread::spawn(move || {
                let watched = is_over.recv_timeout(Duration::from_secs(30));
                if watched == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    eprintln!("{name}: a worker waits for the server");
                    server.end();
                    std::process::abort();
                }
            })
        };
        let test = test(server.clone());
        let ended = runtime.block_on(async { zokio::spawn(test).await });
        drop(over);
        dog.join().unwrap();
        server.go_on();
        ended.unwrap();
        // Everything is answered: nothing keeps the runtime.
        drop(runtime);
    }
}

/// No test: the process of a server.
#[test]
#[ignore = "a part of the other tests"]
fn serve() {
    server::serve();
}

/// Reads with a timeout that fires, which it does only while the worker is at its loop.
async fn read_in_vain(file: &mut File) {
    let mut block = [0; 4096];
    let read = timeout(A_WHILE, file.read(&mut block)).await;
    assert!(read.is_err(), "nobody answers: {read:?}");
}

#[test]
fn a_read_is_given_up_and_its_file_dropped() {
    for kind in [Kind::Cached, Kind::Direct, Kind::Block] {
        on_each(kind, |server| async move {
            let mut file = File::open(server.file()).await.unwrap();
            server.keep_back(&[ask::READ, ask::GETATTR, ask::FLUSH, ask::POLL, ask::LSEEK]);
            read_in_vain(&mut file).await;
            server.asked_to_read().await;
            drop(file);
            zokio::time::sleep(A_WHILE).await;
        });
    }
}

#[test]
fn a_clone_reads_writes_and_seeks_while_another_read_hangs() {
    on_each(Kind::Cached, |server| async move {
        let mut file = both(&server).await;
        let mut clone = file.try_clone().await.unwrap();
        server.keep_back(&[ask::READ, ask::GETATTR, ask::FLUSH, ask::POLL, ask::LSEEK]);
        let reading = zokio::spawn(async move { file.read(&mut [0; 4096]).await });
        server.asked_to_read().await;
        read_in_vain(&mut clone).await;
        // The read of the clone is still under way, behind the other one.
        let seek = timeout(A_WHILE, clone.seek(SeekFrom::Start(3))).await;
        assert!(seek.is_err(), "{seek:?}");
        drop(clone);
        zokio::time::sleep(A_WHILE).await;
        server.go_on();
        assert_eq!(reading.await.unwrap().unwrap(), 4096);
    });
}

/// As the last, where the clone was made by the standard library.
#[test]
fn a_foreign_clone_seeks_and_reads_at_offsets_while_another_read_hangs() {
    on_each(Kind::Cached, |server| async move {
        let file = std::fs::File::open(server.file()).unwrap();
        let clone = File::from_std(file.try_clone().unwrap());
        let mut second = File::from_std(file.try_clone().unwrap());
        let mut file = File::from_std(file);
        server.keep_back(&[ask::READ, ask::GETATTR, ask::FLUSH, ask::POLL, ask::LSEEK]);
        let reading = zokio::spawn(async move { file.read(&mut [0; 4096]).await });
        server.asked_to_read().await;
        let seek = timeout(A_WHILE, second.seek(SeekFrom::Start(3))).await;
        assert!(seek.is_err(), "{seek:?}");
        let at = timeout(A_WHILE, clone.read_at(Vec::with_capacity(10), LEN / 2)).await;
        assert!(at.is_err(), "{at:?}");
        drop((clone, second));
        server.go_on();
        assert_eq!(reading.await.unwrap().unwrap(), 4096);
    });
}

async fn both(server: &Server) -> File {
    let mut options = File::options();
    options.read(true).write(true);
    options.open(server.file()).await.unwrap()
}

#[test]
fn a_name_is_looked_up_opened_and_asked_about() {
    for kind in [Kind::Cached, Kind::Block] {
        on_each(kind, |server| async move {
            let path = server.file();
            // The name is known to the kernel from here on.
            let file = File::open(&path).await.unwrap();
            server.keep_back(&[ask::OPEN, ask::GETATTR, ask::FLUSH]);
            let open = timeout(A_WHILE, File::open(&path)).await;
            assert!(open.is_err(), "{open:?}");
            server.keep_back(&[ask::LOOKUP]);
            let nowhere = path.with_file_name("other");
            assert!(timeout(A_WHILE, fs::metadata(&nowhere)).await.is_err());
            assert!(timeout(A_WHILE, fs::read(&nowhere)).await.is_err());
            assert!(timeout(A_WHILE, fs::try_exists(&nowhere)).await.is_err());
            assert!(timeout(A_WHILE, fs::remove_file(&nowhere)).await.is_err());
            // Whether the kernel knows the answer or not, nobody waits for it here.
            let _ = timeout(A_WHILE, file.metadata()).await;
            drop(file);
            zokio::time::sleep(A_WHILE).await;
        });
    }
}

#[test]
fn a_file_that_was_written_is_dropped() {
    on_each(Kind::Cached, |server| async move {
        let mut file = both(&server).await;
        file.write_all(b"hello").await.unwrap();
        file.flush().await.unwrap();
        server.keep_back(&[ask::GETATTR, ask::FLUSH, ask::POLL]);
        drop(file);
        // It is closed all the same.
        server.asked_for(ask::FLUSH).await;
        zokio::time::sleep(A_WHILE).await;
        // Also one that was opened elsewhere and never used.
        server.go_on();
        let file = std::fs::File::open(server.file()).unwrap();
        server.keep_back(&[ask::FLUSH]);
        drop(File::from_std(file));
        zokio::time::sleep(A_WHILE).await;
    });
}

#[test]
fn a_file_is_sent_to_a_socket() {
    for kind in [Kind::Cached, Kind::Direct, Kind::Block] {
        on_each(kind, |server| async move {
            let file = File::open(server.file()).await.unwrap();
            let (mut near, _far) = zokio::net::UnixStream::pair().unwrap();
            server.keep_back(&[ask::READ, ask::GETATTR, ask::FLUSH, ask::POLL]);
            let sending = zokio::net::owned::sendfile(&mut near, &file, 0, 1000);
            assert!(timeout(A_WHILE, sending).await.is_err());
            server.asked_to_read().await;
            drop(file);
            zokio::time::sleep(A_WHILE).await;
        });
    }
}

/// A read that was given up is over once the server answers: nothing is lost of the file, and the position is
/// where the reads left it.
#[test]
fn what_was_given_up_goes_on_when_the_server_answers() {
    on_each(Kind::Direct, |server| async move {
        let mut file = File::open(server.file()).await.unwrap();
        server.keep_back(&[ask::READ, ask::POLL]);
        read_in_vain(&mut file).await;
        server.asked_to_read().await;
        server.go_on();
        let mut all = Vec::new();
        file.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len() as u64, LEN);
        assert_eq!(file.stream_position().await.unwrap(), LEN);
        assert!(server.was_asked_for(ask::OPEN));
    });
}

/// The runtime ends in time whatever its operations wait for. What the system still has is counted as
/// abandoned, and given back when the server answers.
#[test]
fn a_runtime_ends_in_time_though_its_operations_hang() {
    let modes = [IoMode::Auto, IoMode::Epoll];
    for (mode, is_multi) in modes
        .into_iter()
        .flat_map(|mode| [(mode, false), (mode, true)])
    {
        for limit in [None, Some(A_WHILE)] {
            let Some(server) = Server::mount(Kind::Direct) else {
                return;
            };
            let name = format!("{mode:?}, is multi-threaded: {is_multi}, limit: {limit:?}");
            println!("{name}");
            let runtime = build(mode, is_multi);
            let server = Arc::new(server);
            let metrics = runtime.metrics();
            runtime.block_on(async {
                let mut reader = File::open(server.file()).await.unwrap();
                let writer = both(&server).await;
                server.keep_back(&[ask::READ, ask::WRITE]);
                read_in_vain(&mut reader).await;
                server.asked_to_read().await;
                let write = timeout(A_WHILE, writer.write_at(vec![7; 10], 0)).await;
                assert!(write.is_err(), "{write:?}");
            });
            let begun = std::time::Instant::now();
            match limit {
                None => runtime.shutdown_background(),
                Some(limit) => runtime.shutdown_timeout(limit),
            }
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(5), "{name}: {took:?}");
            // A runtime of many threads is ended by its worker, maybe a little later.
            let on_ring = metrics.operations().in_flight > 0;
            while on_ring && metrics.operations().abandoned == 0 {
                std::thread::yield_now();
            }
            server.go_on();
            while metrics.operations().in_flight > 0 {
                std::thread::yield_now();
            }
        }
    }
}
