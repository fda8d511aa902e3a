//! Signals, sent by the process to itself.
#![cfg(unix)]
// Test programs use the standard library's threads.
#![allow(clippy::disallowed_methods)]

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;
use zokio::runtime::{Builder, Runtime};
use zokio::signal::unix::{Signal, SignalKind, signal};

/// Enough for anything that is to come.
const PATIENCE: Duration = Duration::from_secs(10);

fn send(kind: SignalKind) {
    // SAFETY: signals this very process, which catches the signal.
    #[allow(unsafe_code)]
    let result = unsafe { libc::raise(kind.as_raw_value()) };
    assert_eq!(result, 0);
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn received(signal: &mut Signal) {
    let received = zokio::time::timeout(PATIENCE, signal.recv()).await;
    assert_eq!(received, Ok(Some(())));
}

fn is_pending(signal: &mut Signal) -> bool {
    let mut recv = pin!(signal.recv());
    recv.as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

#[test]
fn a_signal_is_received_once_for_each_listener() {
    runtime().block_on(async {
        let kind = SignalKind::user_defined1();
        let mut first = signal(kind).unwrap();
        let mut second = signal(kind).unwrap();
        for _ in 0..3 {
            send(kind);
            received(&mut first).await;
            received(&mut second).await;
            assert!(is_pending(&mut first) && is_pending(&mut second));
        }
    });
}

/// A child has the handlers of its parent, and shares its descriptors.
#[test]
fn a_signal_of_a_forked_child_is_not_the_parents() {
    runtime().block_on(async {
        let kind = SignalKind::user_defined1();
        let mut listener = signal(kind).unwrap();
        // SAFETY: the child makes two system calls and no other, as one of several threads may.
        #[allow(unsafe_code)]
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::raise(kind.as_raw_value());
                libc::_exit(0);
            }
            assert!(child > 0);
            assert_eq!(libc::waitpid(child, std::ptr::null_mut(), 0), child);
        }
        // The child's handler has run, and the driver looks during the sleep.
        assert!(is_pending(&mut listener));
        zokio::time::sleep(Duration::from_millis(20)).await;
        assert!(is_pending(&mut listener), "the parent hears of it");
        send(kind);
        received(&mut listener).await;
    });
}

#[test]
fn signals_that_nobody_received_yet_are_one() {
    runtime().block_on(async {
        let kind = SignalKind::user_defined2();
        let mut listener = signal(kind).unwrap();
        for _ in 0..200 {
            send(kind);
        }
        received(&mut listener).await;
        assert!(is_pending(&mut listener));
    });
}

#[test]
fn a_dropped_wait_loses_nothing_and_a_dropped_listener_harms_nobody() {
    runtime().block_on(async {
        let kind = SignalKind::hangup();
        let mut listener = signal(kind).unwrap();
        assert!(is_pending(&mut listener));
        send(kind);
        received(&mut listener).await;
        let mut other = signal(kind).unwrap();
        drop(listener);
        send(kind);
        received(&mut other).await;
        drop(other);
        // Nobody listens, and the process goes on; the next one who does gets it, once.
        send(kind);
        let mut next = signal(kind).unwrap();
        received(&mut next).await;
        let mut second = signal(kind).unwrap();
        assert!(is_pending(&mut next) && is_pending(&mut second));
    });
}

#[test]
fn runtimes_do_not_know_of_each_other() {
    let kind = SignalKind::window_change();
    let first = runtime();
    let mut in_first = first.block_on(async { signal(kind).unwrap() });
    let (ready, is_ready) = mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ready = ready.clone();
            thread::spawn(move || {
                runtime().block_on(async {
                    let mut listener = signal(kind).unwrap();
                    ready.send(()).unwrap();
                    received(&mut listener).await;
                });
            })
        })
        .collect();
    for _ in 0..4 {
        is_ready.recv_timeout(PATIENCE).unwrap();
    }
    send(kind);
    first.block_on(received(&mut in_first));
    for thread in threads {
        thread.join().unwrap();
    }
    let second = runtime();
    let mut in_second = second.block_on(async { signal(kind).unwrap() });
    drop(first);
    send(kind);
    second.block_on(received(&mut in_second));
}

