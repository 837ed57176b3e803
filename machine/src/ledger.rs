//! What the store is told, and who waits until it knows.
//!
//! | what happened to a recorded job | who waits for the store                  | when the store refuses            |
//! |---------------------------------|------------------------------------------|-----------------------------------|
//! | submitted                       | its client; the job is not there before  | refused, and there is no such job |
//! | a partition was accepted        | nobody                                   | offered again                     |
//! | paused, resumed, retried        | the client that asked                    | refused, though it holds for now  |
//! | ended                           | all who wait for its end                 | told all the same; offered again  |
//! | forgotten                       | nobody                                   | offered again                     |
//!
//! A job has one record outstanding at the most; what happens meanwhile goes into the next one, which always holds the
//! job as it is then. A store that refuses is tried with one record a second until it takes one.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{JobSpec, JobState};
use tally_protocol::record::{Change, Progress, Record, SavedShare, Submission};
use tally_protocol::{ClientId, JobId};

use crate::Machine;
use crate::action::{Action, Ticket};
use crate::clients::{Hears, Pending};
use crate::deadline::Alarm;
use crate::job::{Job, State};
use crate::moment::{Moment, Span};
use crate::permission::Who;
use crate::phase::Phase;

/// Pause between two tries of a store that refuses.
const AGAIN: Span = Span::ms(1_000);
/// Doublings of the ids reserved ahead, at the most.
const HASTE_MAX: u32 = 7;
/// A progress record of so many bytes makes the next one wait one interval longer.
const LARGE: u64 = 1 << 20;
/// Jobs whose forgetting is recorded in one go.
const FORGOTTEN_AT_ONCE: usize = 1_000;

/// All that is under way between the machine and the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    tickets: u64,
    /// Records the store has not answered.
    open: BTreeMap<Ticket, Entry>,
    /// Submissions that wait for their record.
    arriving: BTreeMap<JobId, Arrival>,
    /// Job ids below this one can be given out: the store knows that they may have been.
    reserved: u64,
    /// The same, once all that was asked is recorded.
    asked: u64,
    /// Doublings of the ids that are reserved ahead.
    haste: u32,
    /// Jobs with news to look at.
    inky: BTreeSet<JobId>,
    /// Jobs with news that wait for the store to be well again.
    held: BTreeSet<JobId>,
    /// Jobs that are gone here and not there.
    gone: BTreeSet<JobId>,
    /// Why the store refused the last record.
    pub(crate) failing: Option<String>,
    /// Nobody waits for the store any more.
    abandoned: bool,
    /// Records it has taken.
    pub(crate) taken: u64,
    /// Records it has refused.
    pub(crate) refused: u64,
}

/// What a record is about.
#[derive(Clone, Debug)]
enum Entry {
    /// A submission, and perhaps ids up to this one.
    Arrival(JobId, Option<u64>),
    /// The news of a job.
    Job(JobId),
    /// Ids up to this one.
    Ids(u64),
    /// Fencing numbers up to this one.
    Fences(u64),
    /// Jobs that are gone.
    Gone(BTreeSet<JobId>),
    /// A batch of the objects'.
    Objects(u64),
}

impl Entry {
    /// The job whose news it is.
    fn job(&self) -> Option<JobId> {
        match self {
            Self::Job(id) => Some(*id),
            Self::Arrival(..) | Self::Ids(_) | Self::Fences(_) | Self::Gone(_) | Self::Objects(_) => None,
        }
    }
}

/// A submission that waits for its record.
#[derive(Clone, Debug)]
struct Arrival {
    /// Whom to answer; nobody, once it has gone.
    client: Option<ClientId>,
    spec: JobSpec,
    uid: u32,
    bounded: bool,
    hears: Hears,
    at: Moment,
}

/// What the store knows of a job, and what it does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paper {
    /// It is recorded and survives the supervisor.
    pub(crate) kept: bool,
    /// The store has it.
    pub(crate) in_store: bool,
    /// What the store has not been told.
    pub(crate) news: News,
    /// What it is being told.
    writing: Option<Box<Writing>>,
    /// When its progress was last told.
    pub(crate) told: Moment,
    /// In how many bytes.
    bytes: u64,
    /// Clients to be answered once the next record is made.
    askers: BTreeSet<ClientId>,
    /// It has ended, and nobody may know until that is recorded.
    pub(crate) unannounced: bool,
    /// The store has refused its newest state.
    refused: bool,
}

