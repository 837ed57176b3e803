//! What becomes of a recorded job, told to the store: one record outstanding at the most, which holds the job as it is then.

use std::collections::BTreeSet;

use tally_protocol::error::ErrorCode;
use tally_protocol::job::JobState;
use tally_protocol::record::{Progress, Record, SavedShare, Submission};
use tally_protocol::{ClientId, JobId};

use super::paper::Writing;
use super::{AGAIN, Entry, News, Paper};
use crate::Machine;
use crate::clients::Pending;
use crate::deadline::Alarm;
use crate::job::{Job, State};
use crate::moment::Span;

/// A progress record of so many bytes makes the next one wait one interval longer.
const LARGE: u64 = 1 << 20;
/// Jobs whose forgetting is recorded in one go.
const FORGOTTEN_AT_ONCE: usize = 1_000;

impl Machine {
    /// Something about a job is to be recorded, if it is recorded at all.
    pub(crate) fn report(&mut self, id: JobId, change: impl FnOnce(&mut News)) {
        if !self.records() {
            return;
        }
        if let Some(job) = self.jobs.get_mut(id).filter(|job| job.paper.kept) {
            change(&mut job.paper.news);
            self.ledger.inky.insert(id);
        }
    }

    /// Shows a job to a client, once what was done to it is recorded.
    pub(crate) fn tell_recorded(&mut self, client: ClientId, id: JobId) {
        let records = self.records();
        let Some(job) = self.jobs.get_mut(id).filter(|job| job.paper.kept && records) else {
            return self.tell(client, id, false);
        };
        job.paper.askers.insert(client);
        job.paper.news.progress = true;
        job.paper.news.urgent = true;
        self.ledger.inky.insert(id);
        self.wait_for(client, Pending::Record { job: id });
    }

    pub(super) fn look_at_news(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let Paper { news, writing, told, bytes, .. } = &job.paper;
        if writing.is_some() || !news.is_any() {
            return;
        }
        let wait = self.settings.checkpoint.0.saturating_mul(1 + bytes / LARGE);
        let due = *told + Span(wait);
        if news.urgent || (self.ledger.failing.is_none() && due <= self.now) {
            self.write_down(id);
        } else if self.ledger.failing.is_some() {
            self.hold(id);
        } else {
            self.alarms.no_later(Alarm::Record(id), due);
        }
    }

    /// Something about a job was to be written down about now.
    pub(crate) fn record_due(&mut self, id: JobId) {
        self.ledger.inky.insert(id);
    }

    fn hold(&mut self, id: JobId) {
        self.ledger.held.insert(id);
        self.alarms.no_later(Alarm::Store, self.now + AGAIN);
    }

    /// Tells the store how a job is now.
    pub(super) fn write_down(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        if job.paper.writing.is_some() {
            return;
        }
        if job.paper.news.progress {
            job.partial.settle();
        }
        let Some(job) = self.jobs.get(id) else { return };
        let records = self.records_of(job);
        let now = self.now;
        if let Some(job) = self.jobs.get_mut(id) {
            let news = std::mem::take(&mut job.paper.news);
            let askers = std::mem::take(&mut job.paper.askers);
            job.paper.writing = Some(Box::new(Writing { news, askers }));
            job.paper.told = now;
        }
        self.ledger.held.remove(&id);
        self.alarms.clear(Alarm::Record(id));
        let bytes = self.record(Entry::Job(id), &records);
        if let Some(job) = self.jobs.get_mut(id) {
            job.paper.bytes = bytes;
        }
    }

    fn records_of(&self, job: &Job) -> Vec<Record> {
        let news = job.paper.news;
        let mut records = Vec::new();
        if !job.paper.in_store || news.lightened {
            records.push(Record::Submitted(Box::new(Submission {
                job: job.id,
                uid: job.uid,
                submitted_at_ms: job.submitted_at_ms,
                request: job.spec.request.clone(),
                files: job.spec.kernel.source.files().to_vec(),
                run_as: job.spec.kernel.run_as(),
                lightened: job.lightened,
            })));
        }
        if news.reopened {
            records.push(Record::Reopened { job: job.id });
        }
        if news.progress && job.state.name() != JobState::Done && !job.lame {
            records.push(Record::Progress(Box::new(self.progress_of(job))));
        }
        if news.end && !job.is_open() {
            records.push(Record::Ended(Box::new(self.full_view(job))));
        }
        records
    }

    fn progress_of(&self, job: &Job) -> Progress {
        Progress {
            job: job.id,
            paused: job.state == State::Paused,
            deadline_at_ms: job.deadline.map(|deadline| self.settings.wall_ms(deadline)),
            priority: (Some(job.priority) != job.spec.request.priority).then_some(job.priority),
            partitions: job.work.accepted(),
            retries: job.retries,
            late: job.late,
            covered: job.work.coverage().runs().collect(),
            shares: job
                .shares
                .iter()
                .map(|(&(slot, worker), share)| SavedShare {
                    slot,
                    worker,
                    pid: share.pid,
                    partitions: share.partitions,
                    elements: share.elements,
                    busy_ns: share.busy_ns,
                })
                .collect(),
            partial: job.partial.clone(),
        }
    }

    /// The store has answered about a job.
    pub(super) fn written(&mut self, id: JobId, result: Result<(), &str>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let Some(writing) = job.paper.writing.take() else { return };
        job.paper.refused = result.is_err();
        match result {
            Ok(()) => job.paper.in_store = true,
            Err(_) => job.paper.news.take_back(writing.news),
        }
        let announce = writing.news.end && !job.is_open() && job.paper.unannounced;
        let state = job.shown_state();
        let more = job.paper.news.is_any();
        if announce {
            self.announce(id);
        }
        for client in writing.askers {
            self.wait_for(client, Pending::Nothing);
            match result {
                Ok(()) => self.tell(client, id, false),
                Err(why) => self.refuse(
                    client,
                    ErrorCode::StoreFailed,
                    format!("could not record that {id} is {state}, which a crash would take back: {why}"),
                ),
            }
        }
        if more {
            self.ledger.inky.insert(id);
        }
        self.crowded = true;
    }

    /// Everybody may know that a job has ended.
    pub(super) fn announce(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.paper.unannounced = false;
        }
        self.answer_watchers(id);
    }

    /// Jobs are gone here: they are to go there, too.
    pub(crate) fn forgotten(&mut self, jobs: Vec<JobId>) {
        if self.records() {
            for job in jobs {
                self.alarms.clear(Alarm::Record(job));
                self.ledger.held.remove(&job);
                self.ledger.gone.insert(job);
            }
        }
    }

    pub(super) fn write_forgotten(&mut self) {
        let mut jobs = BTreeSet::new();
        while jobs.len() < FORGOTTEN_AT_ONCE
            && let Some(job) = self.ledger.gone.pop_first()
        {
            jobs.insert(job);
        }
        let records: Vec<Record> = jobs.iter().map(|&job| Record::Forgotten { job }).collect();
        self.record(Entry::Gone(jobs), &records);
    }
}
