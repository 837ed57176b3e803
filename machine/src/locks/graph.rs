//! Who waits for whom, and whether a wait can ever end.
//!
//! A wait for a lock ends when all who are in its way have gone (AND); one for permits when enough of them have (OR of
//! many). So the question is not whether there is a cycle but whether the graph can be reduced: whoever waits for nothing
//! can finish and gives back all it has, with that the first of each queue get what they wait for, and so on. Who is left
//! over can never go on. (Holt, "Some deadlock properties of computer systems", 1972; the rule of the queues, nobody
//! overtakes, is part of the graph here.)
//!
//! A connection cannot finish before those that were started under it (`Party::parent`): `tally lock A -- tally lock B`
//! are two connections, and A is free only when the command under B has ended.
//!
//! It is looked at only when somebody begins to wait, and only as far as that one depends on. No other event makes a
//! deadlock: to release, to go and to give up only ever lets others go on, and who is granted something waits no more.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tally_protocol::ClientId;

use super::resource::Usage;
use super::{Key, Locks, Want};

/// Those who can never go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Knot {
    stuck: BTreeSet<ClientId>,
    /// Those among them who wait in a queue, and not only for what was started under them.
    waiting: BTreeSet<ClientId>,
}

/// Those who could never go on, if this client, which stands last in its queue, waited there; `None` if it can get what
/// it wants.
pub(super) fn stuck(locks: &Locks, asker: ClientId) -> Option<Knot> {
    let scene = Scene::around(locks, asker);
    let mut reduction = Reduction::of(locks, &scene);
    reduction.run();
    let left = reduction.nodes.iter().filter(|(_, node)| !node.done);
    let stuck: BTreeSet<ClientId> = left.clone().map(|(&id, _)| id).collect();
    let waiting = left.filter(|(_, node)| !node.free).map(|(&id, _)| id).collect();
    stuck.contains(&asker).then_some(Knot { stuck, waiting })
}

/// All that one wait depends on.
#[derive(Debug, Default)]
struct Scene<'a> {
    clients: BTreeSet<ClientId>,
    /// How many of each queue, from its front.
    queues: BTreeMap<&'a Key, usize>,
}

impl<'a> Scene<'a> {
    fn around(locks: &'a Locks, asker: ClientId) -> Self {
        let mut scene = Self::default();
        let mut open = vec![asker];
        while let Some(id) = open.pop() {
            let Some(party) = locks.parties.get(&id) else { continue };
            if scene.clients.insert(id) {
                open.extend(&party.children);
            }
            let Some(key) = &party.waits else { continue };
            let Some(resource) = locks.resources.get(key) else { continue };
            let seen = scene.queues.get(key).copied();
            // Who is within what was seen of its queue has been walked from.
            let front = resource.queue.iter().skip(seen.unwrap_or(0));
            let Some(beyond) = front.clone().position(|wait| wait.client == id) else { continue };
            if seen.is_none() {
                open.extend(resource.holders.iter().map(|hold| hold.client));
            }
            scene.queues.insert(key, seen.unwrap_or(0) + beyond + 1);
            open.extend(front.take(beyond).map(|wait| wait.client));
        }
        scene
    }
}

/// One connection in a reduction.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// It waits for nothing, or would get it.
    free: bool,
    /// Those started under it that are not done.
    children: usize,
    done: bool,
}

/// One queue in a reduction.
#[derive(Clone, Copy, Debug)]
struct Queue {
    usage: Usage,
    /// How many of it have been served.
    served: usize,
    /// How many of it matter.
    length: usize,
}

struct Reduction<'a> {
    locks: &'a Locks,
    nodes: BTreeMap<ClientId, Node>,
    queues: BTreeMap<&'a Key, Queue>,
    ready: Vec<ClientId>,
}

impl<'a> Reduction<'a> {
    fn of(locks: &'a Locks, scene: &Scene<'a>) -> Self {
        let node = |&id: &ClientId| {
            let party = locks.parties.get(&id)?;
            Some((id, Node { free: party.waits.is_none(), children: party.children.len(), done: false }))
        };
        let queue = |(&key, &length): (&&'a Key, &usize)| {
            let usage = locks.resources.get(key)?.usage;
            Some((key, Queue { usage, served: 0, length }))
        };
        Self {
            locks,
            nodes: scene.clients.iter().filter_map(node).collect(),
            queues: scene.queues.iter().filter_map(queue).collect(),
            ready: Vec::new(),
        }
    }

    fn run(&mut self) {
        let ready = self.nodes.iter().filter(|(_, node)| node.free && node.children == 0);
        self.ready = ready.map(|(&id, _)| id).collect();
        let keys: Vec<&'a Key> = self.queues.keys().copied().collect();
        for key in keys {
            self.serve(key);
        }
        while let Some(id) = self.ready.pop() {
            self.finish(id);
        }
    }

