//! Why a job waits, in sentences, the weightiest first.

use tally_protocol::command::Form;
use tally_protocol::control::Reply;
use tally_protocol::{ClientId, JobId, limits, spoken};

use crate::Machine;
use crate::job::{Job, State};
use crate::permission::Who;
use crate::phase::Phase;
use crate::worker::{Slot, SlotState};

impl Machine {
    pub(crate) fn explain(&mut self, client: ClientId, id: JobId) {
        if !self.exists(client, id) {
            return;
        }
        let Some(job) = self.jobs.get(id) else { return };
        let reply = Reply::Explanation {
            job: Box::new(self.view(job)),
            reasons: self.reasons(job, self.who(client)),
        };
        self.answer(client, reply);
    }

    fn reasons(&self, job: &Job, who: Who) -> Vec<String> {
        let mut reasons = Vec::new();
        match &job.state {
            State::Ended { .. } if !job.is_over() => {
                reasons.push("it has ended, which is being recorded".to_owned());
            }
            State::Ended { .. } => {
                reasons.push(format!("it is over: {}", job.state.name()));
                let why = self.full_view(job).error;
                reasons.extend(why.into_iter().flat_map(|why| [Some(why.message), why.hint]).flatten());
            }
            State::Paused => reasons.push(format!("it is paused; 'tally resume {}' lets it go on", job.id)),
            State::Queued | State::Running => self.why_it_waits(job, who, &mut reasons),
        }
        match self.phase {
            Phase::Running => {}
            Phase::Draining { .. } => reasons.push("the daemon is draining".to_owned()),
            Phase::Stopping | Phase::Stopped => reasons.push("the daemon is stopping".to_owned()),
        }
        reasons
    }

    fn why_it_waits(&self, job: &Job, who: Who, reasons: &mut Vec<String>) {
        if job.holders > 0 {
            reasons.push(format!("it runs on {}", workers(u64::from(job.holders))));
        }
        reasons.extend(self.unanswered(job));
        if job.conclusion.is_some() {
            reasons.push("all of it is folded; its answer is being worked out".to_owned());
        } else if job.parting {
            reasons.push("all of it is answered; the processes of its command are ending".to_owned());
        } else if !job.work.has_waiting() {
            reasons.push("all its partitions are leased".to_owned());
        } else if job.is_full() {
            let most = workers(u64::from(job.holders));
            reasons.push(format!("it may have no more than {most}"));
        } else {
            self.why_no_worker(job, who, reasons);
        }
    }

    /// What to tell of a command that lives on and has kept the first line it was given for long: mostly it has answered, and
    /// keeps that in its buffer.
    pub(crate) fn unanswered(&self, job: &Job) -> Option<String> {
        let command = job.spec.kernel.command.as_ref()?;
        if command.form != Form::Persistent || job.holders == 0 {
            return None;
        }
        let waits = self.crew.slots().iter().filter_map(|slot| {
            let worker =
                slot.worker().filter(|worker| worker.profile == job.profile && worker.accepted == 0)?;
            let first =
                worker.leases.front().filter(|held| held.lease.job == job.id && held.mark.counts())?;
            Some(self.now.since(first.granted).as_ms())
        });
        let longest = waits.max().filter(|&ms| ms >= limits::COMMAND_SILENT_MS)?;
        Some(spoken::silent_command(longest))
    }

    fn why_no_worker(&self, job: &Job, who: Who, reasons: &mut Vec<String>) {
        let ready: Vec<&Slot> = self.crew.slots().iter().filter(|slot| slot.ready().is_some()).collect();
        let of_kind = |slot: &&&Slot| slot.worker().is_some_and(|worker| worker.profile == job.profile);
        if ready.is_empty() {
            reasons.push(format!("no worker is ready: {}", self.why_none_is_ready()));
        } else if ready.iter().filter(of_kind).count() == 0 {
            let kind = format!("{} over {}", job.profile.start, job.profile.transport);
            reasons.push(format!("no worker of its kind ({kind}) is ready: {}", self.why_none_is_ready()));
        }
        if !ready.is_empty() {
            reasons.push(self.busy_with(&ready, job, who));
        }
        if let Some(until) = self.starter.until.filter(|_| self.starter_waits(job.profile)) {
            let (ms, last) = (until.since(self.now).as_ms(), &self.starter.last);
            reasons.push(format!("the next forkserver is started in {ms} ms, as too many were lost: {last}"));
        }
        if let Some(drought) = self.droughts.get(&job.profile) {
            let times = drought.failures;
            reasons.push(format!("the last {times} starts of such a worker failed: {}", drought.last));
        }
    }

    fn why_none_is_ready(&self) -> String {
        let told: Vec<String> =
            self.crew.slots().iter().filter_map(|slot| self.why_not_ready(slot)).collect();
        match told.len() {
            0 => "none has been started".to_owned(),
            1..=4 => told.join(", "),
            many => format!("{}, and {} more like this", told[..3].join(", "), many - 3),
        }
    }

    fn why_not_ready(&self, slot: &Slot) -> Option<String> {
        let id = slot.id;
        match &slot.state {
            SlotState::Empty | SlotState::Idle { .. } | SlotState::Busy { .. } => None,
            SlotState::Starting { .. } => Some(format!("slot {id} is starting")),
            SlotState::Stopping { .. } => Some(format!("slot {id} is stopping")),
            SlotState::BackingOff { until, .. } => {
                let ms = until.since(self.now).as_ms();
                Some(format!("slot {id} backs off for {ms} ms after {} deaths", slot.health.young))
            }
        }
    }
}

fn workers(count: u64) -> String {
    if count == 1 { "1 worker".to_owned() } else { format!("{count} workers") }
}

impl Machine {
    fn busy_with(&self, ready: &[&Slot], job: &Job, who: Who) -> String {
        let mut others: Vec<JobId> = ready
            .iter()
            .filter_map(|slot| slot.worker())
            .flat_map(|worker| worker.holding.keys().copied())
            .filter(|&id| id != job.id)
            .collect();
        others.sort_unstable();
        others.dedup();
        let all = match ready.len() {
            1 => "the only worker is".to_owned(),
            count => format!("all {count} workers are"),
        };
        if others.is_empty() {
            let with = if job.holders == 0 { "stopping or changing over" } else { "busy with it" };
            return format!("{all} {with}");
        }
        let known = others.into_iter().filter(|&id| self.jobs.get(id).is_some_and(|other| who.sees(other)));
        let jobs: Vec<String> = known.take(5).map(|id| id.to_string()).collect();
        let which = if jobs.is_empty() { String::new() } else { format!(": {}", jobs.join(", ")) };
        format!("{all} busy with jobs of higher or equal priority{which}")
    }
}