/// What has happened to a job since its last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// More of it is done, or may not be done.
    pub(crate) progress: bool,
    /// It went on after its end.
    pub(crate) reopened: bool,
    /// It ended.
    pub(crate) end: bool,
    /// Somebody waits for the record.
    pub(crate) urgent: bool,
}

#[derive(Clone, Debug)]
struct Writing {
    news: News,
    askers: BTreeSet<ClientId>,
}

impl News {
    fn is_any(self) -> bool {
        self.progress || self.reopened || self.end
    }

    /// What was refused is news still.
    fn take_back(&mut self, refused: Self) {
        self.progress |= refused.progress;
        self.reopened |= refused.reopened;
        self.end |= refused.end;
    }
}

impl Paper {
    /// It goes on after its end; the store may never have heard of that end, or is hearing of it only now.
    pub(crate) fn reopen(&mut self) {
        self.news.reopened = true;
        self.news.end = false;
        if let Some(writing) = &mut self.writing {
            writing.news.end = false;
        }
    }

    /// Whether the store has yet to be told, or to answer.
    pub(crate) fn is_busy(&self) -> bool {
        self.news.is_any() || self.writing.is_some() || self.unannounced
    }

    /// Whether the store has refused what is newest about it.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused && self.is_busy()
    }

    /// Whether this client waits for a record of it.
    pub(crate) fn is_asked_by(&self, client: ClientId) -> bool {
        self.askers.contains(&client)
            || self.writing.as_ref().is_some_and(|writing| writing.askers.contains(&client))
    }

    pub(crate) fn forget_asker(&mut self, client: ClientId) {
        self.askers.remove(&client);
        if let Some(writing) = &mut self.writing {
            writing.askers.remove(&client);
        }
    }
}

impl Ledger {
    /// Nothing is under way; job ids below this one can be given out.
    pub(crate) fn new(reserved: u64) -> Self {
        Self { reserved, asked: reserved, ..Self::default() }
    }

    /// Specs of a user's jobs that wait for the store.
    pub(crate) fn arriving_specs_of(&self, uid: u32) -> impl Iterator<Item = &JobSpec> {
        self.arriving.values().filter(move |arrival| arrival.uid == uid).map(|arrival| &arrival.spec)
    }

    /// How many submissions wait for their record.
    pub(crate) fn arriving_count(&self) -> usize {
        self.arriving.len()
    }

    /// Jobs that are not taken in yet.
    pub(crate) fn arriving_specs(&self) -> impl Iterator<Item = &JobSpec> {
        self.arriving.values().map(|arrival| &arrival.spec)
    }

    /// How many of them are this user's.
    pub(crate) fn arriving_of(&self, uid: u32) -> usize {
        self.arriving.values().filter(|arrival| arrival.uid == uid).count()
    }

    /// Jobs whose newest state the store has refused.
    pub(crate) fn held_count(&self) -> u64 {
        self.held.len() as u64
    }

    /// Nobody is to be told of this submission any more.
    pub(crate) fn forget_arriver(&mut self, job: JobId) {
        if let Some(arrival) = self.arriving.get_mut(&job) {
            arrival.client = None;
        }
    }

    pub(crate) fn is_arriving(&self, job: JobId, client: ClientId) -> bool {
        self.arriving.get(&job).is_some_and(|arrival| arrival.client == Some(client))
    }

    /// Whether the store has answered everything.
    pub(crate) fn is_quiet(&self) -> bool {
        self.open.is_empty() && self.inky.is_empty()
    }
}

impl Machine {
    /// Whether what happens is recorded.
    pub(crate) fn records(&self) -> bool {
        self.settings.durable && !self.ledger.abandoned
    }

    fn record(&mut self, entry: Entry, records: &[Record]) -> u64 {
        self.entrust(entry, records.iter().flat_map(Record::changes).collect())
    }

    /// Writes down what the objects want written.
    pub(crate) fn record_objects(&mut self, batch: u64, changes: Vec<Change>) {
        self.entrust(Entry::Objects(batch), changes);
    }

    fn entrust(&mut self, entry: Entry, changes: Vec<Change>) -> u64 {
        let bytes = changes.iter().map(|change| match change {
            Change::Put(_, _, bytes) => bytes.len() as u64,
            Change::Delete(..) => 0,
        });
        let bytes = bytes.sum();
        self.ledger.tickets += 1;
        let ticket = Ticket(self.ledger.tickets);
        self.ledger.open.insert(ticket, entry);
        self.act(Action::Record { ticket, changes });
        bytes
    }

