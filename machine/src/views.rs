//! What the supervisor shows of itself. Nothing is decided from these.

use tally_protocol::answers::Answers;
use tally_protocol::job::{JobState, Transport};
use tally_protocol::source::Source;
use tally_protocol::version;
use tally_protocol::view::{JobView, PartitionCounts, StatusView, WorkerShare, WorkerView};
use tally_protocol::work::shortened;
use tally_protocol::{JobId, SlotId};

use crate::Machine;
use crate::job::{Job, Outcome, Share, State};
use crate::moment::Moment;
use crate::pace::eta_ms;
use crate::permission::Who;
use crate::worker::{Slot, SlotState};

impl Machine {
    /// A job as everybody may know it: one whose end is not recorded yet still runs.
    pub(crate) fn view(&self, job: &Job) -> JobView {
        let view = self.full_view(job);
        if !job.paper.unannounced {
            return view;
        }
        let elapsed_ms = job.age_ms(self.now);
        JobView {
            state: job.shown_state(),
            results: Vec::new(),
            groups: None,
            error: None,
            ended_at_ms: None,
            elapsed_ms,
            ..view
        }
    }

    /// A job as it is now.
    pub(crate) fn full_view(&self, job: &Job) -> JobView {
        let stored = job.paper.is_refused().then_some(false);
        if let Some(past) = &job.past {
            return JobView { stored, ..JobView::clone(past) };
        }
        let (ended, answers, error) = match &job.state {
            State::Queued | State::Running | State::Paused => (None, None, None),
            State::Ended { at, outcome, .. } => match outcome {
                Outcome::Done(answers) => (Some(*at), Some(answers), None),
                Outcome::Failed(why) | Outcome::Cancelled(why) | Outcome::TimedOut(why) => {
                    (Some(*at), None, Some(why.clone()))
                }
            },
        };
        let done = job.work.covered() + job.in_flight;
        let rate = self.rate(job);
        // Of files, positions are bytes; how many elements lie in them is known of those that have been folded.
        let files = matches!(job.spec.kernel.source, Source::Files(_));
        let (folded, skipped, made_nan) = match answers {
            Some(answers) => (answers.elements, answers.skipped, answers.made_nan),
            None => (job.partial.elements(), job.partial.skipped(), job.partial.made_nan()),
        };
        let some = |count: u64| (count > 0).then(|| count.to_string());
        let request = &job.spec.request;
        let command = request.command.as_ref();
        JobView {
            job: job.id,
            state: job.state.name(),
            reductions: job.spec.kernel.reductions.iter().map(|one| one.name().to_owned()).collect(),
            sources: request.sources.clone(),
            step: request.step.clone(),
            of: request.of.as_deref().map(shortened).map(str::to_owned),
            filter: request.filter.as_deref().map(shortened).map(str::to_owned),
            by: request.by.clone(),
            results: answers.map_or_else(Vec::new, |answers| answers.results.clone()),
            groups: answers.and_then(|answers| answers.groups.clone()),
            error,
            elements: if files || (answers.is_some() && command.is_none()) {
                folded
            } else {
                job.spec.elements
            }
            .to_string(),
            elements_done: if files { folded } else { done }.to_string(),
            skipped: some(skipped),
            made_nan: some(made_nan),
            bytes: files.then(|| job.spec.elements.to_string()),
            bytes_done: files.then(|| done.to_string()),
            elapsed_ms: job.age_ms(ended.unwrap_or(self.now)),
            submitted_at_ms: job.submitted_at_ms,
            ended_at_ms: ended.map(|_| job.ended_at_ms()),
            rate_per_s: rate,
            eta_ms: rate.and_then(|rate| eta_ms(job.spec.elements - done, rate)),
            partitions: job.partitions(),
            workers: job.shares.iter().map(|(&(slot, _), share)| job.share(slot, share)).collect(),
            retries: job.retries,
            late: job.late,
            priority: job.priority,
            detached: job.detached,
            transport: job.transport(),
            start: job.profile.start,
            mode: "processes".to_owned(),
            incidents: job.incidents.iter().cloned().collect(),
            uid: Some(job.uid),
            stored,
            note: self.note_on(job),
            history: None,
            command: command.map(|command| command.shown()),
        }
    }

