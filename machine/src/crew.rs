//! All slots, and the few indexes that keep an event from looking at each of them.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::{JobId, SlotId, WorkerId};

use crate::action::Profile;
use crate::worker::{Slot, SlotState, Worker};

/// The slots. More than the settings name for a while after these shrank.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crew {
    slots: Vec<Slot>,
    by_worker: BTreeMap<WorkerId, SlotId>,
    /// Slots whose state is Empty.
    empty: BTreeSet<SlotId>,
    /// Slots whose state is Idle.
    idle: BTreeSet<(Profile, SlotId)>,
    /// Slots whose state is BackingOff.
    backing_off: BTreeSet<SlotId>,
    /// How many are Starting.
    starting: BTreeMap<Profile, u64>,
    /// How many workers serve a job's command.
    commands: usize,
    hired: u64,
}

impl Crew {
    /// Makes sure that there are at least so many slots.
    pub(crate) fn grow(&mut self, slots: u16) {
        for id in u16::try_from(self.slots.len()).unwrap_or(u16::MAX)..slots {
            self.slots.push(Slot::new(SlotId(id)));
            self.empty.insert(SlotId(id));
        }
    }

    /// Drops vacant slots from the end until so many are left, and tells of each.
    pub(crate) fn shrink(&mut self, slots: u16, mut dropped: impl FnMut(SlotId)) {
        while self.slots.len() > usize::from(slots) {
            let Some(last) = self.slots.last() else { return };
            if last.worker().is_some() {
                return;
            }
            self.empty.remove(&last.id);
            self.backing_off.remove(&last.id);
            dropped(last.id);
            self.slots.pop();
        }
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn get(&self, slot: SlotId) -> Option<&Slot> {
        self.slots.get(usize::from(slot.0))
    }

    /// For changes that leave the state as it is; `change` is for the others.
    pub(crate) fn get_mut(&mut self, slot: SlotId) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(slot.0))
    }

    /// For changes of the state: keeps the indexes right.
    pub(crate) fn change<R>(&mut self, slot: SlotId, change: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        self.unlist(slot);
        let result = self.slots.get_mut(usize::from(slot.0)).map(change);
        self.list(slot);
        result
    }

    fn unlist(&mut self, slot: SlotId) {
        let Some(place) = self.slots.get(usize::from(slot.0)) else { return };
        match &place.state {
            SlotState::Empty => {
                self.empty.remove(&slot);
            }
            SlotState::Idle { worker } => {
                self.idle.remove(&(worker.profile, slot));
            }
            SlotState::Starting { worker, .. } => match self.starting.get_mut(&worker.profile) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) | None => {
                    self.starting.remove(&worker.profile);
                }
            },
            SlotState::BackingOff { .. } => {
                self.backing_off.remove(&slot);
            }
            SlotState::Busy { .. } | SlotState::Stopping { .. } => {}
        }
    }

    fn list(&mut self, slot: SlotId) {
        let Some(place) = self.slots.get(usize::from(slot.0)) else { return };
        match &place.state {
            SlotState::Empty => {
                self.empty.insert(slot);
            }
            SlotState::Idle { worker } => {
                self.idle.insert((worker.profile, slot));
            }
            SlotState::Starting { worker, .. } => {
                *self.starting.entry(worker.profile).or_default() += 1;
            }
            SlotState::BackingOff { .. } => {
                self.backing_off.insert(slot);
            }
            SlotState::Busy { .. } | SlotState::Stopping { .. } => {}
        }
    }

    /// The name of the next worker, which will fill this slot.
    pub(crate) fn hire(&mut self, slot: SlotId, profile: Profile) -> WorkerId {
        self.commands += usize::from(profile.job.is_some());
        self.hired = self.hired.saturating_add(1);
        let worker = WorkerId(self.hired);
        self.by_worker.insert(worker, slot);
        worker
    }

    /// Names up to this one were given by an earlier supervisor.
    pub(crate) fn skip_names(&mut self, last: WorkerId) {
        self.hired = self.hired.max(last.0);
    }

    /// A worker is gone for good.
    pub(crate) fn dismiss(&mut self, worker: WorkerId, profile: Profile) {
        if self.by_worker.remove(&worker).is_some() {
            self.commands -= usize::from(profile.job.is_some());
        }
    }

    /// The slot of a worker that is not gone.
    pub(crate) fn slot_of(&self, worker: WorkerId) -> Option<SlotId> {
        self.by_worker.get(&worker).copied()
    }

    /// Whether there is any worker process, or may be one soon.
    pub(crate) fn is_deserted(&self) -> bool {
        self.by_worker.is_empty()
    }

    /// How many workers serve a job's command.
    pub(crate) fn commands(&self) -> usize {
        self.commands
    }

    pub(crate) fn starting(&self, profile: Profile) -> u64 {
        self.starting.get(&profile).copied().unwrap_or(0)
    }

    /// The first empty slot.
    pub(crate) fn first_empty(&self, slots: u16) -> Option<SlotId> {
        self.empty.first().copied().filter(|slot| slot.0 < slots)
    }

    /// The first idle worker of this kind.
    pub(crate) fn first_idle(&self, profile: Profile) -> Option<SlotId> {
        let all = (profile, SlotId(0))..=(profile, SlotId(u16::MAX));
        self.idle.range(all).next().map(|&(_, slot)| slot)
    }

    /// All idle workers.
    pub(crate) fn idle(&self) -> impl DoubleEndedIterator<Item = (Profile, SlotId)> + '_ {
        self.idle.iter().copied()
    }

    /// Slots that back off.
    pub(crate) fn backing_off(&self) -> impl Iterator<Item = &Slot> {
        self.backing_off.iter().filter_map(|&slot| self.get(slot))
    }

    /// Whether there is any place where a worker could be started, now or after another one was sent away.
    pub(crate) fn has_places(&self) -> bool {
        !self.empty.is_empty() || !self.idle.is_empty() || !self.backing_off.is_empty()
    }

    pub(crate) fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Whether any worker that serves this job alone has told a partial of it.
    pub(crate) fn has_answered(&self, job: JobId) -> bool {
        let mut workers = self.slots.iter().filter_map(Slot::worker);
        workers.any(|worker| worker.profile.job == Some(job) && worker.accepted > 0)
    }

    pub(crate) fn worker(&self, slot: SlotId) -> Option<&Worker> {
        self.get(slot)?.worker()
    }

    pub(crate) fn worker_mut(&mut self, slot: SlotId) -> Option<&mut Worker> {
        self.get_mut(slot)?.worker_mut()
    }

    /// Panics unless the indexes agree with the slots.
    pub(crate) fn check(&self) {
        let (mut workers, mut commands) = (0, 0);
        let mut starting: BTreeMap<Profile, u64> = BTreeMap::new();
        for (at, slot) in self.slots.iter().enumerate() {
            assert_eq!(usize::from(slot.id.0), at, "slots are out of order");
            if let Some(worker) = slot.worker() {
                workers += 1;
                commands += usize::from(worker.profile.job.is_some());
                assert_eq!(self.slot_of(worker.id), Some(slot.id), "worker {} is lost", worker.id);
                assert!(worker.id.0 <= self.hired, "worker {} was never hired", worker.id);
            }
            if let SlotState::Starting { worker, .. } = &slot.state {
                *starting.entry(worker.profile).or_default() += 1;
            }
            self.check_listed(slot);
        }
        assert_eq!(workers, self.by_worker.len(), "a worker is counted that is gone");
        assert_eq!(commands, self.commands, "workers of commands");
        assert_eq!(starting, self.starting, "starting workers");
        let last = self.slots.last().map(|slot| slot.id);
        assert!(
            self.empty.last().copied() <= last && self.backing_off.last().copied() <= last,
            "no such slot"
        );
    }

    /// A slot is in the list of its state and in no other.
    fn check_listed(&self, slot: &Slot) {
        let id = slot.id;
        let idle = self.idle.iter().find(|&&(_, listed)| listed == id).map(|&(profile, _)| profile);
        let listed = (self.empty.contains(&id), idle, self.backing_off.contains(&id));
        let right = match &slot.state {
            SlotState::Empty => (true, None, false),
            SlotState::Idle { worker } => (false, Some(worker.profile), false),
            SlotState::BackingOff { .. } => (false, None, true),
            SlotState::Starting { .. } | SlotState::Busy { .. } | SlotState::Stopping { .. } => {
                (false, None, false)
            }
        };
        assert_eq!(listed, right, "slot {id} is in the wrong list");
    }
}
