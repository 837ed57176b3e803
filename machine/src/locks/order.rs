//! In which order names are taken: a warning before two orders that contradict each other ever meet.
//!
//! Whenever something is asked for while something else is held, the pair is remembered. When the pairs lead from the one
//! back to the other, two commands that take them at the same time can end up waiting for each other, even if they never
//! have. Readers alone cannot, so pairs of shared locks alone do not count. (The idea of the kernel's lockdep.)

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tally_protocol::limits;
use tally_protocol::locks::handover::{HandedName, HandedOrder};
use tally_protocol::locks::view::{InversionView, ProcessView};
use tally_protocol::locks::{Want, check_name};

use super::Key;
use super::party::{called, sees_commands_of};
use crate::permission::Who;

/// A pair: the first was held when the second was asked for.
type Pair = (Key, Key);

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    pairs: BTreeMap<Pair, Seen>,
    /// Pairs by when they were last seen.
    ages: BTreeMap<u64, Pair>,
    clock: u64,
    inversions: VecDeque<InversionView>,
}

/// When a pair was last seen, and by whom.
#[derive(Clone, Debug)]
struct Seen {
    age: u64,
    at_ms: u64,
    /// Never but shared, the one as the other.
    shared: bool,
    by: ProcessView,
}

impl Order {
    /// Something is asked for by one who holds something. Returns a sentence for each contradiction, for this viewer.
    pub(super) fn note(
        &mut self,
        at_ms: u64,
        held: &[(Key, Want)],
        (wanted, want): (&Key, Want),
        by: &ProcessView,
        viewer: Who,
    ) -> Vec<String> {
        let held: BTreeMap<&Key, bool> =
            held.iter().filter(|(key, _)| key != wanted).map(|(key, want)| (key, is_shared(*want))).collect();
        if held.is_empty() {
            return Vec::new();
        }
        let back = self.ways_from(wanted, &held);
        let mut warnings = Vec::new();
        for way in back {
            let Some(first) = way.first() else { continue };
            let reading = is_shared(want)
                && held.get(first).copied().unwrap_or(false)
                && way.iter().rev().zip(way.iter().rev().skip(1)).all(|(from, to)| self.is_shared(from, to));
            if reading {
                continue;
            }
            if warnings.len() < limits::LOCK_WARNINGS_MAX {
                warnings.push(self.sentence(&way, at_ms, viewer));
            }
            self.remember(&way, at_ms);
        }
        for (key, shared) in held {
            self.add(key, wanted, shared && is_shared(want), at_ms, by);
        }
        warnings
    }

    /// For each of those held that can be got to from `wanted`: the way, backwards, from that one to `wanted`.
    fn ways_from(&self, wanted: &Key, held: &BTreeMap<&Key, bool>) -> Vec<Vec<Key>> {
        let mut before: BTreeMap<&Key, &Key> = BTreeMap::new();
        let mut open = VecDeque::from([wanted]);
        let mut seen = BTreeSet::from([wanted]);
        let mut found = Vec::new();
        while let Some(from) = open.pop_front() {
            for to in self.after(from) {
                if seen.insert(to) {
                    before.insert(to, from);
                    open.push_back(to);
                    if held.contains_key(to) {
                        found.push(to);
                    }
                }
            }
        }
        let way = |end: &Key| {
            let mut way = vec![end.clone()];
            let mut at = end;
            while let Some(&earlier) = before.get(at) {
                way.push(earlier.clone());
                at = earlier;
            }
            way
        };
        found.into_iter().map(way).collect()
    }

    /// What was asked for while this was held.
    fn after<'a>(&'a self, from: &'a Key) -> impl Iterator<Item = &'a Key> {
        let least = Key { kind: tally_protocol::locks::LockKind::Lock, name: String::new() };
        let pairs = self.pairs.range((from.clone(), least)..);
        pairs.map(|(pair, _)| pair).take_while(move |(first, _)| first == from).map(|(_, second)| second)
    }

    fn is_shared(&self, from: &Key, to: &Key) -> bool {
        self.pairs.get(&(from.clone(), to.clone())).is_some_and(|seen| seen.shared)
    }

