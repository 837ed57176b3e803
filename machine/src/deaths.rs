//! What the death of a worker means.
//!
//! | it died                          | its running lease | its other leases | its slot                                |
//! |----------------------------------|-------------------|------------------|-----------------------------------------|
//! | while it ran a partition         | charged           | given back       | Empty: the next one starts at once      |
//! | idle, starting, between two      | none              | given back       | Empty, or BackingOff if that is too often |
//! | because it was told to           | none              | given back       | Empty                                   |
//!
//! A charged partition is tried again, in halves if it has killed too often, until an element is convicted and its job
//! fails. When no worker of a kind lives to begin anything, the jobs that need that kind fail rather than wait for ever.

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::history::SpanEnd;
use tally_protocol::view::Incident;
use tally_protocol::{SlotId, WorkerId};

use crate::action::Profile;
use crate::deadline::Alarm;
use crate::job::{Job, Outcome};
use crate::partition::Verdict;
use crate::worker::{Held, Slot, SlotState, Worker};
use crate::{Machine, Moment};

/// Failed starts in a row after which jobs fail rather than wait.
pub(crate) const DROUGHT: u32 = 10;

/// Workers of one kind that died before they began anything while jobs were open, with none in between that did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drought {
    pub(crate) failures: u32,
    pub(crate) last: String,
    pub(crate) stderr: String,
}

impl Drought {
    fn is_hopeless(&self) -> bool {
        self.failures >= DROUGHT
    }
}

impl Machine {
    /// The process of a worker ended, or never began to be.
    pub(crate) fn worker_gone(&mut self, id: WorkerId, how: &str, stderr: String) {
        let Some(slot) = self.crew.slot_of(id) else { return };
        let dismissed = self.crew.get(slot).is_some_and(Slot::is_dismissed);
        let Some(worker) = self.crew.change(slot, Slot::vacate).flatten() else { return };
        self.crew.dismiss(id, worker.profile);
        self.alarms.clear(Alarm::Slot(slot));
        let what = worker.fault.clone().unwrap_or_else(|| how.to_owned());
        let death = Death { slot, pid: worker.pid.unwrap_or(0), what, stderr };
        self.lose_leases(&worker, &death);
        if !dismissed && self.phase.works() {
            self.figures.count_death(worker.fault.as_deref(), how);
            self.count_death(&worker, &death);
        }
        self.drop_surplus_slots();
        self.feed = true;
        self.parted(worker.profile);
    }

    /// Gives the leases of a dead worker back. The one that ran is charged, no other.
    fn lose_leases(&mut self, worker: &Worker, death: &Death) {
        self.tell_of(worker, death);
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

    /// Each job it held leases of hears of its death; the one it ran a partition of hears more, from `charge`.
    fn tell_of(&mut self, worker: &Worker, death: &Death) {
        for &id in worker.holding.keys() {
            if worker.running.is_none_or(|running| running.job != id)
                && let Some(job) = self.jobs.get_mut(id)
            {
                let incident = death.incident(job, self.now, None);
                job.remember(incident);
            }
        }
    }

    pub(crate) fn charge(&mut self, held: &Held, death: &Death) {
        let id = held.lease.job;
        let Some(job) = self.jobs.get_mut(id).filter(|job| job.is_open()) else { return };
        let incident = death.incident(job, self.now, Some(held));
        job.remember(incident);
        job.note_end(self.now, (death.slot, death.pid), held, SpanEnd::Lost);
        job.in_flight -= held.done;
        job.hand_in(death.slot);
        let verdict = job.work.charge(held.lease.partition, job.retries_max);
        match verdict {
            Verdict::Again => {
                job.retries += 1;
                self.figures.retries += 1;
                self.refile(id);
                self.note(id);
            }
            Verdict::Convicted { position, count, deaths } => {
                let failure = death.conviction(job, position, count, deaths);
                let failure = Failure { hint: self.retry_hint(id), ..failure };
                self.finish(id, Outcome::Failed(failure));
            }
        }
    }

    /// A death that nobody asked for.
    fn count_death(&mut self, worker: &Worker, death: &Death) {
        self.restarts += 1;
        let now = self.now;
        let jitter = self.random();
        let Some(place) = self.crew.get_mut(death.slot) else { return };
        place.health.lost += 1;
        if worker.running.is_some() {
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
        let own_is_over = profile.job.is_some_and(|id| !self.jobs.get(id).is_some_and(Job::is_open));
        if self.jobs.open_count() == 0 || own_is_over {
            return;
        }
        let drought = self.droughts.entry(profile).or_default();
        drought.failures = drought.failures.saturating_add(1);
        drought.last.clone_from(&death.what);
        drought.stderr.clone_from(&death.stderr);
        let drought = drought.clone();
        if drought.is_hopeless() && !self.has_proven(profile) {
            self.give_up(&drought, |kind| kind == profile);
        }
    }

    fn has_proven(&self, profile: Profile) -> bool {
        let mut ready = self.crew.slots().iter().filter_map(Slot::ready);
        ready.any(|worker| worker.profile == profile && worker.proven)
    }

    /// No worker of some kinds can be had: their jobs fail rather than hang, but for those that nobody waits for.
    pub(crate) fn give_up(&mut self, drought: &Drought, of_kind: impl Fn(Profile) -> bool) {
        let outcome = Outcome::Failed(no_workers(drought));
        let hopeless = |job: &&Job| {
            of_kind(job.profile) && job.wants_workers() && !(job.detached && self.settings.eager)
        };
        let ids: Vec<_> = self.jobs.open().filter(hopeless).map(|job| job.id).collect();
        for id in ids {
            self.finish(id, outcome.clone());
        }
    }

    /// Whether workers of this kind have failed so often in a row that nobody should make room for one.
    pub(crate) fn is_hopeless(&self, profile: Profile) -> bool {
        self.droughts.get(&profile).is_some_and(Drought::is_hopeless)
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
    failure.stderr = some_text(&drought.stderr).map(String::into_boxed_str);
    if drought.last.ends_with("too many open files") {
        return failure.hint("'ulimit -n' tells how many files may be open, and raises it");
    }
    failure
}

pub(crate) fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// What befell a worker, for those who read of it.
pub(crate) struct Death {
    pub(crate) slot: SlotId,
    pub(crate) pid: u32,
    pub(crate) what: String,
    pub(crate) stderr: String,
}

impl Death {
    /// As it is remembered by a job, with the lease that ran.
    pub(crate) fn incident(&self, job: &Job, now: Moment, held: Option<&Held>) -> Incident {
        Incident {
            after_ms: job.age_ms(now),
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
        let mut failure = if job.spec.kernel.command.is_some() {
            let times = if deaths == 1 { "once".to_owned() } else { format!("{deaths} times") };
            let message = format!("the command failed {times} at range {range}: {}", self.what);
            Failure::new(ErrorCode::KernelFailed, message)
        } else {
            let message = format!("range {range} killed {workers} ({})", self.what);
            Failure::new(ErrorCode::WorkerKilled, message)
        };
        failure.range = Some(range.into_boxed_str());
        failure.stderr = some_text(&self.stderr).map(String::into_boxed_str);
        failure
    }
}
