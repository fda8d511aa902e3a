//! A bounded channel against a queue, for any sequence of steps: values, permits, handles, the end.
//!
//! These rules are checked: values come out in the order in which they went in; there is room for as many as
//! the capacity says, permits included; a receiver that waits is woken by the next value and by the
//! end; each value is dropped once.
//!
//! [`run`] takes bytes, so that the fuzzer, the kept corpus and random bytes in an ordinary test all
//! come the same way.

use super::error::{TryRecvError, TrySendError};
use super::{OwnedPermit, Receiver, Sender, channel};
use arbitrary::{Arbitrary, Unstructured};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use zokio_base::sync::std_atomic::{AtomicUsize, Ordering};

#[derive(Debug, Arbitrary)]
enum Step {
    Send(u8),
    Reserve,
    SendWithPermit,
    ReleasePermit,
    TryRecv(u8),
    PollRecv,
    PollRecvMany(u8),
    CloneSender,
    /// Through a weak handle.
    UpgradeSender,
    DropSender,
    Close,
}

/// A value that counts as long as it lives.
struct Value {
    number: usize,
    alive: Arc<AtomicUsize>,
}

impl Drop for Value {
    fn drop(&mut self) {
        let before = self.alive.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "dropped twice");
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct World {
    senders: Vec<Sender<Value>>,
    permits: Vec<OwnedPermit<Value>>,
    receiver: Receiver<Value>,
    capacity: usize,
    naive: VecDeque<usize>,
    is_closed: bool,
    next: usize,
    alive: Arc<AtomicUsize>,
    wakes: Arc<Wakes>,
    /// How often the receiver had been woken when it began to wait.
    waits_since: Option<usize>,
}

impl World {
    fn new(capacity: usize) -> Self {
        let (sender, receiver) = channel(capacity);
        Self {
            senders: vec![sender],
            permits: Vec::new(),
            receiver,
            capacity,
            naive: VecDeque::new(),
            is_closed: false,
            next: 0,
            alive: Arc::default(),
            wakes: Arc::default(),
            waits_since: None,
        }
    }

    fn value(&mut self) -> Value {
        self.alive.fetch_add(1, Ordering::Relaxed);
        self.next += 1;
        Value {
            number: self.next,
            alive: self.alive.clone(),
        }
    }

    fn room(&self) -> usize {
        self.capacity - self.naive.len() - self.permits.len()
    }

    /// Nothing will come any more.
    fn is_over(&self) -> bool {
        let no_more = self.is_closed || self.senders.is_empty();
        self.naive.is_empty() && self.permits.is_empty() && no_more
    }

    fn send(&mut self) {
        let value = self.value();
        let number = value.number;
        let Some(sender) = self.senders.first() else {
            return;
        };
        match sender.try_send(value) {
            Ok(()) => {
                assert!(!self.is_closed && self.room() > 0);
                self.naive.push_back(number);
            }
            Err(TrySendError::Full(value)) => {
                assert!(!self.is_closed && self.room() == 0);
                assert_eq!(value.number, number);
            }
            Err(TrySendError::Closed(_)) => assert!(self.is_closed),
        }
    }

    fn reserve(&mut self) {
        let Some(sender) = self.senders.pop() else {
            return;
        };
        match sender.try_reserve_owned() {
            Ok(permit) => {
                assert!(!self.is_closed && self.room() > 0);
                self.permits.push(permit);
            }
            Err(TrySendError::Full(sender)) => {
                assert!(!self.is_closed && self.room() == 0);
                self.senders.push(sender);
            }
            Err(TrySendError::Closed(sender)) => {
                assert!(self.is_closed);
                self.senders.push(sender);
            }
        }
    }

    fn use_permit(&mut self, sends: bool) {
        let Some(permit) = self.permits.pop() else {
            return;
        };
        let sender = if sends {
            let value = self.value();
            self.naive.push_back(value.number);
            permit.send(value)
        } else {
            permit.release()
        };
        self.senders.push(sender);
    }

