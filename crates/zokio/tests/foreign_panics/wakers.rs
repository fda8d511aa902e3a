//! `clone`, `wake`, `wake_by_ref` and `drop` of a waker, wherever the runtime keeps one.
//!
//! A site is a future that waits, what makes it ready, and a later round trip. It is run with a waker
//! that panics in one of its functions, by three paths: the event comes; the future is given up while it
//! waits; another waker takes the place of the first.

use crate::support::{Host, Table, fall, falls, hide_expected, ignore, now, until};
use std::future::{Future, pending, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream, UdpSocket};
use zokio::runtime::LocalRuntime;
use zokio::sync::{
    Barrier, Condvar, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce, broadcast, mpsc,
    oneshot, watch,
};
use zokio::task::{JoinSet, LocalSet};

const CLONE: usize = 0;
const WAKE: usize = 1;
const WAKE_BY_REF: usize = 2;
const DROP: usize = 3;

/// The counts that the clones of one waker share.
struct Counts {
    /// Which callbacks panic.
    bad: u8,
    fallen: [AtomicU64; 4],
    woken: AtomicUsize,
}

impl Counts {
    fn new(bad: u8) -> Arc<Self> {
        Arc::new(Self {
            bad,
            fallen: Default::default(),
            woken: AtomicUsize::new(0),
        })
    }

    fn call(&self, callback: usize) {
        if self.bad & 1 << callback != 0 {
            fall(&self.fallen[callback]);
        }
    }

    fn waker(self: &Arc<Self>) -> Waker {
        // SAFETY: the table's functions keep one reference for each waker that there is.
        unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(self.clone()).cast(), &ROOT)) }
    }
}

/// The test's own waker, whose drop is the test's.
static ROOT: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, let_go);
/// The runtime's clones.
static CLONED: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_clone);

fn at<'a>(counts: *const ()) -> &'a Counts {
    // SAFETY: it came from `Arc::into_raw`, and the waker that asks has a reference.
    unsafe { &*counts.cast() }
}

fn own(counts: *const ()) -> Arc<Counts> {
    // SAFETY: as above; the waker gives its reference up.
    unsafe { Arc::from_raw(counts.cast()) }
}

fn clone(counts: *const ()) -> RawWaker {
    at(counts).call(CLONE);
    // SAFETY: as in `at`.
    unsafe { Arc::increment_strong_count(counts.cast::<Counts>()) };
    RawWaker::new(counts, &CLONED)
}

fn wake(counts: *const ()) {
    let counts = own(counts);
    counts.woken.fetch_add(1, Ordering::SeqCst);
    counts.call(WAKE);
}

fn wake_by_ref(counts: *const ()) {
    at(counts).woken.fetch_add(1, Ordering::SeqCst);
    at(counts).call(WAKE_BY_REF);
}

fn let_go(counts: *const ()) {
    drop(own(counts));
}

fn drop_clone(counts: *const ()) {
    own(counts).call(DROP);
}

#[derive(Default)]
struct Good(AtomicUsize);

impl Wake for Good {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// One use of a site.
struct Wait {
    future: Pin<Box<dyn Future<Output = ()>>>,
    event: Box<dyn FnOnce()>,
    check: Box<dyn FnOnce()>,
}

fn wait(
    future: impl Future<Output = ()> + 'static,
    event: impl FnOnce() + 'static,
    check: impl FnOnce() + 'static,
) -> Wait {
    Wait {
        future: Box::pin(future),
        event: Box::new(event),
        check: Box::new(check),
    }
}

struct Run<'a> {
    site: &'static str,
    host: &'a Host,
    table: &'a mut Table,
}

