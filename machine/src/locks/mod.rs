//! The book of named locks and semaphores: who holds what, who waits, in which order.
//!
//! | what happens              | what follows                                                                        |
//! |---------------------------|-------------------------------------------------------------------------------------|
//! | asked for, free, no queue | granted                                                                             |
//! | asked for, not free       | refused (nonblock), refused (to wait would close a cycle of waits), or queued       |
//! | released, time to live    | the next of the queue get it, in order                                              |
//! | timeout                   | refused; the next may get what it was in the way of                                 |
//! | connection gone           | it holds and wants nothing any more; the next of every queue get it                 |
//!
//! First come, first served: nobody is granted anything while somebody waits in front, readers behind a waiting writer
//! included. Every grant has a fencing number (`fences`). Whether a wait may begin is found out in `graph`; `order` warns
//! of orders of taking that contradict each other; `hook` is the machine's side. A name without holders and waiters is not
//! kept. Nothing here depends on what a client says of itself but its token, which nobody else can know.

mod fences;
mod graph;
mod handover;
mod hook;
mod order;
mod party;
mod resource;
mod views;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::locks::view::{DeadlockView, GrantView};
use tally_protocol::locks::{Acquire, LockKind, LockReply, LockToken, Patience, Want};
use tally_protocol::spoken;
use tally_protocol::{ClientId, limits};

use crate::moment::{Moment, Span};
use crate::permission::{Rights, Who};

pub(crate) use fences::Fences;
use order::Order;
use party::Party;
use resource::{Hold, Resource, Wait};

/// What can be held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: LockKind,
    name: String,
}

/// A point in time, as the machine counts and as people do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) now: Moment,
    /// Unix milliseconds.
    pub(crate) wall_ms: u64,
}

/// What is due at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A client has waited long enough.
    Timeout(ClientId),
    /// A grant has lived long enough.
    End(ClientId, u64),
}

/// The book.
#[derive(Clone, Debug)]
pub(crate) struct Locks {
    resources: BTreeMap<Key, Resource>,
    /// Connections that have asked for something.
    parties: BTreeMap<ClientId, Party>,
    tokens: BTreeMap<LockToken, ClientId>,
    due: BTreeSet<(Moment, Due)>,
    pub(crate) fences: Fences,
    order: Order,
    /// Refused deadlocks, the oldest first.
    reports: VecDeque<DeadlockView>,
    /// Grants of each user that has any.
    held_by: BTreeMap<u32, usize>,
    /// Answers that have not been fetched.
    told: Vec<(ClientId, Reply)>,
    granted: u64,
    refused: u64,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} '{}'", self.kind, self.name)
    }
}

impl Locks {
    /// Nothing is held.
    pub(crate) fn new(fences: Fences) -> Self {
        Self {
            resources: BTreeMap::new(),
            parties: BTreeMap::new(),
            tokens: BTreeMap::new(),
            due: BTreeSet::new(),
            fences,
            order: Order::default(),
            reports: VecDeque::new(),
            held_by: BTreeMap::new(),
            told: Vec::new(),
            granted: 0,
            refused: 0,
        }
    }

    /// A client asks to hold something. The answer, now or later, is among those that `take_told` returns.
    pub(crate) fn acquire(&mut self, at: Stamp, client: ClientId, who: Who, ask: Acquire) {
        let key = Key { kind: ask.want.kind(), name: ask.name.clone() };
        if let Err(failure) = self.ask(at, client, who, &key, ask) {
            let failure = about(&key, failure);
            self.told.push((client, Reply::Refused(failure)));
        }
        self.tidy(&key);
    }

    fn ask(&mut self, at: Stamp, client: ClientId, who: Who, key: &Key, ask: Acquire) -> Result<(), Failure> {
        self.has_room(client, who, key, ask.want)?;
        let resource = self.resources.entry(key.clone()).or_insert_with(|| Resource::of(ask.want));
        resource.fits(ask.want)?;
        let free = resource.queue.is_empty() && resource.usage.admits(ask.want);
        self.introduce(client, who, &ask);
        if ask.patience == Patience::None && !free {
            let why = self.in_the_way(key, ask.want, who);
            return Err(Failure::new(ErrorCode::Busy, why));
        }
        // Who does not wait closes no cycle, and does not have to keep to an order.
        let warnings = match ask.patience {
            Patience::None => Vec::new(),
            Patience::Endless | Patience::Ms(_) => self.note_order(at, client, who, key, ask.want),
        };
        let timeout = match ask.patience {
            Patience::None | Patience::Endless => None,
            Patience::Ms(ms) => Some(Span::ms(ms)),
        };
        let until = timeout.map(|timeout| at.now + timeout);
        let ttl = ask.ttl_ms.map(Span::ms);
        let wait = Wait { client, want: ask.want, since_ms: at.wall_ms, until, timeout, ttl, warnings };
        self.enqueue(key, wait);
        if !free && let Some(knot) = graph::stuck(self, client) {
            let report = self.report(at, key, &knot, client);
            self.dequeue(client);
            self.refused += 1;
            return Err(self.refuse_deadlock(report, who));
        }
        self.pump(at, key);
        Ok(())
    }

