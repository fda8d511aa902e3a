//! The macros without a runtime: under the parking `block_on`, and polled by hand.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use zokio_task::block_on::block_on;
use zokio_task::coop;

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn one() -> usize {
    1
}

/// Pending the first `count` times.
fn after(count: usize) -> impl Future<Output = usize> {
    let mut left = count;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(count);
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

#[test]
fn select_forms() {
    block_on(async {
        assert_eq!(crate::select! { value = one() => value }, 1);
        assert_eq!(crate::select! { value = one() => { value } }, 1);
        assert_eq!(crate::select! { else => 7 }, 7);
        assert_eq!(crate::select! { biased; else => 7, }, 7);
        let value = crate::select! {
            biased;
            _ = pending::<()>() => unreachable!(),
            Some(value) = ready(None::<usize>) => value,
            value = one(), if false => value + 100,
            mut value = after(3), if true => {
                value += 1;
                value
            }
            else => 0
        };
        assert_eq!(value, 4);
        let nested = crate::select! {
            outer = one() => crate::select! { inner = after(2) => outer + inner },
        };
        assert_eq!(nested, 3);
        crate::select! { () = &mut ready(()) => {} }
    });
}

#[test]
fn select_else_and_its_absence() {
    let value = block_on(async {
        crate::select! {
            Some(value) = ready(None) => value,
            Ok(value) = ready(Err::<usize, ()>(())) => value,
            else => 9,
        }
    });
    assert_eq!(value, 9);
    let result = std::panic::catch_unwind(|| {
        block_on(async {
            crate::select! { _ = one(), if false => {} }
        })
    });
    assert!(result.is_err());
}

#[test]
fn select_handlers_may_use_what_futures_borrowed() {
    async fn borrow(_: &mut usize) {}
    block_on(async {
        let mut value = 1;
        for _ in 0..50 {
            crate::select! {
                _ = borrow(&mut value) => {}
                _ = async {} => value += 5,
                else => value += 100,
            }
        }
        assert!(value < 300);
    });
}

#[test]
fn select_leaves_loops_and_functions() {
    async fn first_even(numbers: &[usize]) -> Result<usize, String> {
        let mut numbers = numbers.iter();
        loop {
            crate::select! {
                biased;
                Some(number) = async { numbers.next().copied() } => {
                    if number % 2 == 1 {
                        continue;
                    }
                    let text = number.to_string();
                    let even = text.parse::<usize>().map_err(|error| error.to_string())?;
                    return Ok(even);
                }
                else => break,
            }
        }
        Err("all odd".to_owned())
    }
    assert_eq!(block_on(first_even(&[3, 5, 8, 9])), Ok(8));
    assert!(block_on(first_even(&[3, 5])).is_err());
}

#[test]
fn select_patterns() {
    block_on(async {
        crate::select! {
            Some(ref mut text) = async { Some("1".to_owned()) } => {
                text.push('2');
                assert_eq!(text, "12");
            }
        }
        let value = crate::select! {
            Ok(value) | Err(value) = ready(Err::<usize, usize>(3)) => value,
        };
        assert_eq!(value, 3);
        let pair = crate::select! { whole @ (_, b) = ready((1, 2)) => (whole, b) };
        assert_eq!(pair, ((1, 2), 2));
    });
}

#[test]
fn select_starts_anywhere_unless_biased() {
    let counts = [const { Cell::new(0) }; 3];
    block_on(async {
        for _ in 0..300 {
            crate::select! {
                _ = ready(()) => counts[0].set(counts[0].get() + 1),
                _ = ready(()) => counts[1].set(counts[1].get() + 1),
                _ = ready(()) => counts[2].set(counts[2].get() + 1),
            }
        }
    });
    assert!(counts.iter().all(|count| count.get() > 40), "{counts:?}");
    block_on(async {
        for _ in 0..50 {
            crate::select! {
                biased;
                _ = ready(()) => {}
                _ = ready(()) => unreachable!(),
            }
        }
    });
}

#[test]
fn a_future_is_not_polled_after_it_was_done() {
    let mut polled = false;
    let once = poll_fn(|_| {
        assert!(!polled);
        polled = true;
        Poll::Ready(None::<()>)
    });
    let mut future = pin!(async {
        crate::select! {
            Some(_) = once => unreachable!(),
            count = after(2) => count,
        }
    });
    assert!(poll_once(future.as_mut()).is_pending());
    assert!(poll_once(future.as_mut()).is_pending());
    assert_eq!(poll_once(future.as_mut()), Poll::Ready(2));
}

#[test]
fn select_is_aware_of_the_budget() {
    let select = || async {
        crate::select! {
            biased;
            () = coop::consume_budget() => {}
            () = ready(()) => {}
        }
    };
    coop::budget(|| {
        for _ in 0..coop::BUDGET {
            assert!(poll_once(pin!(select())).is_ready());
        }
        assert!(poll_once(pin!(select())).is_pending());
    });
}

#[test]
fn sixty_four_branches() {
    macro_rules! many {
        ($($number:literal)*) => {
            crate::select! { $(value = ready($number) => value,)* }
        };
    }
    let value = block_on(async {
        many!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
            61 62 63)
    });
    assert!(value < 64);
}

