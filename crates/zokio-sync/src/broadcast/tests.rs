//! Order, lag and endings by hand, random steps against a naive channel, and counts of what lives.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::*;
use crate::testing::{Count, calling, spawn};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::VecDeque;
use std::task::Waker;
use zokio_base::sync::thread;
use zokio_base::wake_list::WAKE_LIST_LEN;

#[test]
fn every_receiver_gets_every_value_and_is_woken() {
    let (sender, mut first) = channel(4);
    let mut second = sender.subscribe();
    let mut waiting = [spawn(first.recv()), spawn(second.recv())];
    for future in &mut waiting {
        future.pending();
    }
    assert_eq!(sender.send(1).unwrap(), 2);
    for future in &mut waiting {
        assert!(future.is_woken());
        assert_eq!(future.ready(), Ok(1));
    }
}

#[test]
fn the_length_is_rounded_up_and_the_slow_are_told() {
    let (sender, mut receiver) = channel(3);
    for value in 0..4 {
        sender.send(value).unwrap();
    }
    assert_eq!(receiver.try_recv(), Ok(0));
    for value in 4..7 {
        sender.send(value).unwrap();
    }
    assert_eq!(receiver.len(), 6);
    assert_eq!(sender.len(), 4);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Lagged(2)));
    assert_eq!(receiver.len(), 4);
    for value in 3..7 {
        assert_eq!(receiver.try_recv(), Ok(value));
    }
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert!(receiver.is_empty() && sender.is_empty());
}

#[test]
fn the_end_comes_after_the_values() {
    let (sender, mut receiver) = channel(4);
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    drop(other);
    assert!(receiver.is_closed());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(spawn(receiver.recv()).ready(), Err(RecvError::Closed));
}

#[test]
fn the_end_wakes_all_who_wait() {
    let (sender, receiver) = channel::<u32>(4);
    let mut receivers: Vec<_> = (0..70).map(|_| receiver.resubscribe()).collect();
    let mut waiting: Vec<_> = receivers.iter_mut().map(|r| spawn(r.recv())).collect();
    for future in &mut waiting {
        future.pending();
    }
    // One that leaves from the middle.
    waiting.remove(5);
    drop(sender);
    for future in &mut waiting {
        assert!(future.is_woken());
        assert_eq!(future.ready(), Err(RecvError::Closed));
    }
}

type Receive = Pin<Box<dyn Future<Output = Result<u8, RecvError>> + Send>>;

/// Has `first` run while the first batch of many is woken, and the last of them in its hands.
fn between_two_batches(first: impl Fn(Receive) + Send + Sync + 'static) {
    let (sender, _) = channel(1);
    let last = Arc::new(zokio_base::sync::Mutex::new(None));
    let (waker, count) = Count::waker();
    let waker_of_first = {
        let (last, count) = (last.clone(), count.clone());
        calling(move || {
            assert_eq!(count.get(), 0, "the first is woken first");
            let future = { last.lock().take() };
            first(future.expect("it is woken once"));
        })
    };
    let mut waiting: Vec<Receive> = Vec::new();
    for number in 0..=2 * WAKE_LIST_LEN {
        let mut receiver = sender.subscribe();
        let mut future: Receive = Box::pin(async move { receiver.recv().await });
        let waker = if number == 0 { &waker_of_first } else { &waker };
        let polled = future.as_mut().poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
        waiting.push(future);
    }
    *last.lock() = waiting.pop();
    assert_eq!(sender.send(7).unwrap(), 2 * WAKE_LIST_LEN + 1);
    assert_eq!(count.get(), 2 * WAKE_LIST_LEN - 1, "all others are woken");
    for mut future in waiting {
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Ready(Ok(7)));
    }
}

#[test]
fn who_looks_before_it_is_woken_has_its_value() {
    between_two_batches(|mut future| {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(Ok(7)));
    });
}

#[test]
fn who_goes_before_it_is_woken_is_not_woken() {
    between_two_batches(drop);
}

#[test]
fn without_receivers_nothing_is_sent() {
    let (sender, receiver) = channel(4);
    let mut closed = spawn(sender.closed());
    closed.pending();
    drop(receiver);
    assert!(closed.is_woken());
    closed.ready();
    assert_eq!(sender.send(1).unwrap_err().0, 1);
    let mut receiver = sender.subscribe();
    assert_eq!(sender.send(2).unwrap(), 1);
    assert_eq!(receiver.try_recv(), Ok(2));
}

#[test]
fn weak_senders_do_not_keep_the_channel_open() {
    let (sender, mut receiver) = channel(4);
    let weak = sender.downgrade();
    let mut waiting = spawn(receiver.recv());
    waiting.pending();
    weak.upgrade().unwrap().send(1).unwrap();
    assert_eq!(waiting.ready(), Ok(1));
    drop(waiting);
    let mut waiting = spawn(receiver.recv());
    waiting.pending();
    drop(sender);
    assert!(waiting.is_woken());
    assert!(weak.upgrade().is_none());
    assert_eq!((weak.strong_count(), weak.clone().weak_count()), (0, 2));
}

#[test]
fn a_value_is_dropped_when_the_last_has_it() {
    let alive = Arc::new(());
    let (sender, mut first) = channel(4);
    let second = sender.subscribe();
    sender.send(alive.clone()).unwrap();
    drop(first.try_recv().unwrap());
    assert_eq!(Arc::strong_count(&alive), 2);
    assert_eq!(sender.len(), 1);
    drop(second);
    assert_eq!(Arc::strong_count(&alive), 1);
    assert!(sender.is_empty());
}

