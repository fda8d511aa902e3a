//! Destructors of messages, futures, outputs, panic payloads and values in cells, wherever the runtime
//! drops them.
//!
//! A site makes values, has all of them dropped, and says who hears of the panics.

use crate::support::{Host, Table, Value, fall, falls, hide_expected, ignore, until};
use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use zokio::runtime::Builder;
use zokio::sync::{Mutex, OnceCell, RwLock, SetOnce, broadcast, mpsc, oneshot, watch};
use zokio::task::{JoinError, JoinHandle, JoinSet, LocalSet};

/// Makes values that count their drops together.
struct Maker {
    dropped: Arc<AtomicU64>,
    made: Cell<u64>,
}

impl Maker {
    fn value(&self) -> Value {
        self.made.set(self.made.get() + 1);
        Value(self.dropped.clone())
    }

    fn shared(&self) -> Arc<Value> {
        Arc::new(self.value())
    }
}

/// The party that hears of a destructor's panic.
#[derive(Debug, PartialEq, Eq)]
enum Hears {
    /// The call that drops.
    Caller,
    /// The task's handle.
    Handle,
    /// Nobody: it is contained and counted.
    Nobody,
}
use Hears::{Caller, Handle, Nobody};

fn caller(call: impl FnOnce()) -> Hears {
    if falls(call) { Caller } else { Nobody }
}

fn handle<T>(host: &Host, task: JoinHandle<T>) -> Hears {
    match host.runtime().block_on(task).map(drop) {
        Err(error) if error.is_panic() => {
            let payload = JoinError::into_panic(error);
            crate::support::expect(payload);
            Handle
        }
        _ => Nobody,
    }
}

/// Runs a list of sites.
fn run(family: &str, list: impl FnOnce(&Host, &mut dyn FnMut(&'static str, Hears, Site<'_>))) {
    hide_expected();
    let host = Host::new();
    let mut table = Table::default();
    list(&host, &mut |name, hears, site| {
        let maker = Maker {
            dropped: Arc::default(),
            made: Cell::new(0),
        };
        assert_eq!(site(&maker), hears, "{name}");
        until(name, || {
            maker.dropped.load(Ordering::SeqCst) >= maker.made.get()
        });
        let dropped = maker.dropped.load(Ordering::SeqCst);
        assert_eq!(dropped, maker.made.get(), "{name}: each is dropped once");
        table.add(name, "drop", dropped);
        host.is_alive();
    });
    host.end();
    table.show(family);
}

type Site<'a> = &'a dyn Fn(&Maker) -> Hears;

#[test]
fn values_in_channels_and_cells() {
    run("values: channels, cells", |_, site| {
        site("mpsc: the receiver goes", Caller, &|maker| {
            let (sender, receiver) = mpsc::channel(10);
            for _ in 0..10 {
                assert!(sender.try_send(maker.value()).is_ok());
            }
            let heard = caller(|| ignore(receiver));
            assert_eq!(sender.capacity(), 10, "permits balance");
            heard
        });
        site("mpsc: the receiver goes, unbounded", Caller, &|maker| {
            let (sender, receiver) = mpsc::unbounded_channel();
            for _ in 0..100 {
                assert!(sender.send(maker.value()).is_ok());
            }
            drop(sender);
            caller(|| ignore(receiver))
        });
        site("mpsc: both halves go", Nobody, &|maker| {
            let (sender, receiver) = mpsc::channel(10);
            let permit = || sender.clone().try_reserve_owned().unwrap();
            let permits = [permit(), permit(), permit()];
            drop(receiver);
            let senders = permits.map(|permit| permit.send(maker.value()));
            caller(|| ignore((sender, senders)))
        });
        site("oneshot: the receiver goes", Caller, &|maker| {
            let (sender, receiver) = oneshot::channel();
            assert!(sender.send(maker.value()).is_ok());
            caller(|| ignore(receiver))
        });
        site("broadcast: overwritten by a send", Nobody, &|maker| {
            let (sender, receiver) = broadcast::channel(2);
            let heard = caller(|| {
                for _ in 0..6 {
                    assert!(sender.send(maker.shared()).is_ok());
                }
            });
            assert_eq!(receiver.len(), 6);
            assert!(!falls(|| ignore(receiver)));
            heard
        });
        site("broadcast: the last handle goes", Nobody, &|maker| {
            let (sender, receiver) = broadcast::channel(4);
            for _ in 0..4 {
                assert!(sender.send(maker.shared()).is_ok());
            }
            drop(sender);
            caller(|| ignore(receiver))
        });
        site("watch: replaced by a send", Caller, &|maker| {
            let (sender, receiver) = watch::channel(Some(maker.value()));
            let heard = caller(|| assert!(sender.send(None).is_ok()));
            assert!(receiver.borrow().is_none());
            assert_eq!(receiver.has_changed().ok(), Some(true));
            heard
        });
        site("watch: the last handle goes", Nobody, &|maker| {
            let (sender, receiver) = watch::channel(maker.value());
            drop(sender);
            caller(|| ignore(receiver))
        });
        site("Mutex, RwLock", Caller, &|maker| {
            let lock = RwLock::new(maker.value());
            assert!(falls(|| ignore(lock)));
            let lock = Mutex::new(maker.value());
            caller(|| ignore(lock))
        });
        site("OnceCell, SetOnce", Caller, &|maker| {
            let cell = OnceCell::from(maker.value());
            assert!(falls(|| ignore(cell)));
            let cell = SetOnce::from(maker.value());
            caller(|| ignore(cell))
        });
    });
}