    /// Whether this client, its user and the book can take one more.
    fn has_room(&self, client: ClientId, who: Who, key: &Key, want: Want) -> Result<(), Failure> {
        let too_many = |why: String| Err(Failure::new(ErrorCode::TooMany, why));
        if !self.resources.contains_key(key) && self.resources.len() >= limits::LOCK_NAMES_MAX {
            return too_many(format!("{} names are in use, the most there can be", limits::LOCK_NAMES_MAX));
        }
        let party = self.parties.get(&client);
        if !party.is_some_and(Party::is_busy) {
            let busy = self.parties.values().filter(|party| party.is_busy()).count();
            if busy >= limits::LOCK_CLIENTS_MAX {
                return too_many(format!(
                    "{busy} connections hold or wait for something, the most there can be"
                ));
            }
        }
        if party.is_some_and(|party| party.holds.len() >= limits::LOCK_HOLDS_PER_CLIENT_MAX) {
            let most = limits::LOCK_HOLDS_PER_CLIENT_MAX;
            return too_many(format!("this connection holds {most} already, the most that one can"));
        }
        let bounded = who.uid != 0 && who.rights < Rights::Operate;
        if bounded && self.held_by.get(&who.uid).is_some_and(|&held| held >= limits::LOCK_HOLDS_PER_USER_MAX)
        {
            let most = limits::LOCK_HOLDS_PER_USER_MAX;
            return too_many(format!("user {} holds {most} already, the most that one can", who.uid));
        }
        debug_assert_eq!(key.kind, want.kind());
        Ok(())
    }

    /// Makes the acquaintance of a connection when it first asks; whose it is and what it belongs to does not change.
    fn introduce(&mut self, client: ClientId, who: Who, ask: &Acquire) {
        let parent = ask.within.and_then(|token| self.tokens.get(&token)).copied();
        if let Some(party) = self.parties.get_mut(&client) {
            party.command = ask.command.clone().or_else(|| party.command.take());
            return;
        }
        let mut party = Party::new(who.uid, ask);
        if let Some(parent) = parent
            && let Some(elder) = self.parties.get_mut(&parent)
        {
            elder.children.insert(client);
            party.parent = Some(parent);
        }
        if let Some(token) = party.token
            && self.tokens.insert(token, client).is_some()
        {
            // Two of 2^128 are the same, or somebody has made one up: nobody is to be taken for another.
            self.tokens.remove(&token);
            party.token = None;
        }
        self.parties.insert(client, party);
    }

    fn enqueue(&mut self, key: &Key, wait: Wait) {
        let client = wait.client;
        if let Some(until) = wait.until {
            self.due.insert((until, Due::Timeout(client)));
        }
        if let Some(party) = self.parties.get_mut(&client) {
            party.waits = Some(key.clone());
        }
        if let Some(resource) = self.resources.get_mut(key) {
            resource.queue.push_back(wait);
        }
    }

    /// Takes a client out of the queue it stands in; says which.
    fn dequeue(&mut self, client: ClientId) -> Option<Key> {
        let key = self.parties.get_mut(&client)?.waits.take()?;
        let resource = self.resources.get_mut(&key)?;
        let at = resource.queue.iter().position(|wait| wait.client == client)?;
        let wait = resource.queue.remove(at)?;
        if let Some(until) = wait.until {
            self.due.remove(&(until, Due::Timeout(client)));
        }
        Some(key)
    }

    /// Grants to the first of the queue for as long as they fit.
    fn pump(&mut self, at: Stamp, key: &Key) {
        while let Some(resource) = self.resources.get_mut(key) {
            let Some(first) = resource.queue.front() else { return };
            if !resource.usage.admits(first.want) {
                return;
            }
            let Some(fence) = self.fences.take() else { return };
            let Some(wait) = resource.queue.pop_front() else { return };
            self.grant(at, key, wait, fence);
        }
    }

