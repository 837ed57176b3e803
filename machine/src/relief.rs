//! Places beside those of the settings, while commands that take long hold these.
//!
//! A command may take as long as it likes, may wait for something, or hang: nothing tells which, and to end it would lose
//! what it has done. So who has no worker at all meanwhile gets a place beside, a second after the others were taken, and
//! the command's share of the processor suffers as little as with any other process. A place beside is given up as soon
//! as fewer commands hold places for so long.
//!
//! Commands get as many places beside as the settings have, so that nobody's commands fill the machine with processes.
//! Kinds of workers that serve all jobs may have as many again: they never hang, or are killed for it.

use tally_protocol::SlotId;

use crate::Machine;
use crate::action::Profile;
use crate::deadline::Alarm;
use crate::moment::Span;
use crate::worker::{Slot, SlotState, Worker};

/// How long a command may hold a place before others need not wait for it.
const LONG: Span = Span::ms(1_000);

impl Machine {
    /// Looks again a while later whether somebody waits in vain.
    pub(crate) fn watch_for_relief(&mut self) {
        if self.crew.commands() > 0 && !self.queue.is_empty() && self.alarms.when(Alarm::Relief).is_none() {
            self.alarms.set(Alarm::Relief, self.now + LONG);
        }
    }

    /// Gives a place beside to each kind of worker that is wanted and that nobody is of.
    pub(crate) fn relieve(&mut self) {
        if !self.phase.works() || self.crew.first_empty(self.settings.slots).is_some() {
            return;
        }
        for profile in self.queue.profiles() {
            if !self.is_served(profile)
                && !self.is_hopeless(profile)
                && !self.starter_waits(profile)
                && let Some(slot) = self.place_beside(profile)
            {
                self.start(slot, profile);
            }
        }
    }

    /// Whether there is a worker of this kind, or will be.
    fn is_served(&self, profile: Profile) -> bool {
        let serves = |worker: &Worker| worker.profile == profile && !worker.leaving;
        self.crew.slots().iter().any(|slot| match &slot.state {
            SlotState::Starting { worker, .. } | SlotState::Idle { worker } | SlotState::Busy { worker } => {
                serves(worker)
            }
            SlotState::BackingOff { profile: kind, .. } => *kind == profile,
            SlotState::Empty | SlotState::Stopping { .. } => false,
        })
    }

    fn place_beside(&mut self, profile: Profile) -> Option<SlotId> {
        let slots = self.settings.slots;
        let priority = self.queue.first(profile)?.priority();
        let most = if profile.job.is_some() { slots } else { slots.saturating_mul(2) };
        let places = slots.saturating_add(self.held_long(Some(priority)).min(most));
        let there = u16::try_from(self.crew.slots().len()).unwrap_or(u16::MAX);
        self.crew.first_empty(places).or_else(|| {
            self.crew.grow(places.min(there.saturating_add(1)));
            self.crew.first_empty(places)
        })
    }

    /// How many places commands have held for long, of jobs of this priority or a lower one.
    fn held_long(&self, priority: Option<i32>) -> u16 {
        let count = self.crew.slots().iter().filter(|slot| self.is_held_long(slot, priority)).count();
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    fn is_held_long(&self, slot: &Slot, priority: Option<i32>) -> bool {
        let SlotState::Busy { worker } = &slot.state else { return false };
        let Some(first) = worker.leases.front() else { return false };
        worker.profile.job.is_some()
            && first.granted + LONG <= self.now
            && self
                .jobs
                .get(first.lease.job)
                .is_some_and(|job| priority.is_none_or(|most| job.priority <= most))
    }

    /// Workers beside, of which there are more than commands that hold places, go once they have answered.
    pub(crate) fn end_relief(&mut self) {
        let slots = self.settings.slots;
        if self.crew.slots().len() <= usize::from(slots) {
            return;
        }
        let beside = self.crew.slots().iter().skip(usize::from(slots));
        let staying: Vec<SlotId> = beside
            .filter(|slot| slot.ready().is_some_and(|worker| !worker.leaving))
            .map(|slot| slot.id)
            .collect();
        for &slot in staying.iter().skip(usize::from(self.held_long(None))) {
            self.let_go(slot);
        }
    }
}