#[test]
fn ctrl_c_is_an_interrupt() {
    runtime().block_on(async {
        let mut ctrl_c = pin!(zokio::signal::ctrl_c());
        let polled = ctrl_c
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        send(SignalKind::interrupt());
        let ended = zokio::time::timeout(PATIENCE, ctrl_c).await;
        assert!(matches!(ended, Ok(Ok(()))));
    });
}

#[test]
fn what_cannot_be_caught_is_an_error() {
    runtime().block_on(async {
        for number in [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, -1, 0, 1_000] {
            assert!(signal(SignalKind::from_raw(number)).is_err(), "{number}");
        }
    });
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn outside_of_a_runtime_it_panics() {
    let _ = signal(SignalKind::alarm());
}

#[test]
fn listeners_come_and_go_while_signals_arrive() {
    let kind = SignalKind::io();
    runtime().block_on(async {
        let mut lasting = signal(kind).unwrap();
        let storm = thread::spawn(move || {
            for _ in 0..2_000 {
                send(kind);
                thread::yield_now();
            }
        });
        for _ in 0..300 {
            let mut listener = signal(kind).unwrap();
            let _ = is_pending(&mut listener);
        }
        storm.join().unwrap();
        received(&mut lasting).await;
    });
}

#[test]
fn kinds_are_the_numbers_of_the_system() {
    let kinds = [
        (SignalKind::alarm(), libc::SIGALRM),
        (SignalKind::child(), libc::SIGCHLD),
        (SignalKind::hangup(), libc::SIGHUP),
        (SignalKind::interrupt(), libc::SIGINT),
        (SignalKind::io(), libc::SIGIO),
        (SignalKind::pipe(), libc::SIGPIPE),
        (SignalKind::quit(), libc::SIGQUIT),
        (SignalKind::terminate(), libc::SIGTERM),
        (SignalKind::user_defined1(), libc::SIGUSR1),
        (SignalKind::user_defined2(), libc::SIGUSR2),
        (SignalKind::window_change(), libc::SIGWINCH),
    ];
    for (kind, number) in kinds {
        assert_eq!(kind.as_raw_value(), number);
        assert_eq!(SignalKind::from_raw(number), kind);
        assert_eq!(SignalKind::from(number), kind);
        assert_eq!(libc::c_int::from(kind), number);
    }
    let numbers: std::collections::BTreeSet<libc::c_int> =
        kinds.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers.len(), kinds.len());
}

#[test]
fn each_kind_of_signal_is_received_by_those_who_listen_for_it() {
    runtime().block_on(async {
        // Those that no other test of this program sends.
        let kinds = [
            SignalKind::alarm(),
            SignalKind::child(),
            SignalKind::pipe(),
            SignalKind::quit(),
            SignalKind::terminate(),
            #[cfg(target_os = "linux")]
            SignalKind::from_raw(libc::SIGRTMIN() + 3),
        ];
        let mut listeners: Vec<_> = kinds.iter().map(|kind| signal(*kind).unwrap()).collect();
        for (number, kind) in kinds.iter().enumerate() {
            let shown = format!("{:?}", listeners[number]);
            assert_eq!(shown, format!("Signal {{ kind: {kind:?}, .. }}"));
            send(*kind);
            received(&mut listeners[number]).await;
            assert!(listeners.iter_mut().all(is_pending));
        }
    });
}

#[test]
fn listeners_in_tasks_on_several_threads_are_woken() {
    let kind = SignalKind::from_raw(libc::SIGURG);
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (ready, mut is_ready) = zokio::sync::mpsc::channel(1);
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let ready = ready.clone();
                zokio::spawn(async move {
                    let mut listener = signal(kind).unwrap();
                    ready.send(()).await.unwrap();
                    if number % 2 == 0 {
                        received(&mut listener).await;
                    } else {
                        let polled = std::future::poll_fn(|cx| listener.poll_recv(cx));
                        let received = zokio::time::timeout(PATIENCE, polled).await;
                        assert_eq!(received, Ok(Some(())));
                    }
                })
            })
            .collect();
        for _ in &tasks {
            is_ready.recv().await.unwrap();
        }
        send(kind);
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_listener_whose_runtime_has_ended_gets_no_more() {
    let kind = SignalKind::from_raw(libc::SIGCONT);
    let first = runtime();
    let mut listener = first.block_on(async { signal(kind).unwrap() });
    drop(first);
    runtime().block_on(async {
        let ended = zokio::time::timeout(PATIENCE, listener.recv()).await;
        assert_eq!(ended, Ok(None));
    });
}