impl Run<'_> {
    fn all(&mut self, make: impl Fn() -> Wait) {
        // One at a time, and all but the clone at once.
        for bad in [1 << CLONE, 1 << WAKE, 1 << WAKE_BY_REF, 1 << DROP, 0b1110] {
            self.event(bad, make());
            self.give_up(bad, make());
            self.replace(bad, make());
            self.host.is_alive();
        }
    }

    /// Polls with the bad waker. Whether the future waits; if not, the clone has panicked.
    fn begin(&mut self, bad: &Arc<Counts>, wait: &mut Wait) -> bool {
        let waker = bad.waker();
        let mut is_ready = false;
        let fell = falls(|| {
            let polled = wait.future.as_mut().poll(&mut Context::from_waker(&waker));
            is_ready = polled.is_ready();
        });
        assert_eq!(fell, bad.bad & 1 << CLONE != 0, "{}: the clone", self.site);
        assert!(!is_ready, "{} waits", self.site);
        !fell
    }

    /// The event has come: the future is ready, sooner or later.
    fn finish(&self, wait: &mut Wait) {
        let mut cx = Context::from_waker(Waker::noop());
        until(self.site, || wait.future.as_mut().poll(&mut cx).is_ready());
    }

    fn event(&mut self, bad: u8, mut wait: Wait) {
        let counts = Counts::new(bad);
        let waits = self.begin(&counts, &mut wait);
        assert!(!falls(wait.event), "{}: the event", self.site);
        if waits {
            until(self.site, || counts.woken.load(Ordering::SeqCst) > 0);
            let Wait { future, check, .. } = Wait {
                event: Box::new(|| ()),
                ..wait
            };
            wait = Wait {
                future,
                check,
                event: Box::new(|| ()),
            };
            self.finish(&mut wait);
        }
        let (future, check) = (wait.future, wait.check);
        assert!(!falls(|| ignore(future)), "{}: the end", self.site);
        check();
        self.settle(&counts);
    }

    fn give_up(&mut self, bad: u8, mut wait: Wait) {
        let counts = Counts::new(bad);
        self.begin(&counts, &mut wait);
        let future = wait.future;
        assert!(!falls(|| ignore(future)), "{}: given up", self.site);
        assert!(!falls(wait.event), "{}: the event after that", self.site);
        (wait.check)();
        self.settle(&counts);
    }

    fn replace(&mut self, bad: u8, mut wait: Wait) {
        let counts = Counts::new(bad);
        if self.begin(&counts, &mut wait) {
            let good = Arc::new(Good::default());
            let waker = Waker::from(good.clone());
            let mut cx = Context::from_waker(&waker);
            let mut is_ready = false;
            let second = || is_ready = wait.future.as_mut().poll(&mut cx).is_ready();
            assert!(!falls(second), "{}: another waker", self.site);
            assert!(!falls(wait.event), "{}: the event", self.site);
            if !is_ready {
                until(self.site, || good.0.load(Ordering::SeqCst) > 0);
                let mut cx = Context::from_waker(Waker::noop());
                until(self.site, || wait.future.as_mut().poll(&mut cx).is_ready());
            }
            let future = wait.future;
            assert!(!falls(|| ignore(future)), "{}: the end", self.site);
            (wait.check)();
        }
        self.settle(&counts);
    }

    /// Every clone has been let go.
    fn settle(&mut self, counts: &Arc<Counts>) {
        until("the last clone goes", || Arc::strong_count(counts) == 1);
        let fallen = |callback: usize| counts.fallen[callback].load(Ordering::SeqCst);
        self.table.add(self.site, "clone", fallen(CLONE));
        self.table.add(self.site, "drop", fallen(DROP));
        // By value or by reference is the runtime's choice; one of them has to be.
        self.table
            .add(self.site, "wakes", fallen(WAKE) + fallen(WAKE_BY_REF));
    }
}