    fn add(&mut self, held: &Key, wanted: &Key, shared: bool, at_ms: u64, by: &ProcessView) {
        self.clock += 1;
        let pair = (held.clone(), wanted.clone());
        let seen = Seen { age: self.clock, at_ms, shared, by: by.clone() };
        self.ages.insert(self.clock, pair.clone());
        if let Some(before) = self.pairs.insert(pair.clone(), seen) {
            self.ages.remove(&before.age);
            if let Some(seen) = self.pairs.get_mut(&pair) {
                seen.shared &= before.shared;
            }
        }
        if self.pairs.len() > limits::LOCK_ORDERS_MAX
            && let Some((_, oldest)) = self.ages.pop_first()
        {
            self.pairs.remove(&oldest);
        }
    }

    /// The way leads from one that is held, backwards, to what is asked for.
    fn sentence(&self, way: &[Key], at_ms: u64, viewer: Who) -> String {
        let (Some(held), Some(wanted)) = (way.first(), way.last()) else { return String::new() };
        let last = way.get(1).and_then(|before| self.pairs.get(&(before.clone(), held.clone())));
        let seen = last.map(|seen| {
            let ProcessView { pid, uid, command } = seen.by.clone();
            let command = command.filter(|_| sees_commands_of(viewer, uid));
            let ago = ago(at_ms.saturating_sub(seen.at_ms));
            format!(" (last by {}, {ago})", called(&ProcessView { pid, uid, command }))
        });
        let seen = seen.unwrap_or_default();
        let elsewhere = if way.len() > 2 {
            let names: Vec<String> = way.iter().rev().map(ToString::to_string).collect();
            format!("elsewhere the order is {}", names.join(", "))
        } else {
            format!("elsewhere {held} while {wanted} is held")
        };
        format!(
            "{wanted} is taken here while {held} is held, and {elsewhere}{seen}: two such commands at once can be a deadlock"
        )
    }

    /// Keeps a contradiction for the list.
    fn remember(&mut self, way: &[Key], at_ms: u64) {
        let mut names: Vec<String> = way.iter().rev().map(ToString::to_string).collect();
        // The same cycle can be entered anywhere: it is written from its first name on.
        if let Some(first) =
            names.iter().enumerate().min_by_key(|(_, name)| (*name).clone()).map(|(at, _)| at)
        {
            names.rotate_left(first);
        }
        if let Some(known) = self.inversions.iter_mut().find(|known| known.names == names) {
            known.last_ms = at_ms;
            known.count += 1;
            return;
        }
        if self.inversions.len() >= limits::INVERSIONS_KEPT_MAX {
            self.inversions.pop_front();
        }
        self.inversions.push_back(InversionView { names, first_ms: at_ms, last_ms: at_ms, count: 1 });
    }

    /// All pairs, for another program of the daemon; the oldest first.
    pub(super) fn hand_over(&self) -> Vec<HandedOrder> {
        let name = |key: &Key| HandedName { name: key.name.clone(), kind: key.kind };
        let pairs = self.ages.values().filter_map(|pair| Some((pair, self.pairs.get(pair)?)));
        let order = |((held, wanted), seen): (&Pair, &Seen)| HandedOrder {
            held: name(held),
            wanted: name(wanted),
            at_ms: seen.at_ms,
            shared: seen.shared,
            by: seen.by.clone(),
        };
        pairs.map(order).collect()
    }

    /// Goes on with what another program has seen.
    pub(super) fn take_over(&mut self, orders: Vec<HandedOrder>, inversions: Vec<InversionView>) {
        let key = |name: HandedName| Key { kind: name.kind, name: name.name };
        for HandedOrder { held, wanted, at_ms, shared, by } in orders {
            if check_name(&held.name).is_ok() && check_name(&wanted.name).is_ok() {
                self.add(&key(held), &key(wanted), shared, at_ms, &by);
            }
        }
        self.inversions = inversions.into_iter().take(limits::INVERSIONS_KEPT_MAX).collect();
    }

    /// The contradictions, the oldest first.
    pub(super) fn inversions(&self) -> Vec<InversionView> {
        self.inversions.iter().cloned().collect()
    }
}

fn is_shared(want: Want) -> bool {
    match want {
        Want::Shared => true,
        Want::Exclusive | Want::Permits { .. } => false,
    }
}

/// How long ago, roughly.
fn ago(ms: u64) -> String {
    match ms / 1_000 {
        0 => "just now".to_owned(),
        s @ 1..120 => format!("{s} s ago"),
        s @ 120..7_200 => format!("{} min ago", s / 60),
        s => format!("{} h ago", s / 3_600),
    }
}
