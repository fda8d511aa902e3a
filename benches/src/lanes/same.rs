//! The programs that are compiled for each runtime, which whoever includes this names `rt`.

use super::rt;
use super::rt::io::{AsyncReadExt, AsyncWriteExt};
use super::rt::net::{TcpListener, TcpStream, UdpSocket};

use crate::lanes::peer::{Peer, payload};
use crate::lanes::{CHUNK, CHUNKS, CONNECTS, DATAGRAM, FLIGHT, FLIGHTS, MESSAGE, SENDERS, STREAMS};

/// Runs a program as a task on a worker.
fn run<F>(workers: usize, program: F) -> u64
where
    F: Future<Output = u64> + Send + 'static,
{
    let runtime = rt::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let task = runtime.spawn(program);
    runtime.block_on(task).expect("the program does not panic")
}

/// A listener, and the peer that connects to it.
pub(crate) async fn listen(kind: &str) -> (TcpListener, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, Peer::spawn(kind, address))
}

/// The next connection of the peer.
pub(crate) async fn take(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().await.expect("the peer connects");
    stream
}

/// Takes connections that come in bursts.
pub(crate) fn accept(workers: usize) -> u64 {
    run(workers, async {
        let (listener, peer) = listen("accept").await;
        let mut count = 0;
        while count < CONNECTS as u64 {
            drop(take(&listener).await);
            count += 1;
        }
        peer.join();
        count
    })
}

/// Reads what many connections bring.
pub(crate) fn receive(workers: usize) -> u64 {
    run(workers, serve("receive", false))
}

/// Sends back what many connections bring.
pub(crate) fn echo(workers: usize) -> u64 {
    run(workers, serve("echo", true))
}

async fn serve(kind: &'static str, answers: bool) -> u64 {
    let (listener, peer) = listen(kind).await;
    let mut tasks = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = take(&listener).await;
        stream.set_nodelay(true).expect("a connected socket");
        tasks.push(rt::spawn(async move {
            let (mut sum, mut buffer) = (0, [0; 4 * MESSAGE]);
            loop {
                let length = stream.read(&mut buffer).await.expect("the peer sends");
                if length == 0 {
                    return sum;
                }
                sum += length as u64;
                if answers {
                    let answer = stream.write_all(&buffer[..length]).await;
                    answer.expect("the peer reads");
                }
            }
        }));
    }
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("it does not panic");
    }
    peer.join();
    sum
}

/// Sends datagrams back.
pub(crate) fn datagrams(workers: usize) -> u64 {
    run(workers, async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let peer = Peer::spawn("datagrams", socket.local_addr().expect("it is bound"));
        let (mut sum, mut buffer) = (0, [0; 2048]);
        for _ in 0..SENDERS * FLIGHT * FLIGHTS {
            let (length, from) = socket.recv_from(&mut buffer).await.expect("one comes");
            assert_eq!(length, DATAGRAM);
            let sent = socket.send_to(&buffer[..length], from).await;
            sum += sent.expect("there is room") as u64;
        }
        peer.join();
        sum
    })
}

/// Sends long buffers on one connection.
pub(crate) fn send(workers: usize) -> u64 {
    run(workers, async {
        let (listener, peer) = listen("discard").await;
        let mut stream = take(&listener).await;
        let chunk = vec![7; CHUNK];
        for _ in 0..CHUNKS {
            stream.write_all(&chunk).await.expect("the peer reads");
        }
        drop(stream);
        peer.join()
    })
}

/// Sends a file on one connection.
pub(crate) fn file(workers: usize) -> u64 {
    run(workers, async {
        let (listener, peer) = listen("discard").await;
        let mut stream = take(&listener).await;
        let mut file = rt::fs::File::from_std(payload());
        let copied = rt::io::copy(&mut file, &mut stream).await;
        copied.expect("the peer reads");
        drop(stream);
        peer.join()
    })
}

/// Joins two connections.
pub(crate) fn proxy(workers: usize) -> u64 {
    run(workers, async {
        let (listener, peer) = listen("through").await;
        let (mut from, mut to) = (take(&listener).await, take(&listener).await);
        let moved = rt::io::copy_bidirectional(&mut from, &mut to).await;
        let (forth, back) = moved.expect("the peer reads and writes");
        assert_eq!(back, 0);
        drop((from, to));
        assert_eq!(peer.join(), forth);
        forth
    })
}
