//! Join and abort handles: shapes, texts, aborting, detaching, wakers.

use super::{Forever, YieldOnce, bind, spawn};
use crate::testing::{Count, Ledger, Queue, join_now, poll_join};
use crate::{AbortHandle, Id, JoinError, JoinHandle, SpawnMeta};
use std::future::pending;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

/// Fails to compile if the type has the trait: the call would then be ambiguous.
macro_rules! assert_not_impl {
    ($type:ty: $trait:path) => {{
        trait Ambiguous<A> {
            fn item() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Has;
        impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
        let _ = <$type as Ambiguous<_>>::item;
    }};
}

#[test]
fn auto_traits_are_as_documented() {
    type Local = std::rc::Rc<()>;
    fn has<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    has::<JoinHandle<()>>();
    has::<JoinHandle<std::cell::Cell<u8>>>();
    has::<AbortHandle>();
    has::<Id>();
    fn movable<T: Unpin + UnwindSafe + RefUnwindSafe>() {}
    movable::<JoinHandle<Local>>();
    movable::<JoinHandle<std::marker::PhantomPinned>>();
    assert_not_impl!(JoinHandle<Local>: Send);
    assert_not_impl!(JoinHandle<Local>: Sync);
    fn shared<T: Send + Sync + Unpin + std::error::Error>() {}
    shared::<JoinError>();
    assert_not_impl!(JoinError: UnwindSafe);
    assert_not_impl!(JoinError: RefUnwindSafe);
}

#[test]
fn handles_and_errors_describe_themselves() {
    let (_queue, shard) = Queue::with_shard();
    let (join, task) = bind(&shard, async { panic!("a \"quoted\" reason") as () });
    let id = join.id();
    assert_eq!(
        format!("{join:?}"),
        format!("JoinHandle {{ id: Id({id}) }}")
    );
    assert_eq!(
        format!("{:?}", join.abort_handle()),
        format!("AbortHandle {{ id: Id({id}) }}")
    );
    assert_eq!(format!("{task:?}"), format!("Notified(Id({id}))"));
    task.run();
    let error = join_now(join).unwrap_err();
    assert_eq!(error.id(), id);
    assert_eq!(
        error.to_string(),
        format!("task {id} panicked with message \"a \\\"quoted\\\" reason\"")
    );
    assert_eq!(
        format!("{error:?}"),
        format!("JoinError::Panic(Id({id}), \"a \\\"quoted\\\" reason\", ...)")
    );
    assert_eq!(std::io::Error::from(error).to_string(), "task panicked");

    let text = String::from("a reason that was put together");
    let (join, task) = bind(&shard, async { std::panic::panic_any(text) as () });
    let id = join.id();
    task.run();
    assert_eq!(
        join_now(join).unwrap_err().to_string(),
        format!("task {id} panicked with message \"a reason that was put together\"")
    );

    let (join, task) = bind(&shard, async { std::panic::panic_any(5_u8) as () });
    let id = join.id();
    task.run();
    let error = join_now(join).unwrap_err();
    assert_eq!(error.to_string(), format!("task {id} panicked"));
    assert_eq!(
        format!("{error:?}"),
        format!("JoinError::Panic(Id({id}), ...)")
    );
    assert_eq!(error.into_panic().downcast_ref(), Some(&5_u8));

    let (join, task) = bind(&shard, pending::<()>());
    let id = join.id();
    task.shutdown();
    let error = join_now(join).unwrap_err();
    assert_eq!(error.to_string(), format!("task {id} was cancelled"));
    assert_eq!(
        format!("{error:?}"),
        format!("JoinError::Cancelled(Id({id}))")
    );
    let error = error.try_into_panic().unwrap_err();
    assert_eq!(
        std::io::Error::from(error).to_string(),
        "task was cancelled"
    );
}

#[test]
#[should_panic(expected = "`JoinError` reason is not a panic.")]
fn a_cancelled_task_has_no_payload() {
    let (_queue, shard) = Queue::with_shard();
    let (join, task) = bind(&shard, pending::<()>());
    task.shutdown();
    let _ = join_now(join).unwrap_err().into_panic();
}

#[test]
#[should_panic(expected = "JoinHandle polled after completion")]
fn a_handle_yields_once() {
    let (_queue, shard) = Queue::with_shard();
    let (mut join, task) = bind(&shard, async {});
    task.run();
    assert!(poll_join(&mut join, Waker::noop()).is_ready());
    assert!(join.is_finished());
    join.abort();
    let _ = poll_join(&mut join, Waker::noop());
}

#[test]
fn an_idle_task_is_scheduled_to_be_cancelled() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let join = spawn(&queue, &shard, Forever(ledger.entry()));
    queue.run_all();
    join.abort();
    join.abort_handle().abort();
    assert_eq!((queue.len(), ledger.alive()), (1, 1));
    assert!(!join.is_finished());
    queue.run_all();
    assert!(join.is_finished());
    assert_eq!(ledger.alive(), 0);
    assert!(join_now(join).unwrap_err().is_cancelled());
}