    /// Somebody goes, with all that it holds.
    fn finish(&mut self, id: ClientId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if std::mem::replace(&mut node.done, true) {
            return;
        }
        let Some(party) = self.locks.parties.get(&id) else { return };
        for (key, want) in party.holds.values() {
            self.give_back(key, *want);
        }
        // What it has been served meanwhile.
        if let Some(key) = &party.waits
            && let Some(wait) = self.locks.resources.get(key).and_then(|resource| resource.wait_of(id))
        {
            self.give_back(key, wait.want);
        }
        if let Some(parent) = party.parent
            && let Some(node) = self.nodes.get_mut(&parent)
        {
            node.children -= 1;
            if node.free && node.children == 0 {
                self.ready.push(parent);
            }
        }
    }

    fn give_back(&mut self, key: &Key, want: Want) {
        let Some((&key, _)) = self.queues.get_key_value(key) else { return };
        if let Some(queue) = self.queues.get_mut(key) {
            queue.usage.remove(want);
        }
        self.serve(key);
    }

    /// The first of a queue get what they wait for, as long as it fits.
    fn serve(&mut self, key: &'a Key) {
        let (Some(queue), Some(resource)) = (self.queues.get_mut(key), self.locks.resources.get(key)) else {
            return;
        };
        while queue.served < queue.length
            && let Some(wait) = resource.queue.get(queue.served)
            && queue.usage.admits(wait.want)
        {
            queue.usage.add(wait.want);
            queue.served += 1;
            if let Some(node) = self.nodes.get_mut(&wait.client) {
                node.free = true;
                if node.children == 0 {
                    self.ready.push(wait.client);
                }
            }
        }
    }
}

/// The waits that show a deadlock, that of the asker first. As long as it is about locks, the shortest cycle through it;
/// with permits, every wait that it depends on and that cannot end.
pub(super) fn waits_of(locks: &Locks, knot: &Knot, asker: ClientId) -> Vec<ClientId> {
    let mut before: BTreeMap<ClientId, ClientId> = BTreeMap::new();
    let mut order = vec![asker];
    let mut open = VecDeque::from([asker]);
    let mut last = None;
    while let Some(id) = open.pop_front() {
        for next in blockers(locks, knot, id) {
            if next == asker {
                last = last.or(Some(id));
            } else if let Entry::Vacant(place) = before.entry(next) {
                place.insert(id);
                order.push(next);
                open.push_back(next);
            }
        }
    }
    let Some(mut id) = last else { return order };
    let mut cycle = vec![id];
    while let Some(&earlier) = before.get(&id) {
        cycle.push(earlier);
        id = earlier;
    }
    cycle.reverse();
    let wants_permits = |id: &ClientId| {
        let key = locks.parties.get(id).and_then(|party| party.waits.as_ref());
        key.is_some_and(|key| key.kind == super::LockKind::Semaphore)
    };
    if cycle.iter().any(wants_permits) { order } else { cycle }
}

/// Those whose waits keep this one waiting.
fn blockers(locks: &Locks, knot: &Knot, id: ClientId) -> Vec<ClientId> {
    let Some(key) = locks.parties.get(&id).and_then(|party| party.waits.as_ref()) else { return Vec::new() };
    let Some(resource) = locks.resources.get(key) else { return Vec::new() };
    let Some(want) = resource.wait_of(id).map(|wait| wait.want) else { return Vec::new() };
    let against = |other: Want| match (want, other) {
        (Want::Shared, Want::Shared) => false,
        (Want::Exclusive | Want::Shared | Want::Permits { .. }, _) => true,
    };
    let holders = resource.holders.iter().filter(|hold| against(hold.want)).map(|hold| hold.client);
    let ahead = resource.queue.iter().take_while(|wait| wait.client != id);
    let ahead = ahead.filter(|wait| against(wait.want)).map(|wait| wait.client);
    let mut found = Vec::new();
    for client in holders.chain(ahead) {
        waits_under(locks, knot, client, &mut found);
    }
    found
}

/// The stuck waits of a connection and of all that were started under it.
fn waits_under(locks: &Locks, knot: &Knot, client: ClientId, found: &mut Vec<ClientId>) {
    let mut open = vec![client];
    while let Some(id) = open.pop() {
        let Some(party) = locks.parties.get(&id).filter(|_| knot.stuck.contains(&id)) else { continue };
        if knot.waiting.contains(&id) {
            found.push(id);
        }
        open.extend(&party.children);
    }
}