#[test]
fn join_forms() {
    block_on(async {
        crate::join!();
        crate::join!(biased;);
        assert_eq!(crate::join!(one()), (1,));
        assert_eq!(crate::join!(one(), after(3),), (1, 3));
        assert_eq!(crate::join!(biased; after(2), one()), (2, 1));
        assert_eq!(crate::try_join!() as Result<(), ()>, Ok(()));
        let both = crate::try_join!(async { Ok::<_, ()>(1) }, async { Ok("2") });
        assert_eq!(both, Ok((1, "2")));
        let failed = crate::try_join!(biased; async { Ok::<usize, _>(after(9).await) }, async {
            Err::<(), _>("no")
        });
        assert_eq!(failed, Err("no"));
    });
}

#[test]
fn joins_rotate_unless_biased() {
    let order = Mutex::new(Vec::new());
    let noted = |name: usize| {
        let order = &order;
        let mut left = 3;
        poll_fn(move |cx| {
            order.lock().unwrap().push(name);
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    };
    block_on(async { crate::join!(noted(1), noted(2), noted(3)) });
    let seen = std::mem::take(&mut *order.lock().unwrap());
    assert_eq!(seen, [1, 2, 3, 2, 3, 1, 3, 1, 2, 1, 2, 3]);
    block_on(async { crate::join!(biased; noted(1), noted(2)) });
    let seen = std::mem::take(&mut *order.lock().unwrap());
    assert_eq!(seen, [1, 2, 1, 2, 1, 2, 1, 2]);
}

#[deny(unreachable_code)]
#[test]
fn outputs_without_values() {
    let mut joined = pin!(async { crate::join!(pending::<Infallible>(), one()) });
    assert!(poll_once(joined.as_mut()).is_pending());
    block_on(async {
        let failed = crate::try_join!(async { Err::<Infallible, _>(1) }, async { Ok(2) });
        assert_eq!(failed, Err(1));
        let both = crate::try_join!(async { Ok::<_, Infallible>(1) }, async { Ok(2) });
        assert_eq!(both, Ok((1, 2)));
    });
}

#[test]
#[cfg(target_pointer_width = "64")]
fn sizes() {
    let one = async { crate::join!(ready(0_i32)) };
    let two = async { crate::join!(ready(0_i32), ready(0_i32)) };
    assert_eq!((size_of_val(&one), size_of_val(&two)), (32, 48));
    let one = async { crate::try_join!(biased; ready(Ok::<_, ()>(0_i32))) };
    let two = async { crate::join!(biased; ready(0_i32), ready(0_i32)) };
    assert_eq!((size_of_val(&one), size_of_val(&two)), (24, 40));
    let one = async {
        let first = ready(0_i32);
        crate::select! { _ = first => {} }
    };
    let two = async {
        let (first, second) = (ready(0_i32), ready(0_i32));
        crate::select! {
            _ = first => {}
            _ = second => {}
        }
    };
    assert_eq!((size_of_val(&one), size_of_val(&two)), (32, 40));
}

#[test]
fn pins() {
    block_on(async {
        let first = one();
        let second = after(2);
        crate::pin!(first, second);
        assert_eq!((&mut first).await + (&mut second).await, 3);
        crate::pin! {
            let third = one();
            let fourth = after(3);
        }
        assert_eq!((&mut third).await + (&mut fourth).await, 4);
    });
}

crate::task_local! {
    static NUMBER: usize;
    /// Documented, public and of another type.
    pub(super) static TEXT: String
}

#[test]
fn task_locals_nest_and_end() {
    block_on(async {
        assert!(NUMBER.try_get().is_err());
        let future = NUMBER.scope(1, async {
            assert_eq!(NUMBER.get(), 1);
            NUMBER.scope(2, async { assert_eq!(NUMBER.get(), 2) }).await;
            after(2).await;
            assert_eq!(NUMBER.sync_scope(3, || NUMBER.get()), 3);
            NUMBER.with(|number| assert_eq!(*number, 1));
            TEXT.scope("x".to_owned(), async { TEXT.get() }).await
        });
        assert_eq!(future.await, "x");
        assert!(NUMBER.try_with(|_| ()).is_err());
    });
}

#[test]
fn task_locals_are_there_while_the_future_is_dropped() {
    struct Asks<'a>(&'a Cell<usize>);
    impl Future for Asks<'_> {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    impl Drop for Asks<'_> {
        fn drop(&mut self) {
            self.0.set(NUMBER.get());
        }
    }
    let seen = Cell::new(0);
    drop(NUMBER.scope(4, Asks(&seen)));
    assert_eq!(seen.get(), 4);
    let mut future = Box::pin(NUMBER.scope(5, Asks(&seen)));
    assert!(poll_once(future.as_mut()).is_ready());
    assert_eq!(seen.get(), 5);
    assert_eq!(future.as_mut().take_value(), Some(5));
    assert_eq!(future.as_mut().take_value(), None);
}

/// The message of a panic of `run`.
#[track_caller]
fn panic_of<R>(run: impl FnOnce() -> R) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    match caught.map(drop).unwrap_err().downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn task_locals_panic_with_a_reason() {
    assert!(panic_of(|| NUMBER.with(|_| ())).contains("without setting it first"));
    let borrowed = panic_of(|| {
        NUMBER.sync_scope(1, || NUMBER.with(|_| NUMBER.sync_scope(2, || ())));
    });
    assert!(borrowed.contains("while the task-local storage is borrowed"));
    let mut future = Box::pin(NUMBER.scope(3, ready(())));
    assert!(poll_once(future.as_mut()).is_ready());
    let again = panic_of(|| poll_once(future.as_mut()));
    assert!(again.contains("polled after it was done"), "{again}");
    // A future that is polled inside of a borrow cannot enter its scope, and is dropped without it.
    let mut inner = Box::pin(NUMBER.scope(4, async { NUMBER.get() }));
    let borrowed = panic_of(|| NUMBER.sync_scope(5, || NUMBER.with(|_| poll_once(inner.as_mut()))));
    assert!(borrowed.contains("while the task-local storage is borrowed"));
    assert_eq!(poll_once(inner.as_mut()), Poll::Ready(4), "it is as it was");
}

/// In which order a thread's locals go is the platform's: here what was used last goes first.
#[test]
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)] // The thread's end is what is looked at.
fn task_locals_are_gone_when_the_thread_is() {
    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }
    struct Last(std::sync::mpsc::Sender<(bool, String)>);
    impl Drop for Last {
        fn drop(&mut self) {
            let is_set = TEXT.try_with(|_| ()).is_ok();
            let said = panic_of(|| TEXT.sync_scope(String::new(), || ()));
            self.0.send((is_set, said)).unwrap();
        }
    }
    let (send, receive) = std::sync::mpsc::channel();
    let thread = zokio_base::sync::thread::spawn(move || {
        // It goes after what the thread has used later.
        LAST.set(Some(Last(send)));
        TEXT.sync_scope("x".to_owned(), || assert_eq!(TEXT.get(), "x"));
    });
    thread.join().unwrap();
    let (is_set, said) = receive.recv().unwrap();
    assert!(!is_set);
    assert!(
        said.contains("destruction of the underlying thread-local"),
        "{said}"
    );
}