#[test]
fn a_task_aborted_before_its_first_poll_is_never_polled() {
    let (queue, shard) = Queue::with_shard();
    let join = spawn(&queue, &shard, async { unreachable!("never polled") as () });
    join.abort();
    queue.run_all();
    assert!(join_now(join).unwrap_err().is_cancelled());

    let (join, work) = shard.bind_untracked(async { unreachable!() as () }, SpawnMeta::new());
    join.abort();
    work.run();
    assert!(join_now(join).unwrap_err().is_cancelled());
}

#[test]
fn a_task_that_aborts_itself_ends_at_its_next_suspension() {
    let (queue, shard) = Queue::with_shard();
    let (send, receive) = std::sync::mpsc::channel::<AbortHandle>();
    let ledger = Arc::new(Ledger::default());
    let entry = ledger.entry();
    let join = spawn(&queue, &shard, async move {
        receive.recv().unwrap().abort();
        drop(entry);
        YieldOnce::default().await;
        unreachable!("aborted") as ()
    });
    let abort = join.abort_handle();
    send.send(abort.clone()).unwrap();
    assert_eq!(abort.id(), join.id());
    queue.run_one();
    assert!(abort.is_finished());
    assert_eq!(ledger.alive(), 0);
    assert!(join_now(join).unwrap_err().is_cancelled());
}

#[test]
fn an_abort_that_comes_too_late_changes_nothing() {
    let (queue, shard) = Queue::with_shard();
    let (send, receive) = std::sync::mpsc::channel::<AbortHandle>();
    let join = spawn(&queue, &shard, async move {
        receive.recv().unwrap().abort();
        8
    });
    send.send(join.abort_handle()).unwrap();
    queue.run_all();
    join.abort();
    assert_eq!(join_now(join).unwrap(), 8);
}

#[test]
fn a_detached_task_goes_on_and_drops_its_output() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let entry = ledger.entry();
    drop(spawn(&queue, &shard, async move {
        YieldOnce::default().await;
        entry
    }));
    queue.run_one();
    assert_eq!(ledger.alive(), 1);
    queue.run_one();
    assert_eq!(ledger.alive(), 0);
    assert_eq!(Arc::strong_count(&shard), 1);
}

#[test]
fn an_output_nobody_took_goes_with_the_handle() {
    let (_queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let entry = ledger.entry();
    let (join, task) = bind(&shard, async move { entry });
    let abort = join.abort_handle();
    task.run();
    assert_eq!(ledger.alive(), 1);
    drop(join);
    // Abort handles keep the memory, not the output.
    assert_eq!(ledger.alive(), 0);
    assert!(abort.is_finished());
    assert_eq!(Arc::strong_count(&shard), 2);
}

#[test]
fn the_last_waker_is_woken_once_and_all_are_dropped() {
    let (_queue, shard) = Queue::with_shard();
    let (mut join, task) = bind(&shard, async {});
    let abort = join.abort_handle();
    let counts = [(); 3].map(|()| Arc::new(Count::default()));
    for count in &counts {
        for _ in 0..2 {
            assert!(poll_join(&mut join, &count.waker()).is_pending());
        }
    }
    task.run();
    assert_eq!(counts.each_ref().map(|count| count.get()), [0, 0, 1]);
    assert!(matches!(
        poll_join(&mut join, Waker::noop()),
        Poll::Ready(Ok(()))
    ));
    // The wakers are gone although abort handle and join handle keep the task.
    assert!(counts.iter().all(|count| Arc::strong_count(count) == 1));
    assert!(abort.is_finished());
}

#[test]
fn a_dropped_handle_takes_its_waker_along() {
    let (queue, shard) = Queue::with_shard();
    let ledger = Arc::new(Ledger::default());
    let mut join = spawn(&queue, &shard, Forever(ledger.entry()));
    let count = Arc::new(Count::default());
    assert!(poll_join(&mut join, &count.waker()).is_pending());
    drop(join);
    assert_eq!(Arc::strong_count(&count), 1);
    shard.shutdown_all();
    assert_eq!((count.get(), ledger.alive()), (0, 0));
    queue.run_all();
    assert_eq!(Arc::strong_count(&shard), 1);
}

/// The waker of the join handle drops that handle: the completing side is in the middle of using
/// the waker.
#[test]
fn a_handle_may_be_dropped_by_its_own_waker() {
    struct DropsHandle(zokio_base::sync::Mutex<Option<JoinHandle<()>>>);
    impl Wake for DropsHandle {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().take());
        }
    }
    let (_queue, shard) = Queue::with_shard();
    let (mut join, task) = bind(&shard, async {});
    let holder = Arc::new(DropsHandle(zokio_base::sync::Mutex::new(None)));
    assert!(poll_join(&mut join, &holder.clone().into()).is_pending());
    *holder.0.lock() = Some(join);
    task.run();
    assert_eq!(Arc::strong_count(&holder), 1);
    assert_eq!(Arc::strong_count(&shard), 1);
}
