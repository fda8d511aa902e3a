//! Faults that other runtimes, channels and locks were warned of, each with a test of its own through
//! the public API. The name of a test says what must hold; its comment names the advisory.
//!
//! The cases that these can only hit by chance run under every schedule in the models of the crates below:
//! see the table in docs/TESTING.md. Guards and channels that are `Send` or `Sync` where they must not be
//! (RUSTSEC-2020-0059, RUSTSEC-2020-0062, RUSTSEC-2020-0070, RUSTSEC-2020-0072, RUSTSEC-2020-0106) are in
//! `auto_traits.rs`, and `ReadHalf::unsplit` of what is not `Unpin` is an example of its documentation that
//! must not compile.
//!
//! RUSTSEC-2023-0001 (`pipe_mode` of a named pipe's options let remote clients in again) is beside those
//! options, in `net::windows::named_pipe`: only Windows has them.
#![allow(clippy::disallowed_methods)] // Tests use threads.
#![allow(unsafe_code)] // A stream that is pinned.

use std::cell::{Cell, RefCell};
use std::marker::PhantomPinned;
use std::num::NonZeroU32;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use zokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use zokio::net::UdpSocket;
use zokio::runtime::{Builder, Runtime};
use zokio::sync::{OnceCell, broadcast, mpsc, oneshot};
use zokio::task::LocalSet;

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Counts what is alive.
#[derive(Clone)]
struct Alive(#[allow(dead_code)] Arc<()>);

/// RUSTSEC-2021-0072: `abort` from another thread dropped the future of a local set's task there.
#[test]
fn a_local_task_is_dropped_on_its_own_thread() {
    struct StaysHere(thread::ThreadId, Rc<RefCell<u32>>);
    impl Drop for StaysHere {
        fn drop(&mut self) {
            assert_eq!(self.0, thread::current().id(), "dropped elsewhere");
            *self.1.borrow_mut() += 1;
        }
    }
    let runtime = current_thread();
    for after_its_first_poll in [true, false] {
        let dropped = Rc::new(RefCell::new(0));
        let set = LocalSet::new();
        let here = StaysHere(thread::current().id(), dropped.clone());
        let task = set.spawn_local(async move {
            let _here = here;
            std::future::pending::<()>().await;
        });
        if after_its_first_poll {
            set.block_on(&runtime, zokio::task::yield_now());
        }
        let abort = task.abort_handle();
        thread::spawn(move || abort.abort()).join().unwrap();
        assert_eq!(*dropped.borrow(), 0, "only its own thread may drop it");
        let error = set.block_on(&runtime, task).unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(*dropped.borrow(), 1);
    }
}

/// RUSTSEC-2021-0124: a send to a channel that was closed wrote the value while the receiver, awaited
/// or asked, read it.
#[test]
fn a_oneshot_is_sent_to_and_received_from_after_the_close() {
    let alive = Arc::new(());
    let runtime = current_thread();
    for round in 0..2_000 {
        let (sender, mut receiver) = oneshot::channel();
        let value = Alive(alive.clone());
        let other = thread::spawn(move || sender.send(value).is_ok());
        receiver.close();
        let received = if round % 2 == 0 {
            receiver.try_recv().is_ok()
        } else {
            runtime.block_on(receiver).is_ok()
        };
        let sent = other.join().unwrap();
        assert!(!received || sent, "received what was not sent");
    }
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// A waker that does nothing but count: as many as there are handles to it.
struct Quiet;

impl Wake for Quiet {
    fn wake(self: Arc<Self>) {}
}

/// RUSTSEC-2026-0005 (and faern/oneshot#87, where the sender was just waking it): a receiver that had
/// been polled and was dropped instead of awaited looked at its waker in memory that the sender had
/// freed, or freed the memory in which the sender looked for the waker.
#[test]
fn a_oneshot_receive_is_cancelled_while_the_sender_sends_or_goes() {
    let alive = Arc::new(());
    let quiet = Arc::new(Quiet);
    for round in 0..4_000 {
        let (sender, mut receiver) = oneshot::channel();
        let waker = Waker::from(quiet.clone());
        assert!(poll(&mut receiver, &waker).is_pending());
        drop(waker);
        let value = Alive(alive.clone());
        let other = thread::spawn(move || {
            if round % 2 == 0 {
                drop(sender.send(value));
            }
        });
        drop(receiver);
        other.join().unwrap();
        // Nothing is left of the waker and the value, whoever was the last.
        assert_eq!(Arc::strong_count(&quiet), 1);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

/// RUSTSEC-2025-0023: receivers cloned one value at the same time, although it was only `Send`.
#[test]
fn a_broadcast_value_that_is_not_sync_is_cloned_by_one_at_a_time() {
    struct Fragile(Cell<u32>, Arc<AtomicUsize>);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            // A second one inside would be seen by one of the two.
            assert_eq!(self.1.fetch_add(1, Ordering::SeqCst), 0, "cloned by two");
            self.0.set(self.0.get() + 1);
            thread::yield_now();
            self.1.fetch_sub(1, Ordering::SeqCst);
            Self(Cell::new(0), Arc::new(AtomicUsize::new(0)))
        }
    }
    const VALUES: usize = 300;
    let (sender, receiver) = broadcast::channel(VALUES);
    let others: Vec<_> = (0..3)
        .map(|_| {
            let mut receiver = receiver.resubscribe();
            thread::spawn(move || (0..VALUES).all(|_| receiver.blocking_recv().is_ok()))
        })
        .collect();
    drop(receiver);
    for _ in 0..VALUES {
        let value = Fragile(Cell::new(0), Arc::new(AtomicUsize::new(0)));
        assert!(sender.send(value).is_ok());
    }
    for other in others {
        assert!(other.join().unwrap());
    }
}

/// RUSTSEC-2023-0005: a stream that had been pinned in a `split` was moved out of it. Nothing moves one
/// that is not `Unpin`.
#[test]
fn a_split_stream_that_is_pinned_stays_where_it_is() {
    struct Pinned(Option<usize>, #[allow(dead_code)] PhantomPinned);
    impl Pinned {
        fn polled(self: Pin<&mut Self>) {
            let address = std::ptr::from_ref(&*self) as usize;
            // SAFETY: a number is written, and nothing moved out.
            let seen = unsafe { &mut self.get_unchecked_mut().0 };
            assert_eq!(*seen.get_or_insert(address), address, "moved");
        }
    }
    impl AsyncRead for Pinned {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            self.polled();
            buf.put_slice(b"a");
            Poll::Ready(Ok(()))
        }
    }
    impl AsyncWrite for Pinned {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            self.polled();
            Poll::Ready(Ok(buf.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    current_thread().block_on(async {
        let (mut reader, writer) = zokio::io::split(Pinned(None, PhantomPinned));
        assert_eq!(reader.read_u8().await.unwrap(), b'a');
        // The halves move, the stream does not.
        let mut halves = Box::new((reader, writer));
        assert_eq!(halves.0.read_u8().await.unwrap(), b'a');
        zokio::io::AsyncWriteExt::write_all(&mut halves.1, b"a")
            .await
            .unwrap();
    });
}

/// RUSTSEC-2025-0024, RUSTSEC-2018-0009: what was left in a channel, or had been taken out of it, was
/// freed twice when both halves went at once. Each value is dropped once, in each kind of channel.
#[test]
fn what_is_left_in_a_channel_is_dropped_once() {
    struct Once(Arc<AtomicUsize>, Cell<bool>);
    impl Drop for Once {
        fn drop(&mut self) {
            assert!(!self.1.replace(true), "dropped twice");
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    // More than a block of the channel, so that the receiver stands in one and the senders in another.
    const VALUES: usize = 70;
    let dropped = Arc::new(AtomicUsize::new(0));
    for taken in (0..VALUES).step_by(7) {
        let make = || Once(dropped.clone(), Cell::new(false));
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (bounded, mut from_bounded) = mpsc::channel(VALUES);
        for _ in 0..VALUES {
            assert!(sender.send(make()).is_ok() && bounded.try_send(make()).is_ok());
        }
        for _ in 0..taken {
            assert!(receiver.try_recv().is_ok() && from_bounded.try_recv().is_ok());
        }
        let late = [make(), make()];
        let other = thread::spawn(move || {
            let [first, second] = late;
            drop(sender.send(first));
            drop(bounded.try_send(second));
        });
        drop((receiver, from_bounded));
        other.join().unwrap();
        assert_eq!(dropped.swap(0, Ordering::Relaxed), 2 * VALUES + 2);
    }
}

/// Queues made values of zeroed memory for the slots that hold none (crossbeam's `MsQueue`). Types that
/// have no such value go through each kind of channel, and through slots that were used before.
#[test]
fn no_value_is_made_of_zeroed_memory() {
    type Value = (NonZeroU32, &'static str, Box<u8>);
    let make = |number| -> Value { (NonZeroU32::new(number).unwrap(), "value", Box::new(1)) };
    let check = |value: Value| assert!(value.0.get() > 0 && value.1 == "value" && *value.2 == 1);
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (broadcast, mut from_broadcast) = broadcast::channel(2);
    for number in 1..100 {
        sender.send(make(number)).unwrap();
        broadcast.send(make(number)).unwrap();
        check(receiver.try_recv().unwrap());
        check(from_broadcast.try_recv().unwrap());
    }
    assert!(receiver.try_recv().is_err() && from_broadcast.try_recv().is_err());
    let (sender, mut receiver) = oneshot::channel::<Value>();
    assert!(receiver.try_recv().is_err());
    sender.send(make(1)).unwrap();
    check(receiver.try_recv().unwrap());
    drop(oneshot::channel::<Value>());
    drop(OnceCell::<Value>::new());
}

/// RUSTSEC-2019-0017: a cell whose initialisation had panicked was taken for one that was filled.
#[test]
fn a_cell_whose_initialisation_panicked_is_empty() {
    let cell = OnceCell::new();
    let runtime = current_thread();
    for _ in 0..2 {
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(cell.get_or_init(|| async { panic!("no value") }));
        }));
        assert!(result.is_err());
        assert_eq!(cell.get(), None);
    }
    assert_eq!(runtime.block_on(cell.get_or_init(|| async { 7 })), &7);
}

/// RUSTSEC-2021-0093: of tasks in a queue that was stolen from, some ran twice and some never. Each one
/// is run and freed once while idle workers steal.
#[test]
fn a_task_that_is_stolen_runs_once() {
    const TASKS: usize = 2_000;
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let alive = Arc::new(());
    let ran: Arc<Vec<AtomicUsize>> = Arc::new((0..TASKS).map(|_| AtomicUsize::new(0)).collect());
    runtime.block_on(async {
        // From inside, so that they stand in one worker's queue.
        let (tasks, alive) = (ran.clone(), Alive(alive.clone()));
        let spawner = zokio::spawn(async move {
            let spawn = |index: usize| {
                let (tasks, alive) = (tasks.clone(), alive.clone());
                zokio::spawn(async move {
                    let _alive = alive;
                    tasks[index].fetch_add(1, Ordering::Relaxed);
                })
            };
            (0..TASKS).map(spawn).collect::<Vec<_>>()
        });
        for task in spawner.await.unwrap() {
            task.await.unwrap();
        }
    });
    drop(runtime);
    assert!(ran.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// RUSTSEC-2020-0079: socket addresses were cast to the system's layout. Every part of one comes back
/// from the system as it went there.
#[test]
fn socket_addresses_survive_the_system() {
    current_thread().block_on(async {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let receiver = match UdpSocket::bind(address).await {
                Ok(socket) => socket,
                // A machine without IPv6.
                Err(error) if address.starts_with('[') => {
                    assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable);
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let sender = UdpSocket::bind(address).await.unwrap();
            let there = receiver.local_addr().unwrap();
            assert!(address.starts_with(&there.to_string()[..4]) && there.port() != 0);
            sender.send_to(b"a", there).await.unwrap();
            let (_, from) = receiver.recv_from(&mut [0; 1]).await.unwrap();
            assert_eq!(from, sender.local_addr().unwrap());
        }
    });
}

/// A waker that owns the task's other half must not keep itself alive through the channel in which a
/// receiver, now gone, had left it.
#[test]
fn a_waker_that_owns_the_sender_is_freed_with_the_receiver() {
    struct Owns(#[allow(dead_code)] Mutex<Option<oneshot::Sender<()>>>);
    impl Wake for Owns {
        fn wake(self: Arc<Self>) {}
    }
    let (sender, mut receiver) = oneshot::channel();
    let owns = Arc::new(Owns(Mutex::new(Some(sender))));
    let weak = Arc::downgrade(&owns);
    let waker = Waker::from(owns);
    assert!(poll(&mut receiver, &waker).is_pending());
    drop(waker);
    assert_eq!(weak.strong_count(), 1);
    drop(receiver);
    assert_eq!(weak.strong_count(), 0);
}
