//! Submissions: into the store first, if they are to be recorded or their ids may not be shown yet.

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::JobSpec;
use tally_protocol::record::{Record, Submission};
use tally_protocol::{ClientId, JobId};

use super::{Entry, Ledger};
use crate::Machine;
use crate::clients::{Hears, Pending};
use crate::job::Job;
use crate::moment::Moment;
use crate::permission::Who;

/// Doublings of the ids reserved ahead, at the most.
const HASTE_MAX: u32 = 7;

/// A submission that waits for its record.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// Whom to answer; nobody, once it has gone.
    client: Option<ClientId>,
    spec: JobSpec,
    uid: u32,
    bounded: bool,
    hears: Hears,
    at: Moment,
}

impl Ledger {
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

    /// Nobody is to be told of this submission any more.
    pub(crate) fn forget_arriver(&mut self, job: JobId) {
        if let Some(arrival) = self.arriving.get_mut(&job) {
            arrival.client = None;
        }
    }

    pub(crate) fn is_arriving(&self, job: JobId, client: ClientId) -> bool {
        self.arriving.get(&job).is_some_and(|arrival| arrival.client == Some(client))
    }
}

impl Machine {
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
                lightened: false,
            })));
        }
        self.ledger.arriving.insert(id, arrival);
        self.wait_for(client, Pending::Arrival { job: id });
        self.record(Entry::Arrival(id, ids), &records);
    }

    pub(super) fn arrived(&mut self, id: JobId) {
        let Some(arrival) = self.ledger.arriving.remove(&id) else { return };
        if let Some(client) = arrival.client {
            self.wait_for(client, Pending::Nothing);
        }
        self.admit(id, arrival);
    }

    pub(super) fn not_arrived(&mut self, id: JobId, why: &str) {
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

    /// Tells all who wait for the store that nobody does so any more.
    pub(super) fn turn_arrivals_away(&mut self, why: &str) {
        for arrival in std::mem::take(&mut self.ledger.arriving).into_values() {
            self.release(&arrival.spec);
            if let Some(client) = arrival.client {
                self.wait_for(client, Pending::Nothing);
                // A detached one may be recorded all the same: whoever asked must not take it for one that never was.
                let detached = arrival.spec.request.detach;
                let code = if detached { ErrorCode::StoreFailed } else { ErrorCode::Stopping };
                self.refuse(client, code, why);
            }
        }
    }
}
