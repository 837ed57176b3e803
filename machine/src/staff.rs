//! Which workers are started, and how they are ended.
//!
//! Workers are started when a piece waits that nobody is coming for, or all at once by an eager supervisor. One that is
//! not needed is asked to go, and killed if it does not; one that can't be relied on is killed at once. What its death
//! means is told in `deaths`.

use tally_protocol::job::Transport;
use tally_protocol::work::ToWorker;
use tally_protocol::{JobId, SlotId, WorkerId, limits};

use crate::action::{Action, Blow, Profile};
use crate::deadline::Alarm;
use crate::moment::Span;
use crate::worker::{Leaving, Slot, SlotState, Worker};
use crate::{Machine, Moment};

impl Machine {
    /// Starts the workers that are wanted and can be had.
    pub(crate) fn staff(&mut self) {
        if !self.queue.is_empty() && self.crew.has_places() {
            for profile in self.queue.profiles() {
                if self.starter_waits(profile) {
                    continue;
                }
                for _ in 0..self.unmet(profile) {
                    if !self.make_place(profile) {
                        break;
                    }
                }
            }
        }
        if self.settings.eager && self.phase.admits() && !self.starter_waits(self.settings.profile) {
            while let Some(slot) = self.crew.first_empty(self.settings.slots) {
                self.start(slot, self.settings.profile);
            }
        }
    }

    /// Workers of a kind that could be used beyond those there are and those that are coming.
    pub(crate) fn unmet(&self, profile: Profile) -> u64 {
        let slots = u64::from(self.settings.slots);
        let mut wanted = 0;
        for key in self.queue.keys(profile) {
            let Some(job) = self.jobs.get(key.job) else { continue };
            let more = job.workers_max(self.settings.slots).saturating_sub(u64::from(job.holders));
            wanted += job.work.waiting(job.next_size(&self.settings)).min(more);
            if wanted >= slots {
                break;
            }
        }
        wanted.min(slots).saturating_sub(self.crew.starting(profile) + self.departing())
    }

    /// Slots that will be empty soon.
    fn departing(&self) -> u64 {
        let gone = |slot: &&Slot| match &slot.state {
            SlotState::Stopping { .. } => slot.id.0 < self.settings.slots,
            SlotState::Busy { worker } | SlotState::Idle { worker } => worker.leaving,
            SlotState::Empty | SlotState::BackingOff { .. } | SlotState::Starting { .. } => false,
        };
        self.crew.slots().iter().filter(gone).count() as u64
    }

    /// Starts a worker of this kind, or makes an idle one of another kind go. False when neither can be.
    fn make_place(&mut self, profile: Profile) -> bool {
        if let Some(slot) =
            self.crew.first_empty(self.settings.slots).or_else(|| self.other_back_off(profile))
        {
            self.start(slot, profile);
            return true;
        }
        let other = self.crew.idle().find(|&(kind, _)| kind != profile);
        match other {
            Some((_, slot)) => {
                self.dismiss(slot);
                true
            }
            None => false,
        }
    }

    /// A slot that backs off because of another kind of worker need not make this kind wait.
    fn other_back_off(&self, profile: Profile) -> Option<SlotId> {
        let mut slots = self.crew.backing_off().filter(|slot| slot.id.0 < self.settings.slots);
        let other = slots.find(|slot| match &slot.state {
            SlotState::BackingOff { profile: kind, .. } => *kind != profile,
            SlotState::Empty
            | SlotState::Starting { .. }
            | SlotState::Idle { .. }
            | SlotState::Busy { .. }
            | SlotState::Stopping { .. } => false,
        });
        other.map(|slot| slot.id)
    }

    pub(crate) fn start(&mut self, slot: SlotId, profile: Profile) {
        let id = self.crew.hire(slot, profile);
        let until = self.now + self.settings.start;
        self.crew.change(slot, |place| {
            let worker = Box::new(Worker::new(id, profile));
            place.state = SlotState::Starting { worker, until };
        });
        self.alarms.set(Alarm::Slot(slot), until);
        self.act(Action::Spawn { worker: id, slot, profile });
    }

