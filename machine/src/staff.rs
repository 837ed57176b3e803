//! Which workers are started and ended, and what a death means.
//!
//! Workers are started when a piece waits that nobody is coming for, or all at once by an eager supervisor. A worker
//! that dies while it runs a partition is replaced at once, and the partition bears the blame. One that dies idle or
//! starting is replaced at once too, until that happens too often; then its slot backs off.

use tally_protocol::SlotId;
use tally_protocol::WorkerId;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::view::Incident;
use tally_protocol::work::ToWorker;

use crate::Machine;
use crate::action::{Action, Blow, Profile};
use crate::deadline::Alarm;
use crate::job::{Job, Outcome};
use crate::partition::Verdict;
use crate::worker::{Held, Leaving, SlotState, Worker};

/// Failed starts in a row after which jobs fail rather than wait.
const DROUGHT: u32 = 10;

/// Workers of one kind that died before they began anything, with none in between that did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drought {
    pub(crate) failures: u32,
    pub(crate) last: String,
    pub(crate) stderr: String,
}

impl Machine {
    /// Starts the workers that are wanted and can be had.
    pub(crate) fn staff(&mut self) {
        if !self.queue.is_empty() && self.crew.has_places() {
            for profile in self.queue.profiles() {
                for _ in 0..self.unmet(profile) {
                    if !self.make_place(profile) {
                        break;
                    }
                }
            }
        }
        if self.settings.eager && self.phase.admits() {
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
        let gone = |slot: &&crate::worker::Slot| match &slot.state {
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

    fn start(&mut self, slot: SlotId, profile: Profile) {
        let id = self.crew.hire(slot);
        let until = self.now + self.settings.start;
        self.crew.change(slot, |place| {
            let worker = Box::new(Worker::new(id, profile));
            place.state = SlotState::Starting { worker, until };
        });
        self.alarms.set(Alarm::Slot(slot), until);
        self.act(Action::Spawn { worker: id, slot, profile });
    }

    /// The process of a worker exists.
    pub(crate) fn spawned(&mut self, worker: WorkerId, pid: u32) {
        let Some(slot) = self.crew.slot_of(worker) else { return };
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.pid = Some(pid);
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
        let until = self.now + self.settings.grace;
        self.end(slot, Some(until), Leaving::Dismissed);
        self.alarms.set(Alarm::Slot(slot), until);
        self.act(action);
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

    fn end(&mut self, slot: SlotId, until: Option<crate::Moment>, why: Leaving) {
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
        let Some(due) = self.crew.get(slot).and_then(|place| self.due_of(place)) else { return };
        if due > self.now {
            self.alarms.set(Alarm::Slot(slot), due);
            return;
        }
        let Some(place) = self.crew.get(slot) else { return };
        match &place.state {
            SlotState::Empty | SlotState::Idle { .. } => {}
            SlotState::BackingOff { .. } => {
                self.crew.change(slot, |place| place.state = SlotState::Empty);
            }
            SlotState::Starting { .. } => {
                self.condemn(slot, format!("it was not ready within {} ms", self.settings.start.as_ms()));
            }
            SlotState::Busy { worker } => {
                if worker.leases.front().is_some_and(|first| first.mark.counts()) {
                    let ms = self.settings.lease.as_ms();
                    self.condemn(slot, format!("it said nothing for {ms} ms and was killed"));
                } else {
                    self.kill(slot, Leaving::Dismissed);
                }
            }
            SlotState::Stopping { why, .. } => self.kill(slot, *why),
        }
    }

    /// When a slot must be looked at.
    pub(crate) fn due_of(&self, place: &crate::worker::Slot) -> Option<crate::Moment> {
        match &place.state {
            SlotState::Empty | SlotState::Idle { .. } => None,
            SlotState::Starting { until, .. } | SlotState::BackingOff { until, .. } => Some(*until),
            SlotState::Busy { worker } => self.first_due(worker),
            SlotState::Stopping { until, .. } => *until,
        }
    }

    /// The process of a worker ended, or never began to be.
    pub(crate) fn worker_gone(&mut self, id: WorkerId, how: &str, stderr: String) {
        let Some(slot) = self.crew.slot_of(id) else { return };
        let Some(place) = self.crew.get(slot) else { return };
        let dismissed = match &place.state {
            SlotState::Stopping { why, .. } => *why == Leaving::Dismissed,
            SlotState::Empty
            | SlotState::Starting { .. }
            | SlotState::Idle { .. }
            | SlotState::Busy { .. }
            | SlotState::BackingOff { .. } => false,
        };
        let Some(worker) = self.crew.change(slot, crate::worker::Slot::vacate).flatten() else { return };
        self.crew.dismiss(id);
        self.alarms.clear(Alarm::Slot(slot));
        let what = worker.fault.clone().unwrap_or_else(|| how.to_owned());
        let death = Death { slot, pid: worker.pid.unwrap_or(0), what, stderr };
        let worked = worker.running.is_some();
        self.lose_leases(&worker, &death);
        if !dismissed && self.phase.works() {
            self.restarts += 1;
            self.count_death(&worker, &death, worked);
        }
        self.crew.shrink(self.settings.slots);
        self.feed = true;
    }

    /// Gives the leases of a dead worker back. The one that ran is charged, no other.
    fn lose_leases(&mut self, worker: &Worker, death: &Death) {
        for id in &worker.knows {
            if let Some(job) = self.jobs.get_mut(*id)
                && worker.holding.contains_key(id)
                && worker.running.is_none_or(|running| running.job != *id)
            {
                let incident = death.incident(job, self.now, None);
                job.remember(incident);
            }
        }
        let (ran, others): (Vec<&Held>, Vec<&Held>) = worker
            .leases
            .iter()
            .filter(|held| held.mark.counts())
            .partition(|held| worker.running == Some(held.lease));
        others.into_iter().for_each(|held| self.give_back(death.slot, held));
        // Last, because it may end the job.
        ran.into_iter().for_each(|held| self.charge(held, death));
        for &id in &worker.knows {
            if let Some(job) = self.jobs.get_mut(id) {
                job.hands.remove(&death.slot);
            }
        }
    }

    fn charge(&mut self, held: &Held, death: &Death) {
        let id = held.lease.job;
        let Some(job) = self.jobs.get_mut(id).filter(|job| job.is_open()) else { return };
        let incident = death.incident(job, self.now, Some(held));
        job.remember(incident);
        job.in_flight -= held.done;
        job.hand_in(death.slot);
        let verdict = job.work.charge(held.lease.partition, job.retries_max);
        match verdict {
            Verdict::Again => {
                job.retries += 1;
                self.refile(id);
                self.note(id);
            }
            Verdict::Convicted { position, count, deaths } => {
                let failure = death.conviction(job, position, count, deaths);
                self.finish(id, Outcome::Failed(failure));
            }
        }
    }

    /// A death that nobody asked for.
    fn count_death(&mut self, worker: &Worker, death: &Death, worked: bool) {
        let now = self.now;
        let jitter = self.random();
        let Some(place) = self.crew.get_mut(death.slot) else { return };
        place.health.lost += 1;
        if worked {
            return;
        }
        if worker.ready_at.is_some_and(|ready| now.since(ready) >= self.settings.backoff_reset) {
            place.health.recovered();
        }
        let delay = place.health.died_young(now, &self.settings, jitter);
        if let Some(delay) = delay {
            let until = now + delay;
            let profile = worker.profile;
            self.crew.change(death.slot, |place| place.state = SlotState::BackingOff { until, profile });
            self.alarms.set(Alarm::Slot(death.slot), until);
        }
        self.count_drought(worker.profile, death);
    }

    fn count_drought(&mut self, profile: Profile, death: &Death) {
        let drought = self.droughts.entry(profile).or_default();
        drought.failures += 1;
        drought.last.clone_from(&death.what);
        drought.stderr.clone_from(&death.stderr);
        let proven = |worker: &Worker| worker.profile == profile && worker.proven;
        if drought.failures >= DROUGHT
            && !self.crew.slots().iter().filter_map(|slot| slot.ready()).any(proven)
        {
            self.give_up(profile);
        }
    }

    /// No worker of this kind can be had: its jobs fail rather than hang, but for those that nobody waits for.
    fn give_up(&mut self, profile: Profile) {
        let Some(drought) = self.droughts.remove(&profile) else { return };
        let hopeless = |job: &&Job| {
            job.profile == profile && job.wants_workers() && !(job.detached && self.settings.eager)
        };
        let ids: Vec<_> = self.jobs.open().filter(hopeless).map(|job| job.id).collect();
        for id in ids {
            self.finish(id, Outcome::Failed(no_workers(&drought)));
        }
    }

    /// A worker of this kind has begun a partition: they can be had.
    pub(crate) fn proven(&mut self, slot: SlotId) {
        let Some(worker) = self.crew.worker_mut(slot) else { return };
        if !worker.proven {
            worker.proven = true;
            let profile = worker.profile;
            self.droughts.remove(&profile);
        }
    }
}

fn no_workers(drought: &Drought) -> Failure {
    let message = format!("could not start workers: {} in a row failed; {}", drought.failures, drought.last);
    let mut failure = Failure::new(ErrorCode::NoWorkers, message);
    failure.stderr = some_text(&drought.stderr);
    failure
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// How a worker died, for those who read of it.
struct Death {
    slot: SlotId,
    pid: u32,
    what: String,
    stderr: String,
}

impl Death {
    fn incident(&self, job: &Job, now: crate::Moment, held: Option<&Held>) -> Incident {
        Incident {
            after_ms: now.since(job.submitted).as_ms(),
            slot: self.slot,
            pid: self.pid,
            range: held.map(|held| job.spec.kernel.describe(held.position, held.count)),
            attempt: held.map(|held| held.lease.attempt.0),
            what: self.what.clone(),
            stderr: some_text(&self.stderr),
        }
    }

    fn conviction(&self, job: &Job, position: u64, count: u64, deaths: u32) -> Failure {
        let range = job.spec.kernel.describe(position, count);
        let workers = if deaths == 1 { "1 worker".to_owned() } else { format!("{deaths} workers") };
        let message = format!("range {range} killed {workers} ({})", self.what);
        let hint = format!("the other partials are kept; 'tally retry {}' goes on from them", job.id);
        let mut failure = Failure::new(ErrorCode::WorkerKilled, message).hint(hint);
        failure.range = Some(range);
        failure.stderr = some_text(&self.stderr);
        failure
    }
}