#[test]
fn task_locals_show_themselves() {
    assert_eq!(format!("{NUMBER:?}"), "LocalKey { .. }");
    assert_eq!(format!("[{NUMBER:>17?}]"), "[  LocalKey { .. }]");
    let future = NUMBER.scope(7, ready(()));
    assert_eq!(
        format!("{future:?}"),
        "TaskLocalFuture { value: Some(7), .. }"
    );
    let error = NUMBER.try_get().unwrap_err();
    assert_eq!(format!("{error:?}"), "AccessError");
    assert!(error.to_string().contains("without setting it first"));
}

#[test]
fn the_parts_of_a_join_give_their_outputs_once() {
    let mut part = Box::pin(crate::macros::support::maybe_done(after(1)));
    assert!(poll_once(part.as_mut()).is_pending());
    assert_eq!(part.as_mut().take_output(), None);
    assert_eq!(format!("{part:?}"), "Future");
    assert!(poll_once(part.as_mut()).is_ready());
    assert!(
        poll_once(part.as_mut()).is_ready(),
        "it waits for the others"
    );
    assert_eq!(format!("{part:?}"), "Done");
    assert_eq!(part.as_mut().take_output(), Some(1));
    assert_eq!(part.as_mut().take_output(), None);
    assert_eq!(format!("{part:?}"), "Gone");
    let again = panic_of(|| poll_once(part.as_mut()));
    assert!(again.contains("polled after it was done"), "{again}");
}
