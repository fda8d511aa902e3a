//! The parts that the tests of sockets share: runtimes, pairs of sockets, single polls.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use zokio::net::{TcpListener, TcpStream, UdpSocket};
use zokio::runtime::{Builder, Runtime};

/// Any free port of the IPv4 loopback.
pub const LOOPBACK: &str = "127.0.0.1:0";

/// A runtime of one thread.
pub fn plain_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn runtimes() -> [Runtime; 2] {
    let several = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    [plain_runtime(), several.unwrap()]
}

/// Runs the test on one thread, and on two workers.
pub fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for runtime in runtimes() {
        runtime.block_on(async {
            zokio::time::timeout(Duration::from_secs(20), test())
                .await
                .expect("the test hangs");
        });
    }
}

/// Both ends of a connection: who connected, and who accepted.
pub async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = zokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Two sockets for datagrams, each of which is the other's peer.
pub async fn connected_datagrams() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind(LOOPBACK).await.unwrap();
    let far = UdpSocket::bind(LOOPBACK).await.unwrap();
    near.connect(far.local_addr().unwrap()).await.unwrap();
    far.connect(near.local_addr().unwrap()).await.unwrap();
    (near, far)
}

/// An address at which nobody listens.
pub async fn deserted() -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    listener.local_addr().unwrap()
}

/// Whether this machine has IPv6 for itself.
pub fn has_ipv6() -> bool {
    std::net::UdpSocket::bind("[::1]:0").is_ok()
}

/// Polls a future once. Returns its output, if it is ready.
pub fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut cx = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Counts how often a task is woken.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    pub fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        let waker = wakes.clone().into();
        (wakes, waker)
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
