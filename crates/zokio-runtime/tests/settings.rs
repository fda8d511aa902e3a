//! Every setting of a builder does what it says, and runtimes show what they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use zokio_runtime::{Builder, JoinSet, LocalSet, RngSeed, spawn, spawn_blocking};
use zokio_sync::oneshot;

/// A hook that counts its calls.
fn counting(counter: &Arc<AtomicUsize>) -> impl Fn() + Send + Sync + 'static {
    let counter = counter.clone();
    move || {
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn threads_are_named_counted_and_ended_by_hooks() {
    let hooks: [Arc<AtomicUsize>; 4] = Default::default();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("named-by-the-test")
        .thread_stack_size(1 << 20)
        .thread_keep_alive(Duration::from_millis(20))
        .event_interval(31)
        .global_queue_interval(17)
        .max_io_events_per_tick(64)
        .on_thread_start(counting(&hooks[0]))
        .on_thread_stop(counting(&hooks[1]))
        .on_thread_park(counting(&hooks[2]))
        .on_thread_unpark(counting(&hooks[3]))
        .enable_all()
        .build()
        .unwrap();
    let name = || std::thread::current().name().map(str::to_owned);
    let parked = hooks[2].clone();
    let names = runtime.block_on(async move {
        let (sender, receiver) = oneshot::channel();
        let waits = spawn(async move {
            receiver.await.unwrap();
            name()
        });
        let blocking = spawn_blocking(name).await.unwrap();
        // A worker that has not waited yet would find all its work there and never wait.
        while parked.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        sender.send(()).unwrap();
        [waits.await.unwrap(), blocking]
    });
    assert_eq!(
        names,
        [const { Some("named-by-the-test") }; 2].map(|n| n.map(str::to_owned))
    );
    drop(runtime);
    let [started, stopped, parked, unparked] = hooks.map(|hook| hook.load(Ordering::SeqCst));
    assert!(started >= 2, "a worker and a thread that may block");
    assert_eq!(started, stopped);
    assert!(parked >= unparked && unparked > 0, "{parked} {unparked}");
}

#[test]
fn names_may_be_made_one_by_one() {
    let made = AtomicUsize::new(0);
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name_fn(move || format!("number-{}", made.fetch_add(1, Ordering::SeqCst)))
        .build()
        .unwrap();
    let name = runtime.block_on(async {
        spawn(async { std::thread::current().name().map(str::to_owned) })
            .await
            .unwrap()
    });
    assert!(name.unwrap().starts_with("number-"));
}

#[test]
fn runtimes_show_what_they_are() {
    let mut builder = Builder::new_current_thread();
    assert!(format!("{builder:?}").starts_with("Builder"));
    let runtime = builder.enable_all().build().unwrap();
    assert!(format!("{runtime:?}").starts_with("Runtime"));
    assert!(format!("{:?}", runtime.handle()).starts_with("Handle"));
    assert!(format!("{:?}", runtime.metrics()).starts_with("RuntimeMetrics"));
    let (set, other) = (LocalSet::default(), LocalSet::default());
    assert!(format!("{set:?}").starts_with("LocalSet"));
    assert!(set.id() != other.id() && set.id() != runtime.handle().id());
    assert!(format!("{:?}", set.enter()).starts_with("LocalEnterGuard"));
    let mut tasks = JoinSet::<u8>::new();
    assert_eq!(format!("{tasks:?}"), "JoinSet { len: 0 }");
    let builder = tasks.build_task().name("named");
    let shown = format!("{builder:?}");
    assert!(shown.starts_with("join_set::Builder") && shown.contains("named"));
    let seed = RngSeed::from_bytes(b"a secret");
    assert_eq!(format!("{seed:?}"), "RngSeed { .. }");
    let error = zokio_runtime::Handle::try_current().unwrap_err();
    assert!(error.is_missing_context() && !error.is_thread_local_destroyed());
    assert!(error.to_string().contains("runtime"));
}

#[test]
#[should_panic(expected = "event_interval must be greater than 0")]
fn an_interval_of_nothing_is_refused() {
    Builder::new_current_thread().event_interval(0);
}

#[test]
#[should_panic(expected = "global_queue_interval must be greater than 0")]
fn an_interval_of_nothing_for_the_inboxes_is_refused() {
    Builder::new_current_thread().global_queue_interval(0);
}