    /// The store has a record.
    pub(crate) fn recorded(&mut self, ticket: Ticket) {
        let Some(entry) = self.ledger.open.remove(&ticket) else { return };
        self.ledger.taken += 1;
        if self.ledger.failing.take().is_some() {
            self.alarms.clear(Alarm::Store);
            let mut held = std::mem::take(&mut self.ledger.held);
            self.ledger.inky.append(&mut held);
        }
        match entry {
            Entry::Arrival(job, ids) => {
                self.ledger.reserved = self.ledger.reserved.max(ids.unwrap_or(0));
                self.arrived(job);
            }
            Entry::Ids(to) => self.ledger.reserved = self.ledger.reserved.max(to),
            Entry::Fences(to) => self.fences_reserved(to),
            Entry::Job(job) => self.written(job, Ok(())),
            Entry::Objects(batch) => self.objects_written(batch, Ok(())),
            Entry::Gone(_) => {}
        }
    }

    /// The store has refused a record.
    pub(crate) fn not_recorded(&mut self, ticket: Ticket, why: &str) {
        let Some(entry) = self.ledger.open.remove(&ticket) else { return };
        self.ledger.refused += 1;
        self.ledger.failing = Some(why.to_owned());
        self.alarms.set(Alarm::Store, self.now + AGAIN);
        match entry {
            Entry::Arrival(job, _) => {
                self.recount_ids();
                self.not_arrived(job, why);
            }
            Entry::Ids(_) => self.recount_ids(),
            Entry::Fences(to) => self.fences_reserved(to),
            Entry::Job(job) => self.written(job, Err(why)),
            Entry::Objects(batch) => self.objects_written(batch, Err(why)),
            Entry::Gone(mut jobs) => self.ledger.gone.append(&mut jobs),
        }
    }

    /// Ids that will be reserved once all is recorded that is under way.
    fn recount_ids(&mut self) {
        let under_way = self.ledger.open.values().filter_map(|entry| match entry {
            Entry::Arrival(_, ids) => *ids,
            Entry::Ids(to) => Some(*to),
            Entry::Job(_) | Entry::Gone(_) | Entry::Fences(_) | Entry::Objects(_) => None,
        });
        self.ledger.asked = under_way.fold(self.ledger.reserved, u64::max);
    }

    /// It is time to try a store that refuses.
    pub(crate) fn store_due(&mut self) {
        if self.ledger.failing.is_none() || !self.records() {
            return;
        }
        if let Some(id) = self.ledger.held.pop_first() {
            self.write_down(id);
        } else if !self.ledger.gone.is_empty() {
            self.write_forgotten();
        } else if self.lacks_ids() {
            self.write_ids();
        } else {
            // Nobody needs it: the next one who does will see.
            self.ledger.failing = None;
        }
    }

    /// A new job: into the store first, if it is to be recorded or its id may not be shown yet.
    pub(crate) fn receive(&mut self, client: ClientId, who: Who, spec: JobSpec, hears: Hears) {
        let (uid, bounded) = (who.uid, self.is_bounded(who));
        let id = self.jobs.name();
        let kept = spec.request.detach && self.records();
        let unsafe_id = self.records() && id.0 >= self.ledger.reserved && self.ledger.failing.is_none();
        let arrival = Arrival { client: Some(client), spec, uid, bounded, hears, at: self.now };
        if !kept && !unsafe_id {
            return self.admit(id, arrival);
        }
        // At the start everybody waits for the first ones.
        if unsafe_id && self.ledger.taken > 0 {
            self.ledger.haste = (self.ledger.haste + 1).min(HASTE_MAX);
        }
        let mut records = Vec::new();
        let ids = (id.0 >= self.ledger.asked).then(|| id.0.saturating_add(1 + self.ids_ahead()));
        if let Some(to) = ids {
            self.ledger.asked = to;
            records.push(Record::Reserved { to });
        }
        if kept {
            records.push(Record::Submitted(Box::new(Submission {
                job: id,
                uid,
                submitted_at_ms: self.settings.wall_ms(self.now),
                request: arrival.spec.request.clone(),
                files: arrival.spec.kernel.source.files().to_vec(),
                run_as: arrival.spec.kernel.run_as(),
            })));
        }
        self.ledger.arriving.insert(id, arrival);
        self.wait_for(client, Pending::Arrival { job: id });
        self.record(Entry::Arrival(id, ids), &records);
    }