    fn try_recv(&mut self) {
        match self.receiver.try_recv() {
            Ok(value) => assert_eq!(Some(value.number), self.naive.pop_front()),
            Err(TryRecvError::Empty) => assert!(self.naive.is_empty() && !self.is_over()),
            Err(TryRecvError::Disconnected) => assert!(self.is_over()),
        }
    }

    fn poll_recv(&mut self) {
        let waker = Waker::from(self.wakes.clone());
        self.waits_since = None;
        match self.receiver.poll_recv(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(value)) => assert_eq!(Some(value.number), self.naive.pop_front()),
            Poll::Ready(None) => assert!(self.is_over()),
            Poll::Pending => {
                assert!(self.naive.is_empty() && !self.is_over());
                self.waits_since = Some(self.wakes.0.load(Ordering::Relaxed));
            }
        }
    }

    fn poll_recv_many(&mut self, limit: usize) {
        let waker = Waker::from(self.wakes.clone());
        self.waits_since = None;
        let mut values = Vec::new();
        let mut cx = Context::from_waker(&waker);
        match self.receiver.poll_recv_many(&mut cx, &mut values, limit) {
            Poll::Ready(count) => {
                assert_eq!(count, values.len());
                assert_eq!(count, limit.min(self.naive.len()));
                assert!(count > 0 || limit == 0 || self.is_over());
                for value in values {
                    assert_eq!(Some(value.number), self.naive.pop_front());
                }
            }
            Poll::Pending => {
                assert!(self.naive.is_empty() && !self.is_over());
                self.waits_since = Some(self.wakes.0.load(Ordering::Relaxed));
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send(count) => (0..count % 64).for_each(|_| self.send()),
            Step::Reserve => self.reserve(),
            Step::SendWithPermit => self.use_permit(true),
            Step::ReleasePermit => self.use_permit(false),
            Step::TryRecv(count) => (0..count % 64).for_each(|_| self.try_recv()),
            Step::PollRecv => self.poll_recv(),
            Step::PollRecvMany(limit) => self.poll_recv_many(usize::from(limit % 64)),
            Step::CloneSender => {
                if let (Some(sender), true) = (self.senders.first(), self.senders.len() < 64) {
                    self.senders.push(sender.clone());
                }
            }
            Step::UpgradeSender => {
                if let (Some(sender), true) = (self.senders.first(), self.senders.len() < 64) {
                    let weak = sender.downgrade();
                    self.senders.extend(weak.upgrade());
                }
            }
            Step::DropSender => drop(self.senders.pop()),
            Step::Close => {
                self.receiver.close();
                self.is_closed = true;
                // A receiver that closes it does not wait at that moment.
                self.waits_since = None;
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.receiver.len(), self.naive.len());
        assert_eq!(self.receiver.is_empty(), self.naive.is_empty());
        let handles = self.senders.len() + self.permits.len();
        assert_eq!(self.receiver.sender_strong_count(), handles);
        assert_eq!(self.alive.load(Ordering::Relaxed), self.naive.len());
        if let Some(sender) = self.senders.first().filter(|_| !self.is_closed) {
            assert_eq!(sender.capacity(), self.room());
        }
        if let Some(since) = self.waits_since {
            let woken = self.wakes.0.load(Ordering::Relaxed) > since;
            assert!(
                woken || (self.naive.is_empty() && !self.is_over()),
                "not woken"
            );
        }
    }

    fn finish(self) {
        let alive = self.alive.clone();
        drop(self);
        assert_eq!(alive.load(Ordering::Relaxed), 0, "values were lost");
    }
}

/// Runs the steps that `bytes` stand for.
///
/// # Panics
/// If the channel does something else than the queue.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok(capacity) = u8::arbitrary(&mut input) else {
        return;
    };
    let mut world = World::new(usize::from(capacity % 100) + 1);
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        world.step(step);
        world.check();
    }
    world.finish();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_channel_is_a_queue(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            super::run(&bytes);
        }
    }

    #[test]
    fn the_corpus_passes() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/channel");
        for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            println!("{}", file.path().display());
            super::run(&std::fs::read(file.path()).unwrap());
        }
    }
}