/// Runs every site of a list.
fn run(family: &str, list: impl FnOnce(&mut dyn FnMut(&'static str, &dyn Fn() -> Wait))) {
    hide_expected();
    let host = Host::new();
    let mut table = Table::default();
    {
        let _entered = host.runtime().enter();
        list(&mut |site, make| {
            Run {
                site,
                host: &host,
                table: &mut table,
            }
            .all(make);
        });
    }
    host.end();
    table.show(family);
}

#[test]
fn wakers_of_signals_locks_and_cells() {
    run("wakers: signals, locks, cells", |site| {
        site("Notify: notify_one", &|| {
            let notify = Arc::new(Notify::new());
            let (waits, event) = (notify.clone(), notify.clone());
            wait(
                async move { waits.notified().await },
                move || event.notify_one(),
                move || {
                    // Handed on, if it was given up; stored otherwise or used up.
                    notify.notify_one();
                    now(notify.notified());
                },
            )
        });
        site("Notify: notify_waiters", &|| {
            let notify = Arc::new(Notify::new());
            let (waits, event) = (notify.clone(), notify.clone());
            wait(
                waits.notified_owned(),
                move || event.notify_waiters(),
                move || {
                    notify.notify_one();
                    now(notify.notified());
                },
            )
        });
        site("Semaphore: add_permits", &|| {
            let semaphore = Arc::new(Semaphore::new(0));
            let (waits, event) = (semaphore.clone(), semaphore.clone());
            let future = async move { ignore(waits.acquire_many(2).await.unwrap()) };
            wait(
                future,
                move || event.add_permits(2),
                move || {
                    assert_eq!(semaphore.available_permits(), 2);
                    drop(now(semaphore.acquire_many(2)).unwrap());
                },
            )
        });
        site("Semaphore: close", &|| {
            let semaphore = Arc::new(Semaphore::new(0));
            let (waits, event) = (semaphore.clone(), semaphore.clone());
            let future = async move { assert!(waits.acquire_owned().await.is_err()) };
            wait(
                future,
                move || event.close(),
                move || {
                    assert!(now(semaphore.acquire()).is_err());
                },
            )
        });
        site("Mutex: lock", &|| {
            let mutex = Arc::new(Mutex::new(0));
            let held = mutex.clone().try_lock_owned().unwrap();
            let waits = mutex.clone();
            let future = async move { *waits.lock().await += 1 };
            wait(
                future,
                move || ignore(held),
                move || {
                    assert!(*now(mutex.lock()) <= 1);
                },
            )
        });
        site("RwLock: read", &|| {
            let lock = Arc::new(RwLock::new(0));
            let held = lock.clone().try_write_owned().unwrap();
            let waits = lock.clone();
            let future = async move { assert_eq!(*waits.read().await, 0) };
            wait(
                future,
                move || ignore(held),
                move || *now(lock.write()) += 1,
            )
        });
        site("RwLock: write", &|| {
            let lock = Arc::new(RwLock::new(0));
            let held = lock.clone().try_read_owned().unwrap();
            let waits = lock.clone();
            let future = async move { *waits.write().await += 1 };
            wait(
                future,
                move || ignore(held),
                move || {
                    assert!(*now(lock.read()) <= 1);
                },
            )
        });
        site("Barrier: the last comes", &|| {
            let barrier = Arc::new(Barrier::new(2));
            let waits = barrier.clone();
            let future = async move { ignore(waits.wait().await) };
            wait(future, move || ignore(now(barrier.wait())), || ())
        });
        site("Condvar: notify_one", &|| {
            let both = Arc::new((Mutex::new(()), Condvar::new()));
            let (waits, event) = (both.clone(), both.clone());
            let future = async move { ignore(waits.1.wait(waits.0.lock().await).await) };
            wait(
                future,
                move || event.1.notify_one(),
                move || ignore(now(both.0.lock())),
            )
        });
        site("Condvar: notify_all", &|| {
            let both = Arc::new((Mutex::new(()), Condvar::new()));
            let (waits, event) = (both.clone(), both.clone());
            let future = async move { ignore(waits.1.wait(waits.0.lock().await).await) };
            wait(
                future,
                move || event.1.notify_all(),
                move || ignore(now(both.0.lock())),
            )
        });
        site("OnceCell: set by another", &|| {
            let cell = Arc::new(OnceCell::new());
            let (waits, first) = (cell.clone(), cell.clone());
            let mut makes = Box::pin(async move { *first.get_or_init(pending::<u32>).await });
            let polled = makes.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            let future = async move {
                waits.get_or_init(|| async { 5 }).await;
            };
            wait(
                future,
                move || ignore(makes),
                move || {
                    assert_eq!(now(cell.get_or_init(|| async { 5 })), &5);
                },
            )
        });
        site("SetOnce: set", &|| {
            let cell = Arc::new(SetOnce::new());
            let (waits, event) = (cell.clone(), cell.clone());
            let future = async move { assert_eq!(waits.wait().await, &5) };
            wait(
                future,
                move || event.set(5).unwrap(),
                move || {
                    assert_eq!(now(cell.wait()), &5);
                },
            )
        });
    });
}

#[test]
fn wakers_of_channels() {
    run("wakers: channels", |site| {
        site("mpsc: recv", &|| {
            let (sender, mut receiver) = mpsc::channel(2);
            let future = async move { assert_eq!(receiver.recv().await, Some(1)) };
            let event = sender.clone();
            // An error where the receiver went with the future.
            wait(
                future,
                move || ignore(event.try_send(1)),
                move || {
                    assert_eq!(
                        sender.capacity(),
                        if sender.is_closed() {
                            sender.capacity()
                        } else {
                            2
                        }
                    );
                },
            )
        });
        site("mpsc: recv_many, unbounded", &|| {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let future = async move {
                let mut values = Vec::new();
                assert_eq!(receiver.recv_many(&mut values, 4).await, 1);
            };
            wait(future, move || ignore(sender.send(1)), || ())
        });
        site("mpsc: the last sender goes", &|| {
            let (sender, mut receiver) = mpsc::unbounded_channel::<u8>();
            let future = async move { assert_eq!(receiver.recv().await, None) };
            wait(future, move || ignore(sender), || ())
        });
        site("mpsc: send waits for room", &|| {
            let (sender, mut receiver) = mpsc::channel(1);
            sender.try_send(1).unwrap();
            let waits = sender.clone();
            let future = async move { waits.send(2).await.unwrap() };
            let receiver = Arc::new(std::sync::Mutex::new(move || receiver.try_recv()));
            let event = receiver.clone();
            wait(
                future,
                move || ignore((event.lock().unwrap())()),
                move || {
                    while (receiver.lock().unwrap())().is_ok() {}
                    assert_eq!(sender.capacity(), 1, "permits balance");
                    sender.try_send(3).unwrap();
                    assert_eq!((receiver.lock().unwrap())(), Ok(3));
                },
            )
        });
        site("mpsc: closed", &|| {
            let (sender, receiver) = mpsc::channel::<u8>(1);
            let waits = sender.clone();
            let future = async move { waits.closed().await };
            wait(
                future,
                move || ignore(receiver),
                move || {
                    assert!(sender.is_closed());
                    now(sender.closed());
                },
            )
        });
        site("oneshot: send", &|| {
            let (sender, receiver) = oneshot::channel();
            let future = async move { assert_eq!(receiver.await, Ok(1)) };
            wait(future, move || ignore(sender.send(1)), || ())
        });
        site("oneshot: the sender goes", &|| {
            let (sender, receiver) = oneshot::channel::<u8>();
            let future = async move { assert!(receiver.await.is_err()) };
            wait(future, move || ignore(sender), || ())
        });
        site("oneshot: closed, by a close", &|| {
            let (mut sender, mut receiver) = oneshot::channel::<u8>();
            let future = async move { sender.closed().await };
            wait(future, move || receiver.close(), || ())
        });
        site("oneshot: closed, by a drop", &|| {
            let (mut sender, receiver) = oneshot::channel::<u8>();
            let future = async move { sender.closed().await };
            wait(future, move || ignore(receiver), || ())
        });
        site("broadcast: recv", &|| {
            let (sender, mut receiver) = broadcast::channel(2);
            let mut other = sender.subscribe();
            let future = async move { assert_eq!(receiver.recv().await, Ok(1)) };
            let event = sender.clone();
            wait(
                future,
                move || ignore(event.send(1)),
                move || {
                    assert_eq!(other.try_recv(), Ok(1));
                    sender.send(2).unwrap();
                    assert_eq!(other.try_recv(), Ok(2));
                },
            )
        });
        site("broadcast: the last sender goes", &|| {
            let (sender, mut receiver) = broadcast::channel::<u8>(2);
            let future = async move { assert!(receiver.recv().await.is_err()) };
            wait(future, move || ignore(sender), || ())
        });
        site("broadcast: closed", &|| {
            let (sender, receiver) = broadcast::channel::<u8>(2);
            let future = async move { sender.closed().await };
            wait(future, move || ignore(receiver), || ())
        });
        site("watch: changed", &|| {
            let (sender, mut receiver) = watch::channel(0);
            let other = receiver.clone();
            let future = async move { receiver.changed().await.unwrap() };
            wait(
                future,
                move || ignore(sender.send(1)),
                move || {
                    assert_eq!(*other.borrow(), 1);
                },
            )
        });
        site("watch: wait_for", &|| {
            let (sender, mut receiver) = watch::channel(0);
            let other = receiver.clone();
            let future = async move { ignore(receiver.wait_for(|it| *it == 1).await.unwrap()) };
            wait(
                future,
                move || ignore(sender.send(1)),
                move || {
                    assert_eq!(*other.borrow(), 1);
                },
            )
        });
        site("watch: the last sender goes", &|| {
            let (sender, mut receiver) = watch::channel(0);
            let future = async move { assert!(receiver.changed().await.is_err()) };
            wait(future, move || ignore(sender), || ())
        });
        site("watch: closed", &|| {
            let (sender, receiver) = watch::channel(0);
            let future = async move { sender.closed().await };
            wait(future, move || ignore(receiver), || ())
        });
    });
}

#[test]
fn wakers_of_tasks_and_timers() {
    run("wakers: tasks, timers", |site| {
        site("JoinHandle", &|| {
            let (sender, receiver) = oneshot::channel::<u8>();
            let task = zokio::spawn(async move { receiver.await.unwrap_or(1) });
            let future = async move { assert_eq!(task.await.unwrap(), 1) };
            wait(future, move || ignore(sender.send(1)), || ())
        });
        site("JoinHandle: abort", &|| {
            let task = zokio::spawn(pending::<()>());
            let abort = task.abort_handle();
            let future = async move { assert!(task.await.unwrap_err().is_cancelled()) };
            wait(future, move || abort.abort(), || ())
        });
        site("JoinHandle: spawn_blocking", &|| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let task = zokio::task::spawn_blocking(move || receiver.recv().unwrap_or(1));
            let future = async move { assert_eq!(task.await.unwrap(), 1) };
            wait(future, move || sender.send(1).unwrap(), || ())
        });
        site("JoinSet: join_next", &|| {
            let (sender, receiver) = oneshot::channel::<u8>();
            let mut set = JoinSet::new();
            set.spawn(async move { receiver.await.unwrap() });
            let future = async move { assert_eq!(set.join_next().await.unwrap().unwrap(), 1) };
            wait(future, move || ignore(sender.send(1)), || ())
        });
        site("LocalSet: woken from elsewhere", &|| {
            let (sender, receiver) = oneshot::channel::<u8>();
            let set = LocalSet::new();
            set.spawn_local(async move { receiver.await.unwrap() });
            let event = move || {
                let other = std::thread::spawn(move || ignore(sender.send(1)));
                other.join().unwrap();
            };
            wait(set, event, || ())
        });
        site("LocalSet: run_until, woken here", &|| {
            let (sender, receiver) = oneshot::channel::<u8>();
            let set = LocalSet::new();
            let future = async move {
                let inner = zokio::task::spawn_local(async move { receiver.await.unwrap() });
                assert_eq!(inner.await.unwrap(), 1);
            };
            wait(
                async move { set.run_until(future).await },
                move || ignore(sender.send(1)),
                || (),
            )
        });
        site("sleep", &|| {
            let time = Duration::from_millis(20);
            wait(zokio::time::sleep(time), || (), || ())
        });
        site("timeout", &|| {
            let time = Duration::from_millis(20);
            let future = zokio::time::timeout(time, pending::<()>());
            wait(async move { assert!(future.await.is_err()) }, || (), || ())
        });
        site("interval", &|| {
            let time = Duration::from_millis(20);
            let start = zokio::time::Instant::now() + time;
            let mut interval = zokio::time::interval_at(start, time);
            wait(async move { ignore(interval.tick().await) }, || (), || ())
        });
    });
}

#[test]
fn wakers_of_streams_and_files() {
    run("wakers: streams, sockets", |site| {
        site("duplex: read", &|| {
            let (mut one, mut other) = zokio::io::duplex(4);
            let future = async move { assert_eq!(one.read_u8().await.unwrap(), 1) };
            // An error where the other end went with the future.
            wait(future, move || ignore(now(other.write_u8(1))), || ())
        });
        site("duplex: write", &|| {
            let (mut one, mut other) = zokio::io::duplex(1);
            now(one.write_u8(1)).unwrap();
            // An error: the other end goes with the event, once there is room.
            let future = async move { ignore(one.write_u8(2).await) };
            wait(
                future,
                move || assert_eq!(now(other.read_u8()).unwrap(), 1),
                || (),
            )
        });
        site("duplex: the other end goes", &|| {
            let (mut one, other) = zokio::io::duplex(1);
            let future = async move { assert!(one.read_u8().await.is_err()) };
            wait(future, move || ignore(other), || ())
        });
        site("TcpListener: accept", &|| {
            let std = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            std.set_nonblocking(true).unwrap();
            let address = std.local_addr().unwrap();
            let listener = TcpListener::from_std(std).unwrap();
            let future = async move { ignore(listener.accept().await.unwrap()) };
            wait(
                future,
                move || ignore(std::net::TcpStream::connect(address)),
                || (),
            )
        });
        site("TcpStream: read", &|| {
            let (mut stream, peer) = connected();
            let future = async move { assert_eq!(stream.read_u8().await.unwrap(), 7) };
            wait(
                future,
                move || std::io::Write::write_all(&mut &peer, &[7]).unwrap_or(()),
                || (),
            )
        });
        site("TcpStream: poll_read_ready", &|| {
            let (stream, peer) = connected();
            let future = poll_fn(move |cx| stream.poll_read_ready(cx).map(Result::unwrap));
            wait(
                future,
                move || std::io::Write::write_all(&mut &peer, &[7]).unwrap_or(()),
                || (),
            )
        });
        site("UdpSocket: recv", &|| {
            let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            std.set_nonblocking(true).unwrap();
            let address = std.local_addr().unwrap();
            let socket = UdpSocket::from_std(std).unwrap();
            let future = async move {
                let mut byte = [0];
                assert_eq!(socket.recv(&mut byte).await.unwrap(), 1);
            };
            let event = move || {
                let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                let _ = other.send_to(&[7], address);
            };
            wait(future, event, || ())
        });
    });
}

fn connected() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    (TcpStream::from_std(stream).unwrap(), peer)
}

