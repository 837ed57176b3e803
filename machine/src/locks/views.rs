//! How the book is shown: lists, reports, and who is in the way of whom.

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::locks::Want;
use tally_protocol::locks::view::{
    DeadlockView, EdgeView, HeldView, HolderView, InversionView, LockMode, LockView, WaiterView, WantedView,
};
use tally_protocol::{ClientId, limits};

use super::graph::{Knot, waits_of};
use super::party::{Party, called, sees_commands_of};
use super::resource::{Hold, Resource, Wait};
use super::{Key, Locks, Stamp};
use crate::moment::Moment;
use crate::permission::Who;

/// How it is held or wanted, and how many permits of it.
pub(super) fn mode_of(want: Want) -> (LockMode, Option<u32>) {
    match want {
        Want::Exclusive => (LockMode::Exclusive, None),
        Want::Shared => (LockMode::Shared, None),
        Want::Permits { take, .. } => (LockMode::Permits, Some(take)),
    }
}

impl Locks {
    /// All that is held or waited for, by name.
    pub(crate) fn list(&self, at: Stamp, viewer: Who) -> Vec<LockView> {
        self.resources.iter().map(|(key, resource)| self.lock_view(at, viewer, key, resource)).collect()
    }

    fn lock_view(&self, at: Stamp, viewer: Who, key: &Key, resource: &Resource) -> LockView {
        LockView {
            name: key.name.clone(),
            kind: key.kind,
            permits: resource.permits,
            free: resource.permits.map(|permits| resource.usage.free(permits)),
            holders: resource
                .holders
                .iter()
                .filter_map(|hold| Some(holder_view(at, viewer, self.parties.get(&hold.client)?, hold)))
                .collect(),
            waiters: resource
                .queue
                .iter()
                .filter_map(|wait| Some(waiter_view(at, viewer, self.parties.get(&wait.client)?, wait)))
                .collect(),
        }
    }

    /// Orders of taking that contradict each other.
    pub(crate) fn inversions(&self) -> Vec<InversionView> {
        self.order.inversions()
    }

    /// Remembers what is asked for while what is held; returns what the asker is to be warned of.
    pub(super) fn note_order(
        &mut self,
        at: Stamp,
        client: ClientId,
        viewer: Who,
        key: &Key,
        want: Want,
    ) -> Vec<String> {
        let held: Vec<(Key, Want)> = self.held_around(client).map(|(_, _, held)| held.clone()).collect();
        let Some(party) = self.parties.get(&client).filter(|_| !held.is_empty()) else { return Vec::new() };
        let by = party.view();
        self.order.note(at.wall_ms, &held, (key, want), &by, viewer)
    }

    /// What a connection holds, and those under which it was started.
    fn held_around(&self, client: ClientId) -> impl Iterator<Item = (ClientId, u64, &(Key, Want))> {
        let chain = std::iter::successors(Some(client), |id| self.parties.get(id)?.parent);
        chain.flat_map(|id| {
            let holds = self.parties.get(&id).map(|party| &party.holds).into_iter().flatten();
            holds.map(move |(&fence, held)| (id, fence, held))
        })
    }

    /// Who is in the way, in a sentence.
    pub(super) fn in_the_way(&self, key: &Key, want: Want, viewer: Who) -> String {
        let Some(resource) = self.resources.get(key) else { return String::new() };
        let others = |count: usize| match count {
            0 | 1 => String::new(),
            2 => ", and one more".to_owned(),
            many => format!(", and {} more", many - 1),
        };
        let told = |client: ClientId| {
            let party = self.parties.get(&client);
            party.map_or_else(|| "somebody".to_owned(), |party| party.called(viewer))
        };
        if let Some(hold) = resource.holders.first().filter(|_| !resource.usage.admits(want)) {
            return format!("{} has it{}", told(hold.client), others(resource.holders.len()));
        }
        match resource.queue.front() {
            Some(wait) => format!("{} waits for it{}", told(wait.client), others(resource.queue.len())),
            None => "the store has not answered yet".to_owned(),
        }
    }

    /// Writes a deadlock down, as if the asker waited, and returns it.
    pub(super) fn report(&mut self, at: Stamp, key: &Key, knot: &Knot, asker: ClientId) -> DeadlockView {
        let waits = waits_of(self, knot, asker);
        let wanted: Vec<Key> = waits.iter().filter_map(|id| self.parties.get(id)?.waits.clone()).collect();
        let edges = waits.iter().take(limits::DEADLOCK_EDGES_MAX);
        let edges: Vec<EdgeView> = edges.filter_map(|&id| self.edge(id, &wanted)).collect();
        let more = waits.len().saturating_sub(edges.len()) as u64;
        let report = DeadlockView {
            at_ms: at.wall_ms,
            name: key.name.clone(),
            kind: key.kind,
            edges,
            more: (more > 0).then_some(more),
        };
        if self.reports.len() >= limits::DEADLOCKS_KEPT_MAX {
            self.reports.pop_front();
        }
        self.reports.push_back(report.clone());
        report
    }