    fn arrived(&mut self, id: JobId) {
        let Some(arrival) = self.ledger.arriving.remove(&id) else { return };
        if let Some(client) = arrival.client {
            self.wait_for(client, Pending::Nothing);
        }
        self.admit(id, arrival);
    }

    fn not_arrived(&mut self, id: JobId, why: &str) {
        let Some(arrival) = self.ledger.arriving.remove(&id) else { return };
        if let Some(client) = arrival.client {
            self.wait_for(client, Pending::Nothing);
        }
        if !arrival.spec.request.detach {
            return self.admit(id, arrival);
        }
        self.release(&arrival.spec);
        if let Some(client) = arrival.client {
            let failure = Failure::new(ErrorCode::StoreFailed, format!("could not record the job: {why}"));
            let hint = "without --detach it runs all the same";
            self.answer(client, Reply::Refused(failure.hint(hint)));
        }
    }

    /// Lets a job begin to be. A detached one was recorded, if any is: it is there even if its client has gone.
    fn admit(&mut self, id: JobId, arrival: Arrival) {
        let Arrival { client, spec, uid, bounded, hears, at } = arrival;
        let detached = spec.request.detach;
        if !detached {
            let Some(client) = client else { return self.release(&spec) };
            if !self.phase.admits() {
                self.release(&spec);
                return self.refuse(
                    client,
                    ErrorCode::Stopping,
                    "the daemon is stopping and takes no new jobs",
                );
            }
        }
        let owner = client.filter(|_| !detached);
        let mut job = Job::new(id, spec, owner, uid, at, &self.settings);
        job.bounded = bounded;
        job.paper.kept = detached && self.settings.durable;
        job.paper.in_store = job.paper.kept;
        job.paper.told = self.now;
        self.jobs.insert(job);
        self.remember_files(id);
        self.figures.jobs_submitted += 1;
        match client {
            Some(client) if detached => {
                self.open(id);
                self.tell(client, id, false);
            }
            Some(client) => {
                match hears {
                    Hears::End => self.watch(client, id, false),
                    Hears::Progress => self.watch(client, id, true),
                    Hears::Next => self.remember_starter(client, id),
                }
                self.open(id);
            }
            None => self.open(id),
        }
    }

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

    /// Writes down what is due.
    pub(crate) fn keep_books(&mut self) {
        if !self.records() {
            self.ledger.inky.clear();
            return;
        }
        while let Some(id) = self.ledger.inky.pop_first() {
            self.look_at_news(id);
        }
        if self.ledger.failing.is_some() {
            if !self.ledger.gone.is_empty() {
                self.alarms.no_later(Alarm::Store, self.now + AGAIN);
            }
        } else {
            while !self.ledger.gone.is_empty() {
                self.write_forgotten();
            }
            if self.phase.works() && self.lacks_ids() {
                self.write_ids();
            }
        }
    }

