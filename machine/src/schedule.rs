//! Who gets which partition next.
//!
//! Jobs of higher priority go first, always. Among equals the one that was given the least worker time so far goes
//! first; a job that comes later starts level with the one that has had least. A job with a limit of workers is passed
//! over by further ones. A worker serves only jobs that want its kind (`Profile`); it makes room for another kind when
//! a job of that kind has a higher priority, or the same and is behind by more than `SLICE`, and has no worker coming.
//!
//! Each worker gets one lease before any gets a second. A worker holds leases ahead only while enough is left for every
//! other worker to hold as many, and no more than `Settings::ahead` of estimated work beyond the second.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::{JobId, SlotId};

use crate::Machine;
use crate::action::Profile;
use crate::job::Job;
use crate::moment::Span;
use crate::worker::{SlotState, Worker};

/// How far a job may be ahead of one that needs another kind of worker.
const SLICE: Span = Span::ms(100);
/// The same where a command would have to start anew.
const OWN_SLICE: Span = Span::ms(1_000);
/// Jobs with a kind of worker of their own that are looked at at once.
const OWN_AT_ONCE: usize = 64;

/// Where a job stands among those that want workers: the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    rank: Reverse<i32>,
    served_ns: u64,
    pub(crate) job: JobId,
}

/// The jobs that have a piece to lease and may have one more worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    by_profile: BTreeMap<Profile, BTreeSet<Key>>,
    /// Those whose workers serve nobody else: each has a kind of its own.
    own: BTreeMap<Key, Profile>,
    own_keys: BTreeMap<Profile, Key>,
}

impl Queue {
    pub(crate) fn insert(&mut self, profile: Profile, key: Key) {
        if profile.job.is_some() {
            self.own.insert(key, profile);
            self.own_keys.insert(profile, key);
        } else {
            self.by_profile.entry(profile).or_default().insert(key);
        }
    }

    fn remove(&mut self, profile: Profile, key: Key) {
        if profile.job.is_some() {
            self.own.remove(&key);
            self.own_keys.remove(&profile);
        } else if let Some(keys) = self.by_profile.get_mut(&profile) {
            keys.remove(&key);
            if keys.is_empty() {
                self.by_profile.remove(&profile);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_profile.is_empty() && self.own.is_empty()
    }

    /// How many jobs are in it.
    pub(crate) fn len(&self) -> usize {
        self.by_profile.values().map(BTreeSet::len).sum::<usize>() + self.own.len()
    }

    pub(crate) fn first(&self, profile: Profile) -> Option<Key> {
        self.keys(profile).next()
    }

    fn count(&self, profile: Profile) -> usize {
        self.by_profile.get(&profile).map_or(0, BTreeSet::len)
            + usize::from(self.own_keys.contains_key(&profile))
    }

    pub(crate) fn keys(&self, profile: Profile) -> impl Iterator<Item = Key> + '_ {
        let shared = self.by_profile.get(&profile).into_iter().flatten();
        shared.chain(self.own_keys.get(&profile)).copied()
    }

    /// The kinds of workers wanted, the most urgent first.
    pub(crate) fn profiles(&self) -> Vec<Profile> {
        let mut tops: Vec<_> = self.firsts().collect();
        tops.sort_unstable();
        tops.into_iter().map(|(_, profile)| profile).collect()
    }

    /// Of jobs with a kind of their own, of which there may be very many, only so many are looked at: the others come
    /// after them.
    fn firsts(&self) -> impl Iterator<Item = (Key, Profile)> + '_ {
        let shared = self.by_profile.iter().filter_map(|(&profile, keys)| Some((*keys.first()?, profile)));
        shared.chain(self.own.iter().take(OWN_AT_ONCE).map(|(&key, &profile)| (key, profile)))
    }

    fn has_other_than(&self, profile: Profile) -> bool {
        let this = self.by_profile.contains_key(&profile) || self.own_keys.contains_key(&profile);
        self.by_profile.len() + self.own.len() > usize::from(this)
    }