    fn grant(&mut self, at: Stamp, key: &Key, wait: Wait, fence: u64) {
        let Wait { client, want, since_ms, until, ttl, warnings, .. } = wait;
        if let Some(until) = until {
            self.due.remove(&(until, Due::Timeout(client)));
        }
        let end = ttl.map(|ttl| at.now + ttl);
        if let Some(end) = end {
            self.due.insert((end, Due::End(client, fence)));
        }
        let Some(resource) = self.resources.get_mut(key) else { return };
        resource.usage.add(want);
        resource.holders.push(Hold { client, want, fence, since_ms: at.wall_ms, until: end });
        let Some(party) = self.parties.get_mut(&client) else { return };
        self.granted += 1;
        party.waits = None;
        party.holds.insert(fence, (key.clone(), want));
        *self.held_by.entry(party.uid).or_insert(0) += 1;
        let (mode, take) = views::mode_of(want);
        let grant = GrantView {
            name: key.name.clone(),
            kind: key.kind,
            mode,
            take,
            fence,
            token: party.token,
            waited_ms: at.wall_ms.saturating_sub(since_ms),
            ttl_ms: ttl.map(Span::as_ms),
            warnings,
        };
        self.told.push((client, Reply::Lock(LockReply::Granted(grant))));
    }

    /// Gives one grant back.
    ///
    /// # Errors
    /// When the client has none of that number.
    pub(crate) fn release(&mut self, at: Stamp, client: ClientId, fence: u64) -> Result<(), Failure> {
        let Some(key) = self.let_go(client, fence) else {
            let why = format!("could not release {fence}: this connection holds nothing of that number");
            return Err(Failure::new(ErrorCode::WrongState, why));
        };
        self.pump(at, &key);
        self.tidy(&key);
        Ok(())
    }

    fn let_go(&mut self, client: ClientId, fence: u64) -> Option<Key> {
        let party = self.parties.get_mut(&client)?;
        let (key, _) = party.holds.remove(&fence)?;
        if let Some(held) = self.held_by.get_mut(&party.uid) {
            *held -= 1;
            if *held == 0 {
                self.held_by.remove(&party.uid);
            }
        }
        if let Some(resource) = self.resources.get_mut(&key)
            && let Some(hold) = resource.drop_holder(fence)
            && let Some(end) = hold.until
        {
            self.due.remove(&(end, Due::End(client, fence)));
        }
        Some(key)
    }

    /// A connection has ended: all that it held is free, in the order of its numbers.
    pub(crate) fn gone(&mut self, at: Stamp, client: ClientId) {
        let Some(party) = self.parties.get(&client) else { return };
        let fences: Vec<u64> = party.holds.keys().copied().collect();
        let waited = self.dequeue(client);
        let held: Vec<Key> = fences.into_iter().filter_map(|fence| self.let_go(client, fence)).collect();
        if let Some(party) = self.parties.remove(&client) {
            self.orphan(client, &party);
        }
        for key in held.into_iter().chain(waited) {
            self.pump(at, &key);
            self.tidy(&key);
        }
    }

    /// What was started under a connection that has ended stands for itself from now on: whoever still had a copy of its
    /// descriptor would have kept it.
    fn orphan(&mut self, client: ClientId, party: &Party) {
        if let Some(token) = party.token {
            self.tokens.remove(&token);
        }
        for child in &party.children {
            if let Some(child) = self.parties.get_mut(child) {
                child.parent = None;
            }
        }
        if let Some(parent) = party.parent.and_then(|parent| self.parties.get_mut(&parent)) {
            parent.children.remove(&client);
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, at: Stamp) {
        while let Some(&(due, what)) = self.due.first() {
            if due > at.now {
                return;
            }
            self.due.pop_first();
            match what {
                Due::Timeout(client) => self.timed_out(at, client),
                Due::End(client, fence) => {
                    // The client is not told: it may be doing anything. Its number is how others know that it is late.
                    drop(self.release(at, client, fence));
                }
            }
        }
    }

    fn timed_out(&mut self, at: Stamp, client: ClientId) {
        let Some(party) = self.parties.get(&client) else { return };
        let (Some(key), viewer) = (party.waits.clone(), Who { uid: party.uid, rights: Rights::Own }) else {
            return;
        };
        let wait = self.resources.get(&key).and_then(|resource| resource.wait_of(client));
        let Some((want, timeout)) = wait.map(|wait| (wait.want, wait.timeout)) else { return };
        let waited = spoken::time(timeout.unwrap_or_default().as_ms());
        // It was not in its own way.
        self.dequeue(client);
        let why = format!("it was not free within {waited}: {}", self.in_the_way(&key, want, viewer));
        let failure = about(&key, Failure::new(ErrorCode::TimedOut, why));
        self.told.push((client, Reply::Refused(failure)));
        self.pump(at, &key);
        self.tidy(&key);
    }

    /// Numbers can be given out again: the queues that waited for that go on.
    pub(crate) fn go_on(&mut self, at: Stamp) {
        let keys: Vec<Key> = self
            .resources
            .iter()
            .filter(|(_, resource)| !resource.queue.is_empty())
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.pump(at, &key);
        }
    }

