//! The book as it goes to another program of the daemon, in the same process, with its connections open.

use tally_protocol::ClientId;
use tally_protocol::limits;
use tally_protocol::locks::handover::{
    HandedHold, HandedLocks, HandedParty, HandedResource, HandedWait, VERSION,
};
use tally_protocol::locks::view::LockMode;
use tally_protocol::locks::{Acquire, Asker, Want, check_name};

use super::party::Party;
use super::resource::{Hold, Resource, Wait};
use super::views::{left_ms, mode_of};
use super::{Due, Key, Locks, Stamp};
use crate::moment::Span;

impl Locks {
    /// All of it, but for the bytes of the connections, which whoever reads them fills in.
    pub(crate) fn hand_over(&self, at: Stamp) -> HandedLocks {
        let busy = self.parties.iter().filter(|(_, party)| party.is_busy());
        HandedLocks {
            version: VERSION,
            next_fence: self.fences.next,
            parties: busy.map(|(&client, party)| handed_party(client, party)).collect(),
            resources: self.resources.iter().map(|(key, one)| handed_resource(at, key, one)).collect(),
            reports: self.reports.iter().cloned().collect(),
            orders: self.order.hand_over(),
            inversions: self.order.inversions(),
            leases: Vec::new(),
        }
    }

    /// Takes over what another program had. Every connection named is there, and has the user `uid_of` says; what fits
    /// together is believed, and what does not is left out.
    pub(crate) fn take_over(
        &mut self,
        at: Stamp,
        handed: HandedLocks,
        uid_of: impl Fn(ClientId) -> Option<u32>,
    ) {
        self.fences.skip_to(handed.next_fence);
        self.reports = handed.reports.into_iter().take(limits::DEADLOCKS_KEPT_MAX).collect();
        self.order.take_over(handed.orders, handed.inversions);
        for one in handed.parties {
            if let Some(uid) = uid_of(one.client) {
                self.parties.insert(one.client, taken_party(uid, one));
            }
        }
        self.link_parties();
        for resource in handed.resources {
            self.take_resource(at, resource);
        }
        let idle: Vec<ClientId> =
            self.parties.iter().filter(|(_, party)| !party.is_busy()).map(|(&id, _)| id).collect();
        for client in idle {
            if let Some(party) = self.parties.remove(&client) {
                self.orphan(client, &party);
            }
        }
        self.go_on(at);
    }

    fn link_parties(&mut self) {
        let links: Vec<_> = self.parties.iter().map(|(&id, party)| (id, party.parent, party.token)).collect();
        for (id, parent, token) in links {
            if let Some(token) = token {
                self.tokens.insert(token, id);
            }
            let parent = parent.filter(|&parent| !self.is_under(parent, id));
            match parent.and_then(|parent| self.parties.get_mut(&parent)) {
                Some(elder) => {
                    elder.children.insert(id);
                }
                None => {
                    if let Some(party) = self.parties.get_mut(&id) {
                        party.parent = None;
                    }
                }
            }
        }
    }

    /// Whether a connection is another one or was started under it.
    fn is_under(&self, client: ClientId, elder: ClientId) -> bool {
        let chain = std::iter::successors(Some(client), |id| self.parties.get(id)?.parent);
        chain.take(self.parties.len() + 1).any(|id| id == elder)
    }

    fn take_resource(&mut self, at: Stamp, handed: HandedResource) {
        let key = Key { kind: handed.kind, name: handed.name };
        if check_name(&key.name).is_err() || self.resources.len() >= limits::LOCK_NAMES_MAX {
            return;
        }
        let mut resource = Resource { permits: handed.permits, ..Resource::default() };
        for one in handed.holders {
            self.take_hold(at, &key, &mut resource, one);
        }
        for one in handed.queue {
            self.take_wait(at, &key, &mut resource, one);
        }
        if !resource.is_idle() {
            self.resources.insert(key, resource);
        }
    }