#[test]
fn values_of_tasks() {
    run("values: tasks", |host, site| {
        site("an output that nobody joins", Nobody, &|maker| {
            let value = maker.value();
            let (go, gone) = oneshot::channel::<()>();
            let task = host.runtime().spawn(async move {
                let _ = gone.await;
                value
            });
            let heard = caller(|| ignore(task));
            go.send(()).unwrap();
            heard
        });
        site("an output whose handle goes", Nobody, &|maker| {
            let value = maker.value();
            let task = host.runtime().spawn(async move { value });
            until("the output", || task.is_finished());
            caller(|| ignore(task))
        });
        site("outputs whose set goes", Nobody, &|maker| {
            let mut set = JoinSet::new();
            for _ in 0..10 {
                let value = maker.value();
                set.spawn_on(async move { value }, host.runtime().handle());
            }
            let outputs = || host.runtime().metrics().num_alive_tasks() == 1;
            until("the outputs", outputs);
            caller(|| ignore(set))
        });
        site("outputs beside a task that panics", Caller, &|maker| {
            let mut set = JoinSet::new();
            let handle = host.runtime().handle();
            for _ in 0..3 {
                let value = maker.value();
                set.spawn_on(async move { Some(value) }, handle);
            }
            let outputs = || host.runtime().metrics().num_alive_tasks() == 1;
            until("the outputs", outputs);
            set.spawn_on(async { fall(&AtomicU64::new(0)) }, handle);
            caller(|| ignore(host.runtime().block_on(set.join_all())))
        });
        site("a future that is aborted", Handle, &|maker| {
            let value = maker.value();
            let task = host.runtime().spawn(async move {
                let _value = value;
                pending::<()>().await;
            });
            task.abort();
            handle(host, task)
        });
        site("a local at the end of a future", Handle, &|maker| {
            let value = maker.value();
            let task = host.runtime().spawn(async move {
                let _value = value;
                zokio::task::yield_now().await;
            });
            handle(host, task)
        });
        site("a future that is ready, and its output", Handle, &|maker| {
            /// Ready at once, with a value of its own left.
            struct Both(Option<Value>, #[allow(dead_code)] Value);
            impl Future for Both {
                type Output = Option<Value>;
                fn poll(
                    mut self: std::pin::Pin<&mut Self>,
                    _: &mut Context<'_>,
                ) -> std::task::Poll<Option<Value>> {
                    std::task::Poll::Ready(self.0.take())
                }
            }
            let future = Both(Some(maker.value()), maker.value());
            handle(host, host.runtime().spawn(future))
        });
        site("a panic's payload", Nobody, &|maker| {
            let value = maker.value();
            let task = host
                .runtime()
                .spawn(async move { std::panic::panic_any(value) });
            until("the panic", || task.is_finished());
            caller(|| drop::<JoinHandle<()>>(task))
        });
        site("a future in a runtime that ends", Nobody, &|maker| {
            let ending = Host::new();
            for _ in 0..10 {
                let value = maker.value();
                ending.runtime().spawn(async move {
                    let _value = value;
                    pending::<()>().await;
                });
            }
            caller(|| ending.end())
        });
        site(
            "a future in a current-thread runtime that ends",
            Nobody,
            &|maker| {
                let ending = Host::with(&mut Builder::new_current_thread());
                for _ in 0..10 {
                    let value = maker.value();
                    ending.runtime().spawn(async move {
                        let _value = value;
                        pending::<()>().await;
                    });
                }
                caller(|| ending.end())
            },
        );
        site("a future for a runtime that has ended", Nobody, &|maker| {
            let ended = Host::new();
            let runtime = ended.runtime().handle().clone();
            ended.end();
            let value = maker.value();
            caller(|| {
                drop(runtime.spawn(async move {
                    let _value = value;
                }));
            })
        });
        site("futures in a local set that goes", Nobody, &|maker| {
            let set = LocalSet::new();
            for _ in 0..10 {
                let value = maker.value();
                set.spawn_local(async move {
                    let _value = value;
                    pending::<()>().await;
                });
            }
            caller(|| ignore(set))
        });
    });
}

zokio::task_local! {
    static LOCAL: Value;
}

#[test]
fn values_of_blocking_calls_and_wrappers() {
    run("values: blocking calls, wrappers", |host, site| {
        site(
            "spawn_blocking: an output that nobody joins",
            Nobody,
            &|maker| {
                let value = maker.value();
                let task = host.runtime().spawn_blocking(move || value);
                caller(|| ignore(task))
            },
        );
        site("spawn_blocking: what the closure holds", Handle, &|maker| {
            let value = maker.value();
            handle(host, host.runtime().spawn_blocking(move || ignore(value)))
        });
        site(
            "spawn_blocking: not begun when the runtime ends",
            Nobody,
            &|maker| {
                let mut one = Builder::new_current_thread();
                let ending = one.enable_all().max_blocking_threads(1).build().unwrap();
                let (go, gone) = std::sync::mpsc::channel::<()>();
                ending.spawn_blocking(move || ignore(gone.recv()));
                for _ in 0..3 {
                    let value = maker.value();
                    ending.spawn_blocking(move || ignore(value));
                }
                let heard = caller(|| ending.shutdown_background());
                drop(go);
                heard
            },
        );
        site(
            "File: buffers of writes that are given up",
            Nobody,
            &|maker| {
                /// The owner of a buffer's bytes.
                struct Owner([u8; 64], #[allow(dead_code)] Value);
                impl AsRef<[u8]> for Owner {
                    fn as_ref(&self) -> &[u8] {
                        &self.0
                    }
                }
                let file = tempfile::tempfile().unwrap();
                let file = zokio::fs::File::from_std(file);
                let _entered = host.runtime().enter();
                for offset in 0..100 {
                    let owner = Owner([7; 64], maker.value());
                    let bytes = bytes::Bytes::from_owner(owner);
                    let mut write = Box::pin(async { file.write_at(bytes, offset).await });
                    let mut cx = Context::from_waker(Waker::noop());
                    // Where it is done at once, the buffer comes back and is the caller's.
                    let _ = falls(|| ignore(write.as_mut().poll(&mut cx)));
                    assert!(!falls(|| drop(write)), "the driver has the buffer");
                }
                Nobody
            },
        );
        site("timeout: what it gives up", Caller, &|maker| {
            let value = maker.value();
            caller(|| {
                let waits = async move {
                    let _value = value;
                    pending::<()>().await;
                };
                let time = Duration::from_millis(1);
                let _ = host
                    .runtime()
                    .block_on(async move { zokio::time::timeout(time, waits).await });
            })
        });
        site("task_local: the scope's value", Caller, &|maker| {
            let value = maker.value();
            caller(|| {
                let mut scope = pin!(LOCAL.scope(value, pending::<()>()));
                let polled = scope.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending());
            })
        });
    });
}