    /// The process of a worker exists.
    pub(crate) fn spawned(&mut self, worker: WorkerId, pid: u32, transport: Transport) {
        let Some(slot) = self.crew.slot_of(worker) else { return };
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.pid = Some(pid);
            worker.transport = Some(transport);
            let profile = worker.profile;
            self.starter_made(profile);
        }
    }

    /// Ends a worker that is not needed: politely if it can hear, else by a signal.
    pub(crate) fn dismiss(&mut self, slot: SlotId) {
        let Some(place) = self.crew.get(slot) else { return };
        let action = match &place.state {
            SlotState::Empty | SlotState::BackingOff { .. } | SlotState::Stopping { .. } => return,
            SlotState::Idle { worker } => Action::Send { worker: worker.id, message: ToWorker::Quit },
            SlotState::Starting { worker, .. } | SlotState::Busy { worker } => {
                Action::Signal { worker: worker.id, blow: Blow::Term }
            }
        };
        let until = self.now + self.settings.grace.max(self.parting_time(slot));
        self.end(slot, Some(until), Leaving::Dismissed);
        self.alarms.set(Alarm::Slot(slot), until);
        self.act(action);
    }

    /// How long a worker may take to part with a process that has answered: that may still be at work on what it takes for
    /// a question.
    fn parting_time(&self, slot: SlotId) -> Span {
        if !self.phase.works() {
            // Nobody hears the answer any more.
            return Span(0);
        }
        let own = self.crew.worker(slot).filter(|worker| worker.profile.job.is_some() && worker.accepted > 0);
        own.map_or(Span(0), |worker| Span(limits::parting_ns(worker.longest_ns)) + self.settings.grace)
    }

    /// A job with workers of its own is over: they serve nobody else. What its command left is ended at once, unless it
    /// has answered all and may end by itself.
    pub(crate) fn release_own(&mut self, id: JobId, done: bool) {
        let own = |slot: &&Slot| slot.worker().is_some_and(|worker| worker.profile.job == Some(id));
        let slots: Vec<SlotId> = self.crew.slots().iter().filter(own).map(|slot| slot.id).collect();
        for slot in slots {
            if done { self.let_go(slot) } else { self.end_by_signal(slot) }
        }
    }

    fn end_by_signal(&mut self, slot: SlotId) {
        let Some(place) = self.crew.get(slot) else { return };
        let most = self.now + self.settings.grace;
        let worker = match &place.state {
            SlotState::Empty | SlotState::BackingOff { .. } => return,
            // It was to end in its own time.
            SlotState::Stopping { worker, until: Some(until), .. } if *until > most => worker.id,
            SlotState::Stopping { .. } => return,
            SlotState::Idle { worker } | SlotState::Starting { worker, .. } | SlotState::Busy { worker } => {
                worker.id
            }
        };
        let until = most;
        self.end(slot, Some(until), Leaving::Dismissed);
        self.alarms.set(Alarm::Slot(slot), until);
        self.act(Action::Signal { worker, blow: Blow::Term });
    }

    /// A worker takes no more leases, and goes when it has none.
    pub(crate) fn let_go(&mut self, slot: SlotId) {
        let Some(place) = self.crew.get_mut(slot) else { return };
        match &mut place.state {
            SlotState::Busy { worker } => worker.leaving = true,
            SlotState::Idle { .. } | SlotState::Starting { .. } => self.dismiss(slot),
            SlotState::Empty | SlotState::BackingOff { .. } | SlotState::Stopping { .. } => {}
        }
    }

    /// Kills a worker at once.
    pub(crate) fn kill(&mut self, slot: SlotId, why: Leaving) {
        let Some(worker) = self.crew.worker(slot) else { return };
        let worker = worker.id;
        self.end(slot, None, why);
        self.alarms.clear(Alarm::Slot(slot));
        self.act(Action::Signal { worker, blow: Blow::Kill });
    }

    /// Kills a worker that can't be relied on. What it did wrong is what its death will be told as.
    pub(crate) fn condemn(&mut self, slot: SlotId, fault: String) {
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.fault = Some(fault);
        }
        self.kill(slot, Leaving::Faulty);
    }

    fn end(&mut self, slot: SlotId, until: Option<Moment>, why: Leaving) {
        self.crew.change(slot, |place| {
            if let Some(worker) = place.vacate() {
                place.state = SlotState::Stopping { worker, until, why };
            }
        });
    }

    /// The link of a worker is of no use any more.
    pub(crate) fn link_broken(&mut self, worker: WorkerId, why: &str) {
        let Some(slot) = self.crew.slot_of(worker) else { return };
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.distrusted = true;
        }
        match self.crew.get(slot).map(|place| &place.state) {
            Some(SlotState::Starting { .. } | SlotState::Idle { .. } | SlotState::Busy { .. }) => {
                self.condemn(slot, format!("its link broke: {why}"));
            }
            Some(SlotState::Stopping { why, .. }) => self.kill(slot, *why),
            Some(SlotState::Empty | SlotState::BackingOff { .. }) | None => {}
        }
    }

    /// A deadline of a slot may have passed.
    pub(crate) fn slot_due(&mut self, slot: SlotId) {
        match self.crew.get(slot).and_then(|place| self.due_of(place)) {
            Some(due) if due > self.now => self.alarms.set(Alarm::Slot(slot), due),
            Some(_) => self.overdue(slot),
            None => {}
        }
    }

    fn overdue(&mut self, slot: SlotId) {
        let Some(place) = self.crew.get(slot) else { return };
        match &place.state {
            SlotState::Empty | SlotState::Idle { .. } => {}
            SlotState::Starting { .. } => {
                self.condemn(slot, format!("it was not ready within {} ms", self.settings.start.as_ms()));
            }
            SlotState::Busy { worker } if worker.leases.front().is_some_and(|first| first.mark.counts()) => {
                let ms = self.settings.lease.as_ms();
                self.condemn(slot, format!("it said nothing for {ms} ms and was killed"));
            }
            SlotState::Busy { .. } => self.kill(slot, Leaving::Dismissed),
            SlotState::Stopping { why, .. } => self.kill(slot, *why),
            SlotState::BackingOff { .. } => {
                self.crew.change(slot, |place| place.state = SlotState::Empty);
            }
        }
    }

    /// When a slot must be looked at.
    pub(crate) fn due_of(&self, place: &Slot) -> Option<Moment> {
        match &place.state {
            SlotState::Empty | SlotState::Idle { .. } => None,
            SlotState::Starting { until, .. } | SlotState::BackingOff { until, .. } => Some(*until),
            SlotState::Busy { worker } => self.first_due(worker),
            SlotState::Stopping { until, .. } => *until,
        }
    }
}