    fn take_hold(&mut self, at: Stamp, key: &Key, resource: &mut Resource, one: HandedHold) {
        let HandedHold { client, mode, take, fence, since_ms, ttl_left_ms } = one;
        let Some(want) = want_of(key, mode, take, resource.permits) else { return };
        let in_order = resource.holders.last().is_none_or(|last| last.fence < fence);
        let Some(party) = self.parties.get_mut(&client) else { return };
        if !resource.usage.admits(want) || !in_order || fence >= self.fences.next {
            return;
        }
        let until = ttl_left_ms.map(|ms| at.now + Span::ms(ms));
        party.holds.insert(fence, (key.clone(), want));
        *self.held_by.entry(party.uid).or_insert(0) += 1;
        resource.usage.add(want);
        resource.holders.push(Hold { client, want, fence, since_ms, until });
        if let Some(until) = until {
            self.due.insert((until, Due::End(client, fence)));
        }
    }

    fn take_wait(&mut self, at: Stamp, key: &Key, resource: &mut Resource, one: HandedWait) {
        let HandedWait { client, mode, take, since_ms, timeout_ms, timeout_left_ms, ttl_ms, warnings } = one;
        let Some(want) = want_of(key, mode, take, resource.permits) else { return };
        let Some(party) = self.parties.get_mut(&client).filter(|party| party.waits.is_none()) else { return };
        party.waits = Some(key.clone());
        let until = timeout_left_ms.map(|ms| at.now + Span::ms(ms));
        if let Some(until) = until {
            self.due.insert((until, Due::Timeout(client)));
        }
        let (timeout, ttl) = (timeout_ms.map(Span::ms), ttl_ms.map(Span::ms));
        resource.queue.push_back(Wait { client, want, since_ms, until, timeout, ttl, warnings });
    }
}

fn handed_party(client: ClientId, party: &Party) -> HandedParty {
    HandedParty {
        client,
        pid: party.pid,
        command: party.command.clone(),
        token: party.token,
        parent: party.parent,
        waits: party.waits.is_some(),
        incoming: Vec::new(),
        outgoing: Vec::new(),
    }
}

fn taken_party(uid: u32, one: HandedParty) -> Party {
    let asker = Asker { pid: one.pid, name: None, token: one.token };
    let ask = Acquire { command: one.command, asker, ..Acquire::new("", Want::Exclusive) };
    Party { parent: one.parent, ..Party::new(uid, &ask) }
}

fn handed_resource(at: Stamp, key: &Key, resource: &Resource) -> HandedResource {
    HandedResource {
        name: key.name.clone(),
        kind: key.kind,
        permits: resource.permits,
        holders: resource.holders.iter().map(|hold| handed_hold(at, hold)).collect(),
        queue: resource.queue.iter().map(|wait| handed_wait(at, wait)).collect(),
    }
}

fn handed_hold(at: Stamp, hold: &Hold) -> HandedHold {
    let (mode, take) = mode_of(hold.want);
    HandedHold {
        client: hold.client,
        mode,
        take,
        fence: hold.fence,
        since_ms: hold.since_ms,
        ttl_left_ms: hold.until.map(|until| left_ms(at, until)),
    }
}

fn handed_wait(at: Stamp, wait: &Wait) -> HandedWait {
    let (mode, take) = mode_of(wait.want);
    HandedWait {
        client: wait.client,
        mode,
        take,
        since_ms: wait.since_ms,
        timeout_ms: wait.timeout.map(Span::as_ms),
        timeout_left_ms: wait.until.map(|until| left_ms(at, until)),
        ttl_ms: wait.ttl.map(Span::as_ms),
        warnings: wait.warnings.clone(),
    }
}

/// What was wanted, if that can be wanted of such a thing.
fn want_of(key: &Key, mode: LockMode, take: Option<u32>, permits: Option<u32>) -> Option<Want> {
    let want = match (mode, take, permits) {
        (LockMode::Exclusive, None, None) => Want::Exclusive,
        (LockMode::Shared, None, None) => Want::Shared,
        (LockMode::Permits, Some(take), Some(of)) if (1..=of).contains(&take) => Want::Permits { of, take },
        (LockMode::Exclusive | LockMode::Shared | LockMode::Permits, _, _) => return None,
    };
    (want.kind() == key.kind).then_some(want)
}