/// A file's operation ends by itself, at a time that a test does not choose, and may even be over at
/// the first poll: so each callback is asked for over as many tries as it takes.
#[test]
fn wakers_of_operations_on_files() {
    hide_expected();
    let host = Host::new();
    let folder = tempfile::tempdir().unwrap();
    let mut table = Table::default();
    let entered = host.runtime().enter();
    let operations: [(&str, Begin); 2] = [
        ("files: a name", |path| {
            Box::pin(async move { zokio::fs::create_dir_all(path).await })
        }),
        ("files: a file on its disk", |path| {
            Box::pin(async move {
                let file = zokio::fs::File::create(path.join("file")).await?;
                file.set_len(7).await?;
                file.sync_all().await
            })
        }),
    ];
    for (site, operation) in operations {
        // By value or by reference is the runtime's choice.
        for (callback, bad) in [("clone", 0b0001), ("wakes", 0b0110), ("drop", 0b1000)] {
            let counts = Counts::new(bad);
            let fallen = || {
                let all = counts.fallen.iter();
                all.map(|it| it.load(Ordering::SeqCst)).sum::<u64>()
            };
            until(site, || {
                one_operation(&counts, callback, operation(folder.path().into()));
                fallen() > 0
            });
            until("the last clone goes", || Arc::strong_count(&counts) == 1);
            table.add(site, callback, fallen());
            host.is_alive();
        }
    }
    let [_, (_, whole)] = operations;
    let path = folder.path().to_path_buf();
    host.runtime().block_on(whole(path)).unwrap();
    let text = folder.path().join("file");
    assert_eq!(
        host.runtime().block_on(zokio::fs::read(text)).unwrap(),
        [0; 7]
    );
    drop(entered);
    host.end();
    table.show("wakers: files");
}

