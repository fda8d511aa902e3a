//! The lanes.

use zokio::io::AsyncWriteExt;
use zokio::net::UdpSocket;
use zokio::net::owned::{
    BufferPool, Incoming, Receiver, RecvBatch, SendBatch, UdpLane, ZcSender, sendfile,
    splice_bidirectional,
};
use zokio::runtime::{Builder, IoMode};

use super::on_zokio::{listen, take};
use super::peer::{Peer, payload};
use super::{CHUNK, CHUNKS, CONNECTS, DATAGRAM, FLIGHT, FLIGHTS, MESSAGE, SENDERS, STREAMS};

/// Runs a program as a task on a worker.
fn run<F>(workers: usize, mode: IoMode, program: F) -> u64
where
    F: Future<Output = u64> + Send + 'static,
{
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .io_mode(mode)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let task = runtime.spawn(program);
    runtime.block_on(task).expect("the program does not panic")
}

/// Takes connections that come in bursts.
pub(super) fn accept(workers: usize, mode: IoMode) -> u64 {
    run(workers, mode, async move {
        let (listener, peer) = listen("accept").await;
        let mut incoming = Incoming::new(listener);
        let mut count = 0;
        while count < CONNECTS as u64 {
            drop(incoming.accept().await.expect("the peer connects"));
            count += 1;
        }
        assert_eq!(incoming.is_on_ring(), mode == IoMode::Uring);
        peer.join();
        count
    })
}

/// Receives what many connections bring.
pub(super) fn receive(workers: usize, mode: IoMode) -> u64 {
    run(workers, mode, serve("receive", false))
}

/// Sends back what many connections bring.
pub(super) fn echo(workers: usize, mode: IoMode) -> u64 {
    run(workers, mode, serve("echo", true))
}

async fn serve(kind: &'static str, answers: bool) -> u64 {
    let (listener, peer) = listen(kind).await;
    let pool = BufferPool::new(128, 4 * MESSAGE);
    let mut tasks = Vec::new();
    for _ in 0..STREAMS {
        let stream = take(&listener).await;
        stream.set_nodelay(true).expect("a connected socket");
        let (reader, mut writer) = stream.into_split();
        let mut receiver = Receiver::new(reader, &pool);
        tasks.push(zokio::spawn(async move {
            let mut sum = 0;
            while let Some(buffer) = receiver.recv().await.expect("the peer sends") {
                sum += buffer.len() as u64;
                if answers {
                    let answer = writer.write_all(&buffer).await;
                    answer.expect("the peer reads");
                }
            }
            sum
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
pub(super) fn datagrams(workers: usize, joins: bool) -> u64 {
    run(workers, IoMode::Auto, async move {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let peer = Peer::spawn("datagrams", socket.local_addr().expect("it is bound"));
        let (lane, mut batch) = if joins {
            let lane = UdpLane::new(socket).expect("a lane can be made");
            (lane, RecvBatch::for_lane(8))
        } else {
            (UdpLane::unjoined(socket), RecvBatch::new(64, 2048))
        };
        let (mut sum, mut out) = (0, SendBatch::new());
        while sum < (SENDERS * FLIGHT * FLIGHTS * DATAGRAM) as u64 {
            lane.recv_many(&mut batch).await.expect("some come");
            for datagram in batch.iter() {
                assert_eq!(datagram.bytes.len(), DATAGRAM);
                out.push(datagram.bytes, datagram.peer);
                sum += datagram.bytes.len() as u64;
            }
            lane.send_many(&mut out).await.expect("there is room");
        }
        peer.join();
        sum
    })
}

/// Sends long buffers on one connection.
pub(super) fn send(workers: usize, mode: IoMode) -> u64 {
    run(workers, mode, async move {
        let (listener, peer) = listen("discard").await;
        let mut sender = ZcSender::new(take(&listener).await);
        let mut chunk = vec![7; CHUNK];
        for _ in 0..CHUNKS {
            let (result, back) = sender.send(chunk).await;
            result.expect("the peer reads");
            chunk = back;
        }
        assert_eq!(sender.on_ring() > 0, mode == IoMode::Uring);
        drop(sender.into_inner().await.expect("nothing is under way"));
        peer.join()
    })
}

/// Sends a file on one connection.
pub(super) fn file(workers: usize) -> u64 {
    run(workers, IoMode::Auto, async {
        let (listener, peer) = listen("discard").await;
        let mut stream = take(&listener).await;
        let file = zokio::fs::File::from_std(payload());
        let len = (CHUNKS * CHUNK) as u64;
        let sent = sendfile(&mut stream, &file, 0, len).await;
        assert_eq!(sent.expect("the peer reads"), len);
        stream.shutdown().await.expect("the peer reads");
        drop(stream);
        peer.join()
    })
}

/// Joins two connections.
pub(super) fn proxy(workers: usize) -> u64 {
    run(workers, IoMode::Auto, async {
        let (listener, peer) = listen("through").await;
        let (mut from, mut to) = (take(&listener).await, take(&listener).await);
        let moved = splice_bidirectional(&mut from, &mut to).await;
        let (forth, back) = moved.expect("the peer reads and writes");
        assert_eq!(back, 0);
        drop((from, to));
        assert_eq!(peer.join(), forth);
        forth
    })
}
