//! The channels by hand, random steps against a naive queue, and counts of what lives.
#![allow(clippy::disallowed_methods)] // Tests use threads.

use super::error::*;
use super::*;
use crate::testing::{Count, spawn};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::task::{Context, Poll};
use zokio_base::sync::std_atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{Arc, thread};

#[test]
fn values_come_in_order_over_many_blocks() {
    let (sender, mut receiver) = unbounded_channel();
    for value in 0..1_000 {
        sender.send(value).unwrap();
        assert_eq!(receiver.len(), value + 1);
    }
    for value in 0..1_000 {
        assert_eq!(receiver.try_recv(), Ok(value));
        assert_eq!(receiver.len(), 999 - value);
    }
    assert!(receiver.is_empty());
    drop(sender);
    assert_eq!(receiver.len(), 0);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_send_wakes_the_receiver_once_and_only_for_the_next_value() {
    let (sender, mut receiver) = channel(4);
    let mut receive = spawn(receiver.recv());
    receive.pending();
    receive.pending();
    sender.try_send(1).unwrap();
    assert!(receive.is_woken());
    sender.try_send(2).unwrap();
    assert_eq!(receive.ready(), Some(1));
    drop(receive);
    let mut receive = spawn(receiver.recv());
    assert_eq!(receive.ready(), Some(2));
    sender.try_send(3).unwrap();
    assert!(!receive.is_woken());
}

#[test]
fn senders_wait_for_room_in_order() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(0).unwrap();
    let mut first = spawn(sender.send(1));
    let mut second = spawn(sender.send(2));
    first.pending();
    second.pending();
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(receiver.try_recv(), Ok(0));
    assert!(first.is_woken() && !second.is_woken());
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    first.ready().unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    second.ready().unwrap();
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(sender.capacity(), 1);
}

#[test]
fn the_last_sender_wakes_the_receiver() {
    let (sender, mut receiver) = channel::<u32>(1);
    let other = sender.clone();
    let mut receive = spawn(receiver.recv());
    receive.pending();
    drop(sender);
    assert!(!receive.is_woken());
    drop(other);
    assert!(receive.is_woken());
    assert_eq!(receive.ready(), None);
    drop(receive);
    assert_eq!(spawn(receiver.recv()).ready(), None);
}

#[test]
fn a_closed_receiver_waits_for_the_permits_that_are_out() {
    let (sender, mut receiver) = channel(3);
    let permit = sender.try_reserve().unwrap();
    let two = sender.try_reserve_many(2).unwrap();
    receiver.close();
    assert!(sender.is_closed() && receiver.is_closed());
    assert_eq!(sender.try_send(9), Err(TrySendError::Closed(9)));
    let mut receive = spawn(receiver.recv());
    receive.pending();
    permit.send(1);
    assert!(receive.is_woken());
    assert_eq!(receive.ready(), Some(1));
    drop(receive);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let mut receive = spawn(receiver.recv());
    receive.pending();
    drop(two);
    assert!(receive.is_woken());
    assert_eq!(receive.ready(), None);
    drop(receive);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_cancelled_reserve_that_had_its_permit_wakes_a_closed_receiver() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(1).unwrap();
    let mut reserve = spawn(sender.reserve());
    reserve.pending();
    assert_eq!(receiver.try_recv(), Ok(1));
    receiver.close();
    let mut receive = spawn(receiver.recv());
    receive.pending();
    drop(reserve);
    assert!(receive.is_woken());
    assert_eq!(receive.ready(), None);
}

#[test]
fn a_reserve_that_fails_gives_back_what_it_had_and_wakes_a_closed_receiver() {
    let (sender, mut receiver) = channel::<u32>(2);
    let permit = sender.try_reserve().unwrap();
    let mut reserve = spawn(sender.reserve_many(2));
    reserve.pending();
    receiver.close();
    let mut receive = spawn(receiver.recv());
    receive.pending();
    drop(permit);
    assert!(!receive.is_woken());
    assert!(reserve.ready().is_err());
    assert!(receive.is_woken());
    assert_eq!(receive.ready(), None);
}