    /// Worker time of the least served job of a priority.
    fn least_served(&self, rank: i32) -> Option<u64> {
        let from = Key { rank: Reverse(rank), served_ns: 0, job: JobId(0) };
        let shared = self.by_profile.values().filter_map(|keys| keys.range(from..).next());
        let peers = shared.chain(self.own.range(from..).next().map(|(key, _)| key));
        peers.filter(|key| key.rank.0 == rank).map(|key| key.served_ns).min()
    }
}

impl Key {
    /// The priority of its job.
    pub(crate) fn priority(self) -> i32 {
        self.rank.0
    }
}

impl Job {
    pub(crate) fn key(&self) -> Key {
        Key { rank: Reverse(self.priority), served_ns: self.served_ns, job: self.id }
    }
}

impl Machine {
    /// Puts a job where it belongs in the queue, after anything about it has changed.
    pub(crate) fn refile(&mut self, id: JobId) {
        self.jobs.recount(id);
        let Some(job) = self.jobs.get_mut(id) else { return };
        let want = (job.wants_workers() && !job.is_full()).then(|| job.key());
        if want == job.filed {
            return;
        }
        if let Some(old) = std::mem::replace(&mut job.filed, want) {
            self.queue.remove(job.profile, old);
        }
        if let Some(new) = want {
            self.queue.insert(job.profile, new);
        }
    }

    /// A job comes in, or comes back: it starts level with the least served of its priority.
    pub(crate) fn level(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let least = self.queue.least_served(job.priority).unwrap_or(0);
        job.served_ns = job.served_ns.max(least);
    }

    /// Gives leases to all who may have one, after an event.
    pub(crate) fn give_leases(&mut self) {
        self.serve_stirred();
        if self.crew.has_idle() && !self.queue.is_empty() {
            self.feed_idle();
            self.serve_stirred();
        }
        if self.feed && !self.queue.is_empty() {
            self.feed_busy();
        }
        if (self.prowl || self.feed) && self.crew.has_idle() {
            self.recall_for_idle();
        }
    }

    fn serve_stirred(&mut self) {
        while let Some(slot) = self.stirred.pop_first() {
            self.serve(slot);
        }
    }

    /// One lease for each idle worker, the most urgent kind first.
    fn feed_idle(&mut self) {
        for profile in self.queue.profiles() {
            while self.queue.first(profile).is_some() {
                let Some(slot) = self.crew.first_idle(profile) else { break };
                let Some(job) = self.pick(slot) else { break };
                if !self.grant(slot, job) {
                    break;
                }
                self.stirred.insert(slot);
            }
        }
    }

    fn feed_busy(&mut self) {
        for slot in 0..self.crew.slots().len() {
            if let Ok(slot) = u16::try_from(slot) {
                self.serve(SlotId(slot));
            }
        }
    }

    /// Gives a worker as many leases as it may have, or lets it rest.
    fn serve(&mut self, slot: SlotId) {
        while let Some(job) = self.pick(slot) {
            let Some(worker) = self.crew.worker(slot) else { return };
            if !self.has_room(worker, job) || !self.grant(slot, job) {
                break;
            }
        }
        self.rest(slot);
    }

    /// A worker without leases is idle, or goes if it was to go.
    fn rest(&mut self, slot: SlotId) {
        let Some(place) = self.crew.get(slot) else { return };
        let SlotState::Busy { worker } = &place.state else { return };
        if !worker.leases.is_empty() {
            return;
        }
        let leaving = worker.leaving;
        self.idle(slot);
        if leaving {
            self.dismiss(slot);
        } else {
            self.prowl = true;
        }
    }

    /// The job whose piece this worker should fold next.
    fn pick(&mut self, slot: SlotId) -> Option<JobId> {
        let worker = self.crew.get(slot)?.ready()?;
        if worker.leaving {
            return None;
        }
        let best = self.best_for(worker)?;
        if self.queue.has_other_than(worker.profile) && self.must_make_room(worker, best) {
            self.let_go(slot);
            return None;
        }
        Some(best.job)
    }