    fn note_on(&self, job: &Job) -> Option<String> {
        let notes: Vec<String> = job.note().into_iter().chain(self.unanswered(job)).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// Elements a second; none while no worker has anything of it, however fast it was before.
    pub(crate) fn rate(&self, job: &Job) -> Option<u64> {
        match job.state {
            State::Running if job.holders == 0 => Some(0),
            State::Running => job.meter.rate(self.now),
            State::Queued | State::Paused | State::Ended { .. } => None,
        }
    }

    /// Those of these jobs that are remembered.
    pub(crate) fn views_of(&self, ids: &[JobId]) -> Vec<JobView> {
        ids.iter().filter_map(|&id| self.jobs.get(id)).map(|job| self.view(job)).collect()
    }

    /// The supervisor as a whole.
    #[must_use]
    pub fn status(&self) -> StatusView {
        let count = |state: JobState| self.jobs.count(|job| job.state == state);
        StatusView {
            version: version::PROGRAM.to_owned(),
            pid: self.settings.identity.pid,
            phase: self.phase.name().to_owned(),
            uptime_ms: self.now.since(Moment(0)).as_ms(),
            socket: self.settings.identity.socket.clone(),
            slots: u64::from(self.settings.slots),
            workers: self.crew.slots().iter().filter(|slot| slot.ready().is_some()).count() as u64,
            queued: count(JobState::Queued),
            running: count(JobState::Running),
            paused: count(JobState::Paused),
            ended: self.jobs.ends,
            remembered: Some(self.jobs.ended_count() as u64),
            clients: self.clients.len() as u64,
            restarts: self.restarts,
            late: self.late,
            durable: self.settings.durable,
            unrecorded: self.ledger.held_count(),
            store_error: self.ledger.failing.clone(),
            objects: self.objects.view(),
            ..StatusView::default()
        }
    }

    /// Its slots.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerView> {
        self.crew.slots().iter().map(|slot| self.worker_view(slot)).collect()
    }

    /// Some of them, for somebody who may not know of all jobs.
    pub(crate) fn workers_for(&self, who: Who, offset: u64, limit: u64) -> Vec<WorkerView> {
        let [offset, limit] = [offset, limit].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let slots = self.crew.slots().iter().skip(offset).take(limit);
        let mut views: Vec<WorkerView> = slots.map(|slot| self.worker_view(slot)).collect();
        for view in &mut views {
            if view.job.and_then(|id| self.jobs.get(id)).is_some_and(|job| !who.sees(job)) {
                (view.job, view.range) = (None, None);
            }
        }
        views
    }

    fn worker_view(&self, slot: &Slot) -> WorkerView {
        let worker = slot.worker();
        let first = worker.and_then(|worker| worker.leases.front());
        let job = first.and_then(|held| self.jobs.get(held.lease.job));
        let profile = worker.map_or(self.settings.profile, |worker| worker.profile);
        let backoff = match &slot.state {
            SlotState::BackingOff { until, .. } => Some(until.since(self.now).as_ms()),
            SlotState::Empty
            | SlotState::Starting { .. }
            | SlotState::Idle { .. }
            | SlotState::Busy { .. }
            | SlotState::Stopping { .. } => None,
        };
        WorkerView {
            slot: slot.id,
            state: slot.state_name().to_owned(),
            pid: worker.and_then(|worker| worker.pid),
            job: first.map(|held| held.lease.job),
            range: first.zip(job).map(|(held, job)| job.spec.kernel.describe(held.position, held.count)),
            leases: worker.map_or(0, |worker| worker.leases.len() as u64),
            partitions: worker.map_or(0, |worker| worker.accepted),
            restarts: slot.health.lost,
            backoff_ms: backoff,
            transport: worker.and_then(|worker| worker.transport).unwrap_or(profile.transport),
            start: profile.start,
            // What confines a process, and what it uses, is the shell's to tell.
            confined: None,
            cpu_ms: None,
            age_ms: None,
            rss_bytes: None,
        }
    }
}

impl Job {
    /// The link its workers had; what it asked for, as long as they had none or several.
    fn transport(&self) -> Transport {
        match (self.links.first(), self.links.len()) {
            (Some(&only), 1) => only,
            (Some(_) | None, _) => self.profile.transport,
        }
    }

    fn note(&self) -> Option<String> {
        let links = (self.links.len() > 1).then(|| {
            let names: Vec<&str> = self.links.iter().map(|one| one.name()).collect();
            format!("its workers had links of several kinds: {}", names.join(", "))
        });
        let notes: Vec<String> = links.into_iter().chain(self.spec.pieces_note()).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    fn partitions(&self) -> PartitionCounts {
        let (done, leased) = (self.work.accepted(), self.work.leased());
        let planned = self.work.planned();
        let queued = self.work.returned() + planned.unwrap_or(0);
        PartitionCounts { done, leased, queued, total: planned.map(|_| done + leased + queued) }
    }

    fn share(&self, slot: SlotId, share: &Share) -> WorkerShare {
        let (ranges, results) = match &share.breakdown {
            None => (Vec::new(), Vec::new()),
            Some(breakdown) => {
                let runs = breakdown.ranges.runs();
                let mut ranges: Vec<String> =
                    runs.map(|(position, count)| self.spec.kernel.describe(position, count)).collect();
                if breakdown.cut_off {
                    ranges.push("...".to_owned());
                }
                (ranges, Answers::of_part(&breakdown.partial, self.spec.request.population))
            }
        };
        WorkerShare {
            slot,
            pid: share.pid,
            partitions: share.partitions,
            elements: match self.spec.kernel.source {
                Source::Ranges(_) => share.elements,
                Source::Files(_) => share.folded,
            }
            .to_string(),
            busy_ms: share.busy_ns / 1_000_000,
            ranges,
            results,
        }
    }
}