#[test]
fn a_permit_is_used_even_if_the_receivers_waker_panics() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let (sender, mut receiver) = channel(1);
    let waker = Arc::new(Panics).into();
    let polled = receiver.poll_recv(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let permit = sender.try_reserve().unwrap();
    permit.send(7);
    assert_eq!((sender.capacity(), receiver.len()), (0, 1));
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(sender.capacity(), 1);
}

#[test]
fn try_recv_sleeps_while_a_preempted_sender_owes_the_first_value() {
    let (sender, mut receiver) = channel(2);
    let chan = sender.chan();
    let (first, second) = (sender.try_reserve().unwrap(), sender.try_reserve().unwrap());
    let fill = chan.queue().push_in_two_steps();
    second.send(2);
    std::mem::forget(first);
    let waits = thread::spawn(move || (receiver.try_recv(), receiver.try_recv()));
    while !chan.queue().is_waited_for() {
        thread::yield_now();
    }
    chan.pushed(fill(1));
    assert_eq!(waits.join().unwrap(), (Ok(1), Ok(2)));
    assert_eq!(sender.capacity(), 2);
}

#[test]
fn dropping_the_receiver_fails_all_senders_and_drops_the_values() {
    let alive = Arc::new(());
    let (sender, receiver) = channel(2);
    sender.try_send(alive.clone()).unwrap();
    sender.try_send(alive.clone()).unwrap();
    let mut waiting = spawn(sender.send(alive.clone()));
    let mut closed = spawn(sender.closed());
    waiting.pending();
    closed.pending();
    drop(receiver);
    assert_eq!(Arc::strong_count(&alive), 2);
    assert!(waiting.is_woken() && closed.is_woken());
    assert!(waiting.ready().is_err());
    closed.ready();
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_permit_may_be_used_after_the_receiver_is_gone() {
    let alive = Arc::new(());
    let (sender, receiver) = channel(1);
    let permit = sender.try_reserve_owned().unwrap();
    drop(receiver);
    let sender = permit.send(alive.clone());
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(sender);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn the_receivers_waker_goes_with_it() {
    let (sender, mut receiver) = channel::<u32>(1);
    let (waker, count) = Count::waker();
    assert!(
        receiver
            .poll_recv(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert_eq!(Arc::strong_count(&count), 3);
    drop(receiver);
    assert_eq!(Arc::strong_count(&count), 2);
    drop(sender);
}

#[test]
fn recv_many_takes_what_is_there() {
    let (sender, mut receiver) = channel(100);
    let mut buffer = vec![7];
    assert_eq!(spawn(receiver.recv_many(&mut buffer, 0)).ready(), 0);
    {
        let mut receive = spawn(receiver.recv_many(&mut buffer, 50));
        receive.pending();
        for value in 0..70 {
            sender.try_send(value).unwrap();
        }
        assert!(receive.is_woken());
        assert_eq!(receive.ready(), 50);
    }
    assert_eq!(buffer.len(), 51);
    assert_eq!(sender.capacity(), 80);
    drop(sender);
    assert_eq!(spawn(receiver.recv_many(&mut buffer, 50)).ready(), 20);
    assert_eq!(spawn(receiver.recv_many(&mut buffer, 50)).ready(), 0);
    assert_eq!(buffer[1..], (0..70).collect::<Vec<_>>());
}

#[test]
fn more_room_than_there_ever_is_is_refused_at_once() {
    let (sender, _receiver) = channel::<u8>(2);
    assert!(spawn(sender.reserve_many(3)).ready().is_err());
    assert_eq!(sender.capacity(), 2);
    assert_eq!(spawn(sender.reserve_many(2)).ready().unwrap().len(), 2);
}

#[test]
fn weak_senders_do_not_keep_the_channel_open() {
    let (sender, mut receiver) = unbounded_channel();
    let weak = sender.downgrade();
    let other = weak.clone();
    assert_eq!((sender.strong_count(), sender.weak_count()), (1, 2));
    weak.upgrade().unwrap().send(1).unwrap();
    drop(sender);
    assert!(weak.upgrade().is_none());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    drop(other);
    assert_eq!(receiver.sender_weak_count(), 1);
}

#[test]
fn errors_say_what_happened_and_hide_the_value() {
    assert_eq!(format!("{:?}", SendError(1)), "SendError { .. }");
    assert_eq!(format!("{:?}", TrySendError::Full(1)), "Full(..)");
    assert_eq!(format!("{:?}", SendTimeoutError::Closed(1)), "Closed(..)");
    assert_eq!(SendError(1).to_string(), "channel closed");
    assert_eq!(TrySendError::Full(1).to_string(), "no available capacity");
    assert_eq!(
        TryRecvError::Disconnected.to_string(),
        "receiving on a closed channel"
    );
}

#[test]
fn large_values_do_not_pass_over_the_stack() {
    // A block of 32 of these is larger than the thread's stack; what a build without optimization
    // keeps of one in each frame is not.
    let thread = thread::Builder::new().stack_size(3_000_000);
    let test = thread.spawn(|| {
        let (sender, mut receiver) = unbounded_channel::<[u8; 100_000]>();
        sender.send([7; 100_000]).unwrap();
        assert_eq!(receiver.try_recv().unwrap()[99_999], 7);
    });
    test.unwrap().join().unwrap();
}

#[test]
fn the_budget_is_taken_per_value() {
    let (sender, mut receiver) = unbounded_channel();
    for value in 0..1_000 {
        sender.send(value).unwrap();
    }
    let mut cx = Context::from_waker(std::task::Waker::noop());
    zokio_task::coop::budget(|| {
        for _ in 0..zokio_task::coop::BUDGET {
            assert!(receiver.poll_recv(&mut cx).is_ready());
        }
        assert!(receiver.poll_recv(&mut cx).is_pending());
    });
    assert_eq!(
        receiver.len(),
        1_000 - usize::from(zokio_task::coop::BUDGET)
    );
}

#[test]
#[should_panic(expected = "mpsc bounded channel requires buffer > 0")]
fn a_channel_without_room_is_refused() {
    channel::<()>(0);
}

/// Counts drops, and panics in one of them.
struct Bomb {
    dropped: Arc<AtomicUsize>,
    explodes: bool,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        assert!(!self.explodes, "a value whose drop panics");
    }
}

/// RUSTSEC-2025-0024 and its like: values are dropped once each when a channel goes, also where
/// the drop of one of them panics.
#[test]
fn regression_values_are_dropped_once_when_the_channel_goes() {
    for receiver_first in [true, false] {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = unbounded_channel();
        for index in 0..100 {
            let (dropped, explodes) = (dropped.clone(), index == 40);
            assert!(sender.send(Bomb { dropped, explodes }).is_ok());
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if receiver_first {
                drop(receiver);
                drop(sender);
            } else {
                drop(sender);
                drop(receiver);
            }
        }));
        assert!(result.is_err());
        assert_eq!(dropped.load(Ordering::Relaxed), 100);
    }
}

/// Values that are pushed while the receiver goes belong to the channel's own drop.
#[test]
fn stress_senders_and_a_receiver_that_goes_lose_and_duplicate_nothing() {
    let sent = Arc::new(AtomicUsize::new(0));
    let dropped = Arc::new(AtomicUsize::new(0));
    for _ in 0..300 {
        let (sender, mut receiver) = unbounded_channel();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (sender, sent, dropped) = (sender.clone(), sent.clone(), dropped.clone());
                thread::spawn(move || {
                    for _ in 0..200 {
                        sent.fetch_add(1, Ordering::Relaxed);
                        let dropped = dropped.clone();
                        let explodes = false;
                        if sender.send(Bomb { dropped, explodes }).is_err() {
                            return;
                        }
                    }
                })
            })
            .collect();
        for _ in 0..50 {
            let _ = receiver.try_recv();
        }
        drop(receiver);
        for thread in threads {
            thread.join().unwrap();
        }
    }
    assert_eq!(
        sent.load(Ordering::Relaxed),
        dropped.load(Ordering::Relaxed)
    );
}

