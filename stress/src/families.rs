//! The families of tasks of a storm. Each goes on until the ledger says stop.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream};
use zokio::runtime::Runtime;
use zokio::sync::{Mutex, Notify, Semaphore, mpsc, oneshot};
use zokio::task::{self, JoinHandle, yield_now};
use zokio::time::{sleep, timeout};

use crate::blocking::{blockers, files};
use crate::storm::{Choices, Ledger, Options};

/// How often a family gives the books a look, in its inner loops.
const BATCH: usize = 32;

/// How many of each family there are.
const WAVES: usize = 2;
/// How many servers with their clients there are.
const SERVERS: usize = 8;

/// Runs every family until the time is over, and leaves some tasks pending.
pub(crate) async fn run(ledger: &Arc<Ledger>, options: Options, choices: &mut Choices) {
    let mut all: Vec<JoinHandle<()>> = Vec::new();
    for _ in 0..WAVES {
        all.push(zokio::spawn(trees(ledger.clone(), choices.fork())));
        all.push(zokio::spawn(ring(ledger.clone(), choices.fork())));
        all.push(zokio::spawn(aborts(ledger.clone(), choices.fork())));
        all.push(zokio::spawn(timers(ledger.clone(), choices.fork())));
        all.push(zokio::spawn(locks(ledger.clone(), choices.fork())));
        all.push(zokio::spawn(blockers(ledger.clone(), choices.fork())));
        all.push(zokio::spawn(files(
            ledger.clone(),
            choices.fork(),
            options.folder(),
        )));
    }
    // Each message waits for several turns of the driver, so it takes many to make a storm.
    let servers = if options.sockets { SERVERS } else { 0 };
    for _ in 0..servers {
        all.push(zokio::spawn(sockets(ledger.clone(), choices.fork())));
    }
    for family in all {
        family.await.expect("no family panics");
    }
    for _ in 0..BATCH {
        let guard = ledger.guard();
        drop(zokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(guard);
        }));
    }
}

/// Threads that are not the runtime's spawn into it and wait for the answers.
pub(crate) fn start_threads(
    runtime: &Runtime,
    ledger: &Arc<Ledger>,
    choices: &mut Choices,
) -> Vec<thread::JoinHandle<()>> {
    (0..2)
        .map(|_| {
            let (handle, ledger) = (runtime.handle().clone(), ledger.clone());
            let mut choices = choices.fork();
            thread::spawn(move || {
                while !ledger.stopped() {
                    let yields = choices.below(4);
                    let guard = ledger.guard();
                    let task = handle.spawn(async move {
                        for _ in 0..yields {
                            yield_now().await;
                        }
                        drop(guard);
                        yields
                    });
                    assert_eq!(handle.block_on(task).expect("not aborted"), yields);
                    ledger.finish();
                }
            })
        })
        .collect()
}

/// Tasks that spawn tasks: queues overflow, others steal.
async fn trees(ledger: Arc<Ledger>, mut choices: Choices) {
    while !ledger.stopped() {
        let depth = 2 + choices.below(6) as u32;
        let leaves = grow(ledger.clone(), depth).await;
        assert_eq!(leaves, 1 << depth, "every leaf answered");
        ledger.finish();
    }
}

/// Counts the leaves of a binary tree of tasks.
fn grow(ledger: Arc<Ledger>, depth: u32) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
    let guard = ledger.guard();
    Box::pin(async move {
        let _guard = guard;
        if depth == 0 {
            return 1;
        }
        let left = zokio::spawn(grow(ledger.clone(), depth - 1));
        let right = zokio::spawn(grow(ledger, depth - 1));
        left.await.expect("not aborted") + right.await.expect("not aborted")
    })
}

/// Tokens that go around a ring of tasks: every step is a wake from another task.
async fn ring(ledger: Arc<Ledger>, mut choices: Choices) {
    while !ledger.stopped() {
        let length = 2 + choices.below(30) as usize;
        let (first, mut inbox) = mpsc::channel::<u64>(4);
        let mut members = Vec::with_capacity(length);
        for _ in 0..length {
            let (next, next_inbox) = mpsc::channel(4);
            let guard = ledger.guard();
            members.push(zokio::spawn(async move {
                let _guard = guard;
                while let Some(token) = inbox.recv().await {
                    if next.send(token + 1).await.is_err() {
                        return;
                    }
                }
            }));
            inbox = next_inbox;
        }
        for token in 0..BATCH as u64 {
            first.send(token * 1000).await.expect("the ring stands");
            let came = timeout(Duration::from_secs(20), inbox.recv())
                .await
                .expect("no wake is lost");
            assert_eq!(came, Some(token * 1000 + length as u64));
        }
        drop(first);
        for member in members {
            member.await.expect("not aborted");
        }
        ledger.finish();
    }
}

