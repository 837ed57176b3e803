//! Jobs that a client starts and whose ends it is told one by one: `Start` and `Next`.
//!
//! | a started job      | is in    | goes on                                                    |
//! |--------------------|----------|------------------------------------------------------------|
//! | runs               | `open`   | to `ended` at its end; cancelled when its client goes      |
//! | ended, not told    | `ended`  | out with the next `Next`; back to `open` when it is retried |
//!
//! A started job is not forgotten before its client was told of its end, and counts among the client's until then.

use std::collections::{BTreeSet, VecDeque};

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::JobSpec;
use tally_protocol::{ClientId, JobId, limits};

use crate::Machine;
use crate::clients::{Hears, Pending, goes_on};
use crate::permission::Who;

/// The started jobs of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Started {
    /// Those that have not ended.
    open: BTreeSet<JobId>,
    /// Those that have, in the order of their ends, and whose end was not told.
    ended: VecDeque<JobId>,
}

impl Started {
    fn count(&self) -> usize {
        self.open.len() + self.ended.len()
    }

    fn holds(&self, id: JobId) -> bool {
        self.open.contains(&id) || self.ended.contains(&id)
    }
}

impl Machine {
    /// A client starts one more job.
    pub(crate) fn start_job(&mut self, client: ClientId, who: Who, spec: JobSpec) {
        let count = self.clients.get(&client).map_or(0, |known| known.started.count());
        if count >= limits::STARTED_MAX {
            self.release(&spec);
            let why = format!("could not start one more job: {count} of this connection are under way");
            return self.refuse(client, ErrorCode::TooMany, why);
        }
        self.submit(client, who, spec, Hears::Next);
    }

    /// A started job is taken in: its client has its id, and may ask for its end.
    pub(crate) fn remember_starter(&mut self, client: ClientId, id: JobId) {
        if let (Some(known), Some(job)) = (self.clients.get_mut(&client), self.jobs.get_mut(id)) {
            job.starter = Some(client);
            known.started.open.insert(id);
        }
        self.answer(client, Reply::Started(id));
    }

    /// A client wants to know which of its jobs has ended next.
    pub(crate) fn next_ended(&mut self, client: ClientId) {
        let Some(known) = self.clients.get(&client) else { return };
        if known.started.count() == 0 {
            let failure =
                Failure::new(ErrorCode::WrongState, "could not wait for a started job: there is none");
            let hint = "Start makes jobs that Next tells of";
            return self.answer(client, Reply::Refused(failure.hint(hint)));
        }
        if known.started.ended.is_empty() {
            return self.wait_for(client, Pending::Next);
        }
        self.tell_ended(client);
    }

    /// A client has more to ask: it waits for the end of a job no longer.
    pub(crate) fn client_calls(&mut self, client: ClientId) {
        if self.clients.get(&client).is_some_and(|known| known.pending == Pending::Next) {
            self.wait_for(client, Pending::Nothing);
            self.tell_ended(client);
        }
    }

    fn tell_ended(&mut self, client: ClientId) {
        let Some(known) = self.clients.get_mut(&client) else { return };
        let count = known.started.ended.len().min(limits::NEXT_JOBS_MAX);
        let ids: Vec<JobId> = known.started.ended.drain(..count).collect();
        let views = self.views_of(&ids);
        for id in ids {
            self.unstart(id);
        }
        self.answer(client, Reply::Jobs(views));
    }

    fn unstart(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.starter = None;
        }
        self.crowded = true;
    }

    /// A job has ended: the client that started it hears of it, at once or when it asks.
    pub(crate) fn tell_starter(&mut self, id: JobId) {
        let Some(client) = self.jobs.get(id).and_then(|job| job.starter) else { return };
        let Some(known) = self.clients.get_mut(&client) else { return };
        known.started.open.remove(&id);
        known.started.ended.push_back(id);
        if known.pending == Pending::Next {
            self.wait_for(client, Pending::Nothing);
            self.tell_ended(client);
        }
    }

    /// A started job goes on before its end was told.
    pub(crate) fn not_over_yet(&mut self, id: JobId) {
        let Some(client) = self.jobs.get(id).and_then(|job| job.starter) else { return };
        if let Some(known) = self.clients.get_mut(&client) {
            known.started.ended.retain(|&ended| ended != id);
            known.started.open.insert(id);
        }
    }

    /// A started job, made to last since, is left open by a supervisor that stops.
    pub(crate) fn send_starter_away(&mut self, id: JobId) {
        let Some(client) = self.jobs.get(id).and_then(|job| job.starter) else { return };
        self.unstart(id);
        let Some(known) = self.clients.get_mut(&client) else { return };
        known.started.open.remove(&id);
        if known.pending == Pending::Next {
            self.wait_for(client, Pending::Nothing);
            self.answer(client, Reply::Refused(goes_on(id)));
        }
    }

    /// A client is gone: its started jobs are nobody's. Returns those that end with it.
    pub(crate) fn disown(&mut self, client: ClientId) -> Vec<JobId> {
        let Some(known) = self.clients.get_mut(&client) else { return Vec::new() };
        let Started { open, ended } = std::mem::take(&mut known.started);
        for &id in open.iter().chain(&ended) {
            self.unstart(id);
        }
        let owned = |id: &JobId| self.jobs.get(*id).is_some_and(|job| job.owner == Some(client));
        open.into_iter().filter(owned).collect()
    }

    /// Panics unless clients and jobs agree on who has started what.
    pub(crate) fn check_started(&self) {
        for job in self.jobs.all() {
            let Some(client) = job.starter else { continue };
            let known = self.clients.get(&client).is_some_and(|known| known.started.holds(job.id));
            assert!(known, "{} was started by client {client}, who does not know it", job.id);
        }
        for (client, known) in &self.clients {
            let Started { open, ended } = &known.started;
            assert!(
                known.started.count() <= limits::STARTED_MAX,
                "client {client} has started too many jobs"
            );
            for &id in open.iter().chain(ended) {
                let job = self.jobs.get(id);
                assert!(job.is_some_and(|job| job.starter == Some(*client)), "{id} is not client {client}'s");
                let over = job.is_some_and(|job| job.is_over());
                assert_eq!(over, ended.contains(&id), "{id} is in the wrong list of client {client}");
            }
            let waits = known.pending == Pending::Next;
            assert!(!waits || (ended.is_empty() && !open.is_empty()), "client {client} waits for nothing");
        }
    }
}