    fn look_at_news(&mut self, id: JobId) {
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
    fn write_down(&mut self, id: JobId) {
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
        if !job.paper.in_store {
            records.push(Record::Submitted(Box::new(Submission {
                job: job.id,
                uid: job.uid,
                submitted_at_ms: job.submitted_at_ms,
                request: job.spec.request.clone(),
                files: job.spec.kernel.source.files().to_vec(),
                run_as: job.spec.kernel.run_as(),
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
    fn written(&mut self, id: JobId, result: Result<(), &str>) {
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
    fn announce(&mut self, id: JobId) {
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

    fn write_forgotten(&mut self) {
        let mut jobs = BTreeSet::new();
        while jobs.len() < FORGOTTEN_AT_ONCE
            && let Some(job) = self.ledger.gone.pop_first()
        {
            jobs.insert(job);
        }
        let records: Vec<Record> = jobs.iter().map(|&job| Record::Forgotten { job }).collect();
        self.record(Entry::Gone(jobs), &records);
    }

    /// How many ids are reserved ahead: twice as many after each time that somebody had to wait for one.
    fn ids_ahead(&self) -> u64 {
        self.settings.ids_ahead.saturating_mul(1 << self.ledger.haste)
    }

    fn lacks_ids(&self) -> bool {
        self.ledger.asked <= self.jobs.named.saturating_add(1 + self.ids_ahead() / 2)
    }

    fn write_ids(&mut self) {
        let to = self.jobs.named.saturating_add(1 + self.ids_ahead().max(1));
        self.ledger.asked = to;
        self.record(Entry::Ids(to), &[Record::Reserved { to }]);
    }

    /// Fencing numbers below this one may be given out soon.
    pub(crate) fn reserve_fences(&mut self, to: u64) {
        self.record(Entry::Fences(to), &[Record::Fenced { to }]);
    }

    /// The last words to the store: all progress, and that the ids beyond the last job's are free.
    pub(crate) fn close_books(&mut self) {
        if !self.records() {
            return;
        }
        let left: Vec<JobId> = self.jobs.open().map(|job| job.id).collect();
        for id in left {
            self.report(id, |news| news.urgent = news.is_any());
        }
        let to = self.jobs.named.saturating_add(1);
        self.record(Entry::Ids(to), &[Record::Reserved { to }]);
    }

    /// Nobody waits for the store any more: it is told to end at once.
    pub(crate) fn abandon_store(&mut self) {
        if !self.records() {
            return;
        }
        self.ledger.abandoned = true;
        self.abandon_objects();
        self.crowded = true;
        let mut jobs = std::mem::take(&mut self.ledger.inky);
        jobs.append(&mut self.ledger.held);
        for entry in std::mem::take(&mut self.ledger.open).into_values() {
            match entry {
                Entry::Job(id) => {
                    jobs.insert(id);
                }
                Entry::Arrival(..)
                | Entry::Ids(_)
                | Entry::Gone(_)
                | Entry::Fences(_)
                | Entry::Objects(_) => {}
            }
        }
        self.alarms.clear(Alarm::Store);
        self.fences_unbound();
        const WHY: &str = "could not wait for the store: the daemon was told to end at once";
        for arrival in std::mem::take(&mut self.ledger.arriving).into_values() {
            self.release(&arrival.spec);
            if let Some(client) = arrival.client {
                self.wait_for(client, Pending::Nothing);
                // A detached one may be recorded all the same: whoever asked must not take it for one that never was.
                let detached = arrival.spec.request.detach;
                let code = if detached { ErrorCode::StoreFailed } else { ErrorCode::Stopping };
                self.refuse(client, code, WHY);
            }
        }
        for id in jobs {
            self.alarms.clear(Alarm::Record(id));
            let Some(job) = self.jobs.get_mut(id) else { continue };
            let mut askers = std::mem::take(&mut job.paper.askers);
            if let Some(mut writing) = job.paper.writing.take() {
                askers.append(&mut writing.askers);
            }
            job.paper.news = News::default();
            if job.paper.unannounced {
                self.announce(id);
            }
            for client in askers {
                self.wait_for(client, Pending::Nothing);
                self.refuse(client, ErrorCode::Stopping, WHY);
            }
        }
    }

    /// Panics unless the books are in order.
    pub(crate) fn check_ledger(&self) {
        let written: BTreeSet<JobId> = self.ledger.open.values().filter_map(Entry::job).collect();
        for job in self.jobs.all() {
            let paper = &job.paper;
            let open = written.contains(&job.id);
            assert_eq!(open, paper.writing.is_some(), "{}: its record", job.id);
            assert!(paper.kept || !paper.is_busy(), "{} is not recorded and has news", job.id);
            assert!(!paper.unannounced || !job.is_open(), "{} is open and unannounced", job.id);
            let looked_at = self.phase == Phase::Stopped
                || paper.writing.is_some()
                || self.ledger.held.contains(&job.id)
                || self.alarms.when(Alarm::Record(job.id)).is_some();
            assert!(looked_at || !paper.news.is_any(), "nobody writes down the news of {}", job.id);
            assert!(paper.kept || job.past.is_none(), "{} has a past and is not recorded", job.id);
        }
        let held = self.ledger.held.is_empty() && self.ledger.gone.is_empty();
        let tried = self.phase == Phase::Stopped
            || self.alarms.when(Alarm::Store).is_some()
            || !self.ledger.open.is_empty();
        assert!(held || tried || self.ledger.abandoned, "nobody tries the store again");
        assert!(self.settings.durable || self.ledger.tickets == 0, "there is no store");
    }
}