#[test]
fn wakers_are_not_kept() {
    let (sender, mut receiver) = channel::<u32>(4);
    let (waker, count) = Count::waker();
    {
        let mut waiting = std::pin::pin!(receiver.recv());
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(Arc::strong_count(&count), 2);
    drop(sender);
}

#[test]
fn a_unit_of_the_budget_is_taken() {
    let (sender, mut receiver) = channel(1024);
    for value in 0..1_000 {
        sender.send(value).unwrap();
    }
    coop::budget(|| {
        for _ in 0..coop::BUDGET {
            spawn(receiver.recv()).ready().unwrap();
        }
        spawn(receiver.recv()).pending();
    });
}

/// RUSTSEC-2025-0023: a value that is `Send` and not `Sync` was cloned on two threads at once.
#[test]
fn regression_values_that_are_not_sync_are_cloned_one_at_a_time() {
    struct Fragile(Cell<u32>);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            let before = self.0.get();
            for _ in 0..50 {
                // Two at once would lose one of these.
                self.0.set(self.0.get() + 1);
            }
            assert_eq!(self.0.get(), before + 50);
            Self(Cell::new(0))
        }
    }
    let (sender, receiver) = channel(16);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let mut receiver = receiver.resubscribe();
            thread::spawn(move || {
                let mut count = 0;
                loop {
                    match receiver.blocking_recv() {
                        Ok(_) => count += 1,
                        Err(RecvError::Lagged(missed)) => count += missed,
                        Err(RecvError::Closed) => return count,
                    }
                }
            })
        })
        .collect();
    for _ in 0..2_000 {
        sender.send(Fragile(Cell::new(0))).ok().unwrap();
    }
    drop(sender);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 2_000);
    }
}

#[test]
fn a_clone_that_panics_loses_its_own_value_only() {
    struct Bomb(u32);
    impl Clone for Bomb {
        fn clone(&self) -> Self {
            assert!(self.0 != 1, "a clone that panics");
            Self(self.0)
        }
    }
    let (sender, mut receiver) = channel(4);
    let _second = sender.subscribe();
    for value in 0..3 {
        assert!(sender.send(Bomb(value)).is_ok());
    }
    assert_eq!(receiver.try_recv().ok().unwrap().0, 0);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| receiver.try_recv()));
    assert!(result.is_err());
    assert_eq!(receiver.try_recv().ok().unwrap().0, 2);
}

#[test]
fn stress_everything_is_received_or_counted_as_lost() {
    let (sender, receiver) = channel(8);
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            let mut receiver = receiver.resubscribe();
            thread::spawn(move || {
                let mut next = [0; 2];
                let (mut received, mut lost) = (0, 0);
                loop {
                    match receiver.blocking_recv() {
                        Ok((id, value)) => {
                            let _: usize = id;
                            assert!(value >= next[id]);
                            next[id] = value + 1;
                            received += 1;
                        }
                        Err(RecvError::Lagged(missed)) => lost += missed,
                        Err(RecvError::Closed) => return received + lost,
                    }
                }
            })
        })
        .collect();
    let senders: Vec<_> = (0..2)
        .map(|id| {
            let sender = sender.clone();
            thread::spawn(move || {
                for value in 0..10_000 {
                    sender.send((id, value)).unwrap();
                    if value % 16 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    drop((sender, receiver));
    for thread in senders {
        thread.join().unwrap();
    }
    for thread in receivers {
        assert_eq!(thread.join().unwrap(), 20_000);
    }
}

#[test]
#[should_panic(expected = "capacity cannot be zero")]
fn no_capacity_is_refused() {
    channel::<()>(0);
}

#[derive(Debug, Clone)]
enum Step {
    Send,
    Receive(usize),
    Subscribe,
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Send),
        5 => (0..3_usize).prop_map(Step::Receive),
        1 => Just(Step::Subscribe),
        1 => (0..3_usize).prop_map(Step::Leave),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_queue_per_receiver(
        capacity in 1..5_usize,
        steps in prop::collection::vec(step(), 0..100),
    ) {
        let kept = capacity.next_power_of_two();
        let sender = Sender::new(capacity);
        // Each receiver with the values it has still to get, and how many of them are lost.
        let mut receivers: Vec<(Receiver<u32>, VecDeque<u32>, u64)> = Vec::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Send => {
                    next += 1;
                    prop_assert_eq!(sender.send(next).unwrap_or(0), receivers.len());
                    for (_, queue, lost) in &mut receivers {
                        queue.push_back(next);
                        if queue.len() > kept {
                            queue.pop_front();
                            *lost += 1;
                        }
                    }
                }
                Step::Receive(at) => {
                    let Some((receiver, queue, lost)) = receivers.get_mut(at) else { continue };
                    let expected = match std::mem::take(lost) {
                        0 => queue.pop_front().ok_or(TryRecvError::Empty),
                        lost => Err(TryRecvError::Lagged(lost)),
                    };
                    prop_assert_eq!(receiver.try_recv(), expected);
                }
                Step::Subscribe => receivers.push((sender.subscribe(), VecDeque::new(), 0)),
                Step::Leave(at) if at < receivers.len() => drop(receivers.remove(at)),
                Step::Leave(_) => {}
            }
            let longest = receivers.iter().map(|entry| entry.1.len()).max();
            prop_assert_eq!(sender.len(), longest.unwrap_or(0));
            prop_assert_eq!(sender.is_empty(), longest.unwrap_or(0) == 0);
            for (receiver, queue, lost) in &receivers {
                prop_assert_eq!(receiver.len() as u64, queue.len() as u64 + lost);
            }
        }
    }
}