    /// Jobs that have all the workers they may have are not in the queue, but their own workers still serve them.
    fn best_for(&self, worker: &Worker) -> Option<Key> {
        let full = worker.holding.keys().filter_map(|&id| {
            let job = self.jobs.get(id)?;
            (job.is_full() && job.wants_workers()).then(|| job.key())
        });
        full.chain(self.queue.first(worker.profile)).min()
    }

    fn must_make_room(&self, worker: &Worker, own: Key) -> bool {
        self.queue.firsts().any(|(other, profile)| {
            let slice = if worker.profile.job.is_some() { OWN_SLICE } else { SLICE };
            let behind = other.rank == own.rank && other.served_ns.saturating_add(slice.0) <= own.served_ns;
            let urgent = profile != worker.profile && (other.rank < own.rank || behind);
            let to_be_had = !self.is_hopeless(profile) && !self.starter_waits(profile);
            urgent && to_be_had && self.unmet(profile) > 0
        })
    }

    fn has_room(&self, worker: &Worker, id: JobId) -> bool {
        let held = worker.leases.len();
        if held == 0 {
            return true;
        }
        let Some(job) = self.jobs.get(id).filter(|_| held < self.settings.leases_max) else { return false };
        // It would take whatever is leased behind it down with its worker.
        if job.work.next_is_suspect() {
            return false;
        }
        let size = job.next_size(&self.settings);
        let peers = if worker.holding.contains_key(&id) {
            job.workers_max(self.settings.slots)
        } else {
            u64::from(self.settings.slots)
        };
        let others = self.queue.count(worker.profile).saturating_sub(1) as u64;
        if job.work.waiting(size).saturating_add(others) <= (peers - 1).saturating_mul(held as u64) {
            return false;
        }
        let estimate = self.estimate_ns(job, job.work.next_count(size));
        held < 2 || worker.ahead_ns().saturating_add(estimate) <= self.settings.ahead.0
    }

    /// How long a piece should take; where nothing has been measured, long enough to fill what may be held ahead.
    pub(crate) fn estimate_ns(&self, job: &Job, count: u64) -> u64 {
        job.pace.time_for(count).unwrap_or(self.settings.ahead).0
    }

    /// Takes leases that nobody has begun from workers that hold several, when others have nothing to do.
    fn recall_for_idle(&mut self) {
        let idle: Vec<_> = self.crew.idle().map(|(profile, _)| profile).collect();
        let recalled = self.crew.slots().iter().filter(|slot| self.has_recalled(slot)).count();
        for profile in idle.into_iter().skip(recalled) {
            let victim = self.crew.slots().iter().filter(|slot| {
                slot.ready().is_some_and(|worker| worker.profile == profile && self.may_recall(worker))
            });
            let heaviest = victim.max_by_key(|slot| slot.worker().map_or(0, Worker::ahead_ns));
            let Some(slot) = heaviest.map(|slot| slot.id) else { continue };
            self.recall(slot);
        }
    }

    fn has_recalled(&self, slot: &crate::worker::Slot) -> bool {
        slot.ready().is_some_and(|worker| {
            worker.leases.back().is_some_and(|held| held.mark == crate::worker::Mark::Recalled)
        })
    }

    /// Whether the last lease of a worker is worth taking, has not been begun, and may go to another one.
    fn may_recall(&self, worker: &Worker) -> bool {
        let Some(last) = worker.leases.back().filter(|_| worker.leases.len() > 1) else { return false };
        last.mark == crate::worker::Mark::Live
            && worker.running != Some(last.lease)
            && last.estimate_ns >= self.settings.ahead.0 / 2
            && self.jobs.get(last.lease.job).is_some_and(|job| !job.is_full())
    }
}