/// Tasks in every state are aborted; a join tells the truth.
async fn aborts(ledger: Arc<Ledger>, mut choices: Choices) {
    let notify = Arc::new(Notify::new());
    while !ledger.stopped() {
        let mut tasks = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            let (guard, notify, kind) = (ledger.guard(), notify.clone(), choices.below(4));
            let pause = Duration::from_micros(choices.below(300));
            tasks.push(zokio::spawn(async move {
                let _guard = guard;
                match kind {
                    0 => yield_now().await,
                    1 => sleep(pause).await,
                    2 => notify.notified().await,
                    _ => {}
                }
            }));
        }
        for _ in 0..choices.below(8) {
            notify.notify_one();
            yield_now().await;
        }
        for task in &tasks {
            if choices.below(8) != 0 {
                yield_now().await;
            }
            task.abort();
        }
        for task in tasks {
            match task.await {
                Ok(()) => ledger.finish(),
                Err(error) => {
                    assert!(error.is_cancelled(), "nothing panicked: {error}");
                    ledger.abort();
                }
            }
        }
    }
}

/// Sleeps and time-outs that fire, are cancelled, or race.
async fn timers(ledger: Arc<Ledger>, mut choices: Choices) {
    while !ledger.stopped() {
        let mut tasks = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            let (guard, long) = (ledger.guard(), Duration::from_micros(choices.below(3000)));
            let short = Duration::from_micros(choices.below(3000));
            tasks.push(zokio::spawn(async move {
                let _guard = guard;
                let raced = timeout(short, sleep(long)).await;
                // Both may be due at once; a much shorter one must win.
                if short + Duration::from_secs(1) < long {
                    assert!(raced.is_err());
                }
            }));
        }
        for task in tasks {
            timeout(Duration::from_secs(20), task)
                .await
                .expect("no timer is lost")
                .expect("no panic");
        }
        ledger.finish();
    }
}

/// A mutex and a semaphore under tasks that give up now and then.
async fn locks(ledger: Arc<Ledger>, mut choices: Choices) {
    let (mutex, semaphore) = (Arc::new(Mutex::new(0u64)), Arc::new(Semaphore::new(3)));
    while !ledger.stopped() {
        let mut tasks = Vec::with_capacity(BATCH);
        let before = *mutex.lock().await;
        for _ in 0..BATCH {
            let (guard, mutex, semaphore) = (ledger.guard(), mutex.clone(), semaphore.clone());
            let patience = Duration::from_micros(choices.below(500));
            tasks.push(zokio::spawn(async move {
                let _guard = guard;
                let Ok(permit) = timeout(patience, semaphore.acquire()).await else {
                    return false;
                };
                let _permit = permit.expect("the semaphore is open");
                let mut count = mutex.lock().await;
                let seen = *count;
                yield_now().await;
                *count = seen + 1;
                true
            }));
        }
        let mut counted = 0;
        for task in tasks {
            counted += u64::from(task.await.expect("not aborted"));
        }
        assert_eq!(*mutex.lock().await - before, counted, "the mutex excluded");
        assert_eq!(semaphore.available_permits(), 3, "every permit came back");
        ledger.finish();
    }
}

/// Connections that echo, some of which are cut off in the middle.
async fn sockets(ledger: Arc<Ledger>, mut choices: Choices) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (close, closed) = oneshot::channel::<()>();
    let server_ledger = ledger.clone();
    let server = zokio::spawn(async move {
        let accepting = async {
            loop {
                let (stream, _) = listener.accept().await.expect("accepting goes on");
                let guard = server_ledger.guard();
                drop(zokio::spawn(async move {
                    let _guard = guard;
                    echo(stream).await;
                }));
            }
        };
        zokio::select! {
            () = accepting => {}
            _ = closed => {}
        }
    });
    while !ledger.stopped() {
        let mut clients = Vec::with_capacity(8);
        for _ in 0..8 {
            let (guard, ledger, choices) = (ledger.guard(), ledger.clone(), choices.fork());
            clients.push(zokio::spawn(async move {
                let _guard = guard;
                client(address, ledger, choices).await;
            }));
        }
        if choices.below(2) == 0 {
            sleep(Duration::from_micros(choices.below(2000))).await;
            clients[0].abort();
        }
        for client in clients {
            let ended = timeout(Duration::from_secs(20), client)
                .await
                .expect("no readiness is lost");
            match ended {
                Ok(()) => ledger.finish(),
                Err(error) => assert!(error.is_cancelled(), "nothing panicked: {error}"),
            }
        }
    }
    let _ = close.send(());
    server.await.expect("the server does not panic");
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 2048];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn client(address: std::net::SocketAddr, ledger: Arc<Ledger>, mut choices: Choices) {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    for _ in 0..choices.below(20) {
        let length = 1 + choices.below(5000) as usize;
        let sent: Vec<u8> = (0..length).map(|_| choices.next() as u8).collect();
        let mut came = vec![0; length];
        let (mut read, mut write) = stream.split();
        let (wrote, got) = zokio::join!(write.write_all(&sent), read.read_exact(&mut came));
        wrote.expect("the peer reads");
        got.expect("the peer answers");
        assert!(
            sent == came,
            "the bytes that came are the bytes that were sent"
        );
        ledger.add_bytes(length);
        if choices.below(4) == 0 {
            task::yield_now().await;
        }
    }
}