type Begin = fn(PathBuf) -> Operation;
type Operation = Pin<Box<dyn Future<Output = std::io::Result<()>>>>;

/// Drives an operation with a bad waker until it has to wait; then it goes on, or is given up.
fn one_operation(counts: &Arc<Counts>, callback: &str, mut operation: Operation) {
    let waker = counts.waker();
    let woken = counts.woken.load(Ordering::SeqCst);
    let mut is_over = false;
    let fell = falls(|| {
        let polled = operation.as_mut().poll(&mut Context::from_waker(&waker));
        is_over = polled.is_ready();
    });
    if fell {
        assert_eq!(callback, "clone");
    } else if !is_over && callback == "wakes" {
        until("a wake", || counts.woken.load(Ordering::SeqCst) > woken);
        let mut cx = Context::from_waker(Waker::noop());
        until("the end", || operation.as_mut().poll(&mut cx).is_ready());
    }
    assert!(!falls(|| drop(operation)));
}

/// A current-thread runtime wakes from its own thread, between its polls.
#[test]
fn wakers_within_a_worker() {
    hide_expected();
    let runtime = LocalRuntime::new().unwrap();
    let mut table = Table::default();
    for bad in [1 << CLONE, 1 << WAKE, 1 << WAKE_BY_REF, 1 << DROP, 0b1110] {
        let counts = Counts::new(bad);
        runtime.block_on(async {
            let waker = counts.waker();
            let mut yielding = Box::pin(zokio::task::yield_now());
            let mut sleeping = Box::pin(zokio::time::sleep(Duration::from_millis(1)));
            let mut given_up = Box::pin(zokio::time::sleep(Duration::from_millis(1)));
            let mut cx = Context::from_waker(&waker);
            let fell = [
                falls(|| yielding.as_mut().poll(&mut cx)),
                falls(|| sleeping.as_mut().poll(&mut cx)),
                falls(|| given_up.as_mut().poll(&mut cx)),
            ];
            // Another executor's waker is not held back by a yield, so it is not cloned there.
            let is_clone = bad == 1 << CLONE;
            assert_eq!(fell, [false, is_clone, is_clone]);
            assert!(!falls(|| ignore(given_up)));
            zokio::time::sleep(Duration::from_millis(5)).await;
            assert_eq!(zokio::spawn(async { 7 }).await.unwrap(), 7);
        });
        let fallen = |callback: usize| counts.fallen[callback].load(Ordering::SeqCst);
        table.add("within a worker", "clone", fallen(CLONE));
        table.add(
            "within a worker",
            "wakes",
            fallen(WAKE) + fallen(WAKE_BY_REF),
        );
        table.add("within a worker", "drop", fallen(DROP));
        assert_eq!(Arc::strong_count(&counts), 1);
    }
    table.show("wakers: within a worker");
}
