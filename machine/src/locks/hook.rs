//! The machine's side of the book: requests in, answers out, one alarm, and numbers reserved in the store.
//!
//! Locks are no jobs: they do not hold up a stop, and while the daemon drains they go on as ever. When it stops, those who
//! wait are told, unless another program takes over in this process: then book and connections go to that one.

use std::collections::BTreeSet;

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::locks::handover::{HandedLocks, HandedParty};
use tally_protocol::locks::{Acquire, LockReply, LockRequest};
use tally_protocol::{ClientId, limits};

use super::Stamp;
use crate::Machine;
use crate::clients::Pending;
use crate::deadline::Alarm;
use crate::permission::Who;

impl Machine {
    fn stamp(&self) -> Stamp {
        Stamp { now: self.now, wall_ms: self.settings.wall_ms(self.now) }
    }

    /// A client asks something about locks.
    pub(crate) fn lock_said(&mut self, client: ClientId, who: Who, request: LockRequest) {
        let at = self.stamp();
        match request {
            LockRequest::Acquire(ask) => self.acquire(client, who, *ask),
            LockRequest::Release { fence } => {
                let reply = match self.locks.release(at, client, fence) {
                    Ok(()) => Reply::Lock(LockReply::Released),
                    Err(failure) => Reply::Refused(failure),
                };
                self.answer(client, reply);
            }
            LockRequest::Locks => {
                let (locks, inversions) = (self.locks.list(at, who), self.locks.inversions());
                self.answer(client, Reply::Lock(LockReply::Locks { locks, inversions }));
            }
            LockRequest::Deadlocks => {
                let deadlocks = self.locks.deadlocks(who);
                self.answer(client, Reply::Lock(LockReply::Deadlocks(deadlocks)));
            }
        }
        self.settle_locks();
    }

    fn acquire(&mut self, client: ClientId, who: Who, ask: Acquire) {
        if !self.phase.works() && !self.handing_over {
            return self.answer(client, Reply::Refused(stopping()));
        }
        self.provide_fences();
        self.wait_for(client, Pending::Lock);
        let at = self.stamp();
        self.locks.acquire(at, client, who, ask);
    }

    /// Nobody writes an idle daemon's store: numbers are reserved once somebody wants one.
    fn provide_fences(&mut self) {
        if !self.records() || !self.phase.works() {
            self.locks.fences.unbound();
        } else if let Some(to) = self.locks.fences.ask() {
            self.reserve_fences(to);
        }
    }

    /// A connection has ended.
    pub(crate) fn locker_gone(&mut self, client: ClientId) {
        let at = self.stamp();
        self.locks.gone(at, client);
        self.settle_locks();
    }

    /// A timeout or a time to live is over.
    pub(crate) fn locks_due(&mut self) {
        let at = self.stamp();
        self.locks.tick(at);
        self.settle_locks();
    }

    /// Fencing numbers below this one are reserved, or the store refuses to: the clock is left then, and enough.
    pub(crate) fn fences_reserved(&mut self, to: u64) {
        let at = self.stamp();
        self.locks.fences.reserved(to);
        self.locks.go_on(at);
        self.settle_locks();
    }

    /// Nothing is reserved any more.
    pub(crate) fn fences_unbound(&mut self) {
        let at = self.stamp();
        self.locks.fences.unbound();
        self.locks.go_on(at);
        self.settle_locks();
    }

    fn settle_locks(&mut self) {
        for (client, reply) in self.locks.take_told() {
            self.wait_for(client, Pending::Nothing);
            self.answer(client, reply);
        }
        match self.locks.next_due() {
            Some(due) => self.alarms.set(Alarm::Locks, due),
            None => self.alarms.clear(Alarm::Locks),
        }
    }

    /// Whether another program will go on when this one stops. Who was kept waiting for that hears if it will not.
    pub(crate) fn hand_over(&mut self, locks: bool) {
        self.handing_over = locks;
        if !self.phase.works() {
            self.send_lockers_away();
        }
    }

    /// The end is near: those who wait hear of it, unless somebody takes over.
    pub(crate) fn send_lockers_away(&mut self) {
        if !self.handing_over {
            self.locks.send_away(&stopping());
            self.settle_locks();
        }
    }

    /// Whether a connection holds or waits for a lock, or has an item of a queue, and must not make room for others.
    #[must_use]
    pub fn is_locker(&self, client: ClientId) -> bool {
        // Whoever has items is spared as long as that leaves room for others.
        let are_few = || self.objects.holders() + self.locks.parties() <= limits::LOCK_CLIENTS_MAX;
        self.locks.is_busy(client) || (self.objects.has_items(client) && are_few())
    }

    /// Locks, and items that somebody has, with their connections, for another program that takes over.
    #[must_use]
    pub fn hand_over_locks(&self) -> HandedLocks {
        let mut handed = self.locks.hand_over(self.stamp());
        handed.leases = self.objects.hand_over_leases(self.now);
        let known: BTreeSet<ClientId> = handed.parties.iter().map(|party| party.client).collect();
        let holders: BTreeSet<ClientId> = handed.leases.iter().map(|lease| lease.client).collect();
        handed.parties.extend(holders.difference(&known).copied().map(HandedParty::of));
        handed
    }

    /// Takes over what another program had. Its connections have come already; those that turn out to hold nothing are no
    /// lockers then.
    pub(crate) fn take_over_locks(&mut self, mut handed: HandedLocks) {
        let at = self.stamp();
        let leases = std::mem::take(&mut handed.leases);
        let clients = &self.clients;
        self.locks.take_over(at, handed, |client| clients.get(&client).map(|known| known.who.uid));
        let waiting: Vec<ClientId> =
            self.clients.keys().copied().filter(|&client| self.locks.waits(client)).collect();
        if !waiting.is_empty() {
            self.provide_fences();
        }
        for client in waiting {
            self.wait_for(client, Pending::Lock);
        }
        self.settle_locks();
        let clients = &self.clients;
        self.objects.take_leases(leases, self.now, |client| clients.contains_key(&client));
        self.host();
    }
}

fn stopping() -> Failure {
    Failure::new(ErrorCode::Stopping, "the daemon is stopping")
}