#[test]
fn stress_each_senders_values_come_in_order() {
    const COUNT: u32 = 20_000;
    let (sender, mut receiver) = channel(10);
    let threads: Vec<_> = (0..3_usize)
        .map(|id| {
            let sender = sender.clone();
            thread::spawn(move || {
                for value in 0..COUNT {
                    if id == 0 {
                        sender.blocking_send((id, value)).unwrap();
                    } else if let Err(error) = sender.try_send((id, value)) {
                        let value = error.into_inner();
                        sender.blocking_send(value).unwrap();
                    }
                }
            })
        })
        .collect();
    drop(sender);
    let mut next = [0; 3];
    let mut buffer = Vec::new();
    while receiver.blocking_recv_many(&mut buffer, 7) > 0 {
        for (id, value) in buffer.drain(..) {
            assert_eq!(value, next[id]);
            next[id] += 1;
        }
    }
    assert_eq!(next, [COUNT; 3]);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[derive(Debug, Clone)]
enum Step {
    TrySend,
    Reserve(usize),
    UsePermit,
    DropPermit,
    TryRecv,
    RecvMany(usize),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::TrySend),
        1 => (1..4_usize).prop_map(Step::Reserve),
        2 => Just(Step::UsePermit),
        1 => Just(Step::DropPermit),
        3 => Just(Step::TryRecv),
        1 => (0..40_usize).prop_map(Step::RecvMany),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_queue(
        capacity in 1..70_usize,
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let (sender, mut receiver) = channel(capacity);
        let mut naive = VecDeque::new();
        let mut permits = Vec::new();
        let mut closed = false;
        let mut next = 0;
        for step in steps {
            let free = capacity - naive.len() - permits.len();
            match step {
                Step::TrySend => {
                    next += 1;
                    match sender.try_send(next) {
                        Ok(()) => {
                            prop_assert!(free > 0 && !closed);
                            naive.push_back(next);
                        }
                        Err(TrySendError::Closed(value)) => prop_assert!(closed && value == next),
                        Err(TrySendError::Full(_)) => prop_assert!(free == 0 && !closed),
                    }
                }
                Step::Reserve(count) => match sender.try_reserve_many(count) {
                    Ok(reserved) => {
                        prop_assert!(free >= count && !closed);
                        permits.extend(reserved);
                    }
                    Err(_) => prop_assert!(free < count || closed),
                },
                Step::UsePermit => {
                    if let Some(permit) = permits.pop() {
                        next += 1;
                        permit.send(next);
                        naive.push_back(next);
                    }
                }
                Step::DropPermit => drop(permits.pop()),
                Step::TryRecv => match (receiver.try_recv(), naive.pop_front()) {
                    (Ok(value), Some(expected)) => prop_assert_eq!(value, expected),
                    (Err(TryRecvError::Empty), None) => {
                        prop_assert!(!closed || !permits.is_empty());
                    }
                    (Err(TryRecvError::Disconnected), None) => {
                        prop_assert!(closed && permits.is_empty());
                    }
                    other => prop_assert!(false, "{:?}", other),
                },
                Step::RecvMany(limit) => {
                    let mut buffer = Vec::new();
                    let expected: Vec<_> = naive.drain(..limit.min(naive.len())).collect();
                    let polled = spawn(receiver.recv_many(&mut buffer, limit)).poll();
                    let ended = limit == 0 || closed && permits.is_empty();
                    match polled {
                        Poll::Ready(count) => {
                            prop_assert_eq!(count, expected.len());
                            prop_assert!(count > 0 || ended);
                        }
                        Poll::Pending => prop_assert!(expected.is_empty() && !ended),
                    }
                    prop_assert_eq!(buffer, expected);
                }
                Step::Close => {
                    receiver.close();
                    closed = true;
                }
            }
            prop_assert_eq!(receiver.len(), naive.len());
            prop_assert_eq!(sender.capacity(), capacity - naive.len() - permits.len());
        }
    }
}