    /// All who wait hear why they will wait in vain.
    pub(crate) fn send_away(&mut self, failure: &Failure) {
        let waiting: Vec<ClientId> =
            self.parties.iter().filter(|(_, party)| party.waits.is_some()).map(|(&id, _)| id).collect();
        for client in waiting {
            let Some(key) = self.dequeue(client) else { continue };
            self.told.push((client, Reply::Refused(about(&key, failure.clone()))));
            self.tidy(&key);
        }
    }

    /// A name that nobody holds or waits for is not kept.
    fn tidy(&mut self, key: &Key) {
        if self.resources.get(key).is_some_and(Resource::is_idle) {
            self.resources.remove(key);
        }
    }

    /// Answers since the last time, in order.
    pub(crate) fn take_told(&mut self) -> Vec<(ClientId, Reply)> {
        std::mem::take(&mut self.told)
    }

    /// When `tick` has something to do next.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Connections that are known.
    pub(crate) fn parties(&self) -> usize {
        self.parties.len()
    }

    /// Whether a connection holds or waits for something, so that it must not be closed for want of room.
    pub(crate) fn is_busy(&self, client: ClientId) -> bool {
        self.parties.get(&client).is_some_and(Party::is_busy)
    }

    /// Whether a client waits.
    pub(crate) fn waits(&self, client: ClientId) -> bool {
        self.parties.get(&client).is_some_and(|party| party.waits.is_some())
    }

    /// Panics unless the book is in order.
    pub(crate) fn check(&self) {
        for (key, resource) in &self.resources {
            resource.check(key);
            for hold in &resource.holders {
                let held = self.parties.get(&hold.client).and_then(|party| party.holds.get(&hold.fence));
                assert_eq!(held, Some(&(key.clone(), hold.want)), "{key}: a holder that does not know it");
                assert!(hold.fence < self.fences.next, "{key}: a number from the future");
            }
            for wait in &resource.queue {
                let party = self.parties.get(&wait.client);
                assert_eq!(party.and_then(|party| party.waits.as_ref()), Some(key), "{key}: a waiter");
            }
            let stalled = resource.queue.front().is_some_and(|first| resource.usage.admits(first.want));
            assert!(!stalled || self.fences.is_dry(), "{key} is free and somebody waits");
        }
        for (id, party) in &self.parties {
            let known = |key: &Key| self.resources.contains_key(key);
            assert!(party.holds.values().all(|(key, _)| known(key)), "c{id} holds what is not there");
            assert!(party.waits.as_ref().is_none_or(known), "c{id} waits for what is not there");
            for child in &party.children {
                assert_eq!(self.parties.get(child).and_then(|child| child.parent), Some(*id), "c{id}");
            }
        }
        let held: usize = self.parties.values().map(|party| party.holds.len()).sum();
        let holders: usize = self.resources.values().map(|resource| resource.holders.len()).sum();
        assert_eq!(held, holders, "grants and holders");
        assert_eq!(held, self.held_by.values().sum::<usize>(), "grants and users");
        for &(_, due) in &self.due {
            match due {
                Due::Timeout(client) => assert!(self.waits(client), "a timeout of nobody's"),
                Due::End(client, fence) => {
                    let party = self.parties.get(&client);
                    assert!(party.is_some_and(|party| party.holds.contains_key(&fence)), "an end of nothing");
                }
            }
        }
    }
}

/// What could not be done to what.
fn about(key: &Key, failure: Failure) -> Failure {
    Failure { message: format!("could not take {key}: {}", failure.message), ..failure }
}
