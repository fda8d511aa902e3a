//! The work of a driver for its peers, and theirs for it: the steps of `poll::watch`, on sets.

use crate::driver::WorkerDriver;
use crate::poll::set::{Drained, Peers};
use crate::poll::watch::GUARD_DELAY;
use std::io;
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::park::WakeSink;

impl WorkerDriver {
    /// Waits in the worker's set, as the guard of the others' if nobody else is.
    pub(crate) fn wait<S: WakeSink>(
        &self,
        timeout: Option<Duration>,
        sink: &mut S,
    ) -> io::Result<Drained> {
        let set = self.handle().set(self.index());
        let may_wait = || !self.handle().is_running(self.index());
        if self.handle().workers() == 1 {
            return set.wait(timeout, may_wait, sink);
        }
        self.leave_sets();
        let watch = self.handle().watch();
        let is_running = |peer| self.handle().is_running(peer);
        let drained = if watch.take_role(self.index(), is_running) {
            self.stand_guard(timeout, sink)
        } else {
            set.wait(timeout, may_wait, sink)
        };
        // The role may have come while this worker waited.
        watch.pass_role(self.index(), || {
            self.peers().find(|&peer| !is_running(peer))
        });
        drained
    }

    fn stand_guard<S: WakeSink>(
        &self,
        timeout: Option<Duration>,
        sink: &mut S,
    ) -> io::Result<Drained> {
        let set = self.handle().set(self.index());
        let may_wait = || !self.handle().is_running(self.index());
        let watches_all = !self.has_unwatched_peer();
        if watches_all || timeout.is_some_and(|timeout| timeout <= GUARD_DELAY) {
            return set.wait(timeout, may_wait, sink);
        }
        // A time that does not fit the clock never comes.
        let deadline = timeout.and_then(|timeout| clock::real_now().checked_add(timeout));
        let mut delay = Some(GUARD_DELAY);
        loop {
            let left = deadline.map(left_until);
            let turn = match (delay, left) {
                (Some(delay), Some(left)) => Some(delay.min(left)),
                (delay, left) => delay.or(left),
            };
            let drained = set.wait(turn, may_wait, sink)?;
            let is_over = left.is_some_and(|left| turn.is_none_or(|turn| turn >= left));
            if drained.any() || is_over {
                return Ok(drained);
            }
            let (woken, all_nested) = self.look_after_peers(sink);
            if woken {
                return Ok(drained);
            }
            delay = (!all_nested).then_some(GUARD_DELAY);
        }
    }

    /// Whether a peer runs whose set is not nested in this worker's.
    fn has_unwatched_peer(&self) -> bool {
        let watch = self.handle().watch();
        self.peers()
            .any(|peer| self.handle().is_running(peer) && !watch.is_nested(peer, self.index()))
    }

    fn peers(&self) -> impl Iterator<Item = usize> {
        let own = self.index();
        (0..self.handle().workers()).filter(move |&peer| peer != own)
    }

    /// Nests the sets of running peers, and drains those that cannot be nested. Returns whether
    /// that woke anybody, and whether all could be nested.
    fn look_after_peers<S: WakeSink>(&self, sink: &mut S) -> (bool, bool) {
        let (mut woken, mut all_nested) = (false, true);
        for peer in self.peers() {
            if !self.handle().is_running(peer) {
                continue;
            }
            let (own_set, peer_set) = (self.handle().set(self.index()), self.handle().set(peer));
            let nested = self
                .handle()
                .watch()
                .enter(peer, self.index(), || own_set.nest(peer_set, peer));
            if nested.is_err() {
                all_nested = false;
                woken |= self.handle().service(peer, sink);
            }
        }
        (woken, all_nested)
    }

    /// This worker has been running for a while: the guard may want to know. Returns whether the
    /// guard waits, and watches this worker's set.
    pub(crate) fn ask_to_be_watched(&self) -> bool {
        let watch = self.handle().watch();
        let Some(guard) = watch.guard() else {
            return false;
        };
        if guard == self.index() || self.handle().is_running(guard) {
            return false;
        }
        let (own_set, guard_set) = (self.handle().set(self.index()), self.handle().set(guard));
        // Where sets cannot be nested the guard looks by itself.
        let nested = watch.enter(self.index(), guard, || {
            guard_set.nest(own_set, self.index())
        });
        nested.is_ok()
    }

    /// Nobody needs to watch a worker that waits.
    fn leave_sets(&self) {
        let own_set = self.handle().set(self.index());
        let take_out = |guard: usize| self.handle().set(guard).take_out(own_set);
        self.handle().watch().leave(self.index(), None, take_out);
    }

    /// Drains the sets of peers that are nested in this worker's and have events.
    pub(crate) fn drain_peers<S: WakeSink>(&self, mut peers: Peers, sink: &mut S) {
        while peers != 0 {
            let peer = peers.trailing_zeros() as usize;
            peers &= peers - 1;
            if self.handle().is_running(peer) {
                self.handle().service(peer, sink);
            } else {
                // It waits itself (invariant 2 of `poll::watch`).
                let (own_set, peer_set) =
                    (self.handle().set(self.index()), self.handle().set(peer));
                let take_out = |_| own_set.take_out(peer_set);
                self.handle()
                    .watch()
                    .leave(peer, Some(self.index()), take_out);
            }
        }
    }
}

fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(clock::real_now())
}