    fn edge(&self, id: ClientId, wanted: &[Key]) -> Option<EdgeView> {
        let party = self.parties.get(&id)?;
        let key = party.waits.as_ref()?;
        let wait = self.resources.get(key)?.wait_of(id)?;
        let (mode, take) = mode_of(wait.want);
        let wants =
            WantedView { name: key.name.clone(), kind: key.kind, mode, take, since_ms: wait.since_ms };
        let holds = self
            .held_around(id)
            .filter(|(_, _, (held, _))| wanted.contains(held))
            .take(limits::DEADLOCK_HOLDS_MAX)
            .map(|(holder, fence, (held, want))| self.held_view(id, holder, fence, held, *want))
            .collect();
        Some(EdgeView { who: party.view(), holds, wants })
    }

    fn held_view(&self, waiter: ClientId, holder: ClientId, fence: u64, key: &Key, want: Want) -> HeldView {
        let (mode, take) = mode_of(want);
        let holds = self.resources.get(key).map(|resource| &resource.holders).into_iter().flatten();
        let since_ms = holds.into_iter().find(|hold| hold.fence == fence).map_or(0, |hold| hold.since_ms);
        let other = self.parties.get(&holder).filter(|_| holder != waiter);
        HeldView {
            name: key.name.clone(),
            kind: key.kind,
            mode,
            take,
            fence,
            since_ms,
            pid: other.and_then(|party| party.pid),
            uid: other.map(|party| party.uid),
            command: other.and_then(|party| party.command.clone()),
        }
    }

    /// What the asker of a deadlock is told: the first line says who is in the way and what that one waits for.
    pub(super) fn refuse_deadlock(&self, mut report: DeadlockView, viewer: Who) -> Failure {
        mask(&mut report, viewer);
        let count = report.edges.len() as u64 + report.more.unwrap_or(0);
        let why = match &report.edges[..] {
            [] | [_] => "it would wait for itself for ever".to_owned(),
            [_, next, ..] => {
                let next_is = called(&next.who);
                let what = match next.holds.is_empty() {
                    true => "is before it in the queue",
                    false => "has it",
                };
                let wants = &next.wants;
                format!("{next_is} {what} and waits for {} '{}'", wants.kind, wants.name)
            }
        };
        let message = format!("a deadlock of {count} {}: {why}", if count == 1 { "wait" } else { "waits" });
        let mut failure = Failure::new(ErrorCode::Deadlock, message);
        failure.deadlock = Some(Box::new(report));
        failure
    }

    /// The last deadlocks that were refused.
    pub(crate) fn deadlocks(&self, viewer: Who) -> Vec<DeadlockView> {
        let mut reports: Vec<DeadlockView> = self.reports.iter().cloned().collect();
        for report in &mut reports {
            mask(report, viewer);
        }
        reports
    }

    /// Grants and refused deadlocks there have been, for the figures.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.granted, self.refused)
    }

    /// Grants and waits there are, for the figures.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let held: usize = self.resources.values().map(|resource| resource.holders.len()).sum();
        let waiting: usize = self.resources.values().map(|resource| resource.queue.len()).sum();
        (held as u64, waiting as u64)
    }
}

/// Takes out of a report what this viewer may not see.
fn mask(report: &mut DeadlockView, viewer: Who) {
    for edge in &mut report.edges {
        if !sees_commands_of(viewer, edge.who.uid) {
            edge.who.command = None;
        }
        for held in &mut edge.holds {
            if held.uid.is_some_and(|uid| !sees_commands_of(viewer, uid)) {
                held.command = None;
            }
        }
    }
}

fn holder_view(at: Stamp, viewer: Who, party: &Party, hold: &Hold) -> HolderView {
    let (mode, take) = mode_of(hold.want);
    HolderView {
        who: party.view_for(viewer),
        mode,
        take,
        fence: hold.fence,
        since_ms: hold.since_ms,
        held_ms: at.wall_ms.saturating_sub(hold.since_ms),
        ttl_left_ms: hold.until.map(|until| left_ms(at, until)),
    }
}

fn waiter_view(at: Stamp, viewer: Who, party: &Party, wait: &Wait) -> WaiterView {
    let (mode, take) = mode_of(wait.want);
    WaiterView {
        who: party.view_for(viewer),
        mode,
        take,
        since_ms: wait.since_ms,
        waiting_ms: at.wall_ms.saturating_sub(wait.since_ms),
        timeout_left_ms: wait.until.map(|until| left_ms(at, until)),
    }
}

/// Until then, in milliseconds.
pub(super) fn left_ms(at: Stamp, until: Moment) -> u64 {
    until.since(at.now).as_ms()
}
