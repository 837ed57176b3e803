//! Clients and what they wait for. Each request gets exactly one last reply, and a client that is gone gets none.

use std::collections::BTreeSet;

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::{ClientId, JobId};

use crate::Machine;
use crate::action::Action;
use crate::deadline::Alarm;
use crate::finish::cancelled;
use crate::job::Job;
use crate::moment::Moment;
use crate::permission::Who;
use crate::started::Started;

/// A client that has spoken and is not gone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) who: Who,
    pub(crate) pending: Pending,
    pub(crate) started: Started,
}

impl Client {
    /// One that has asked for nothing.
    pub(crate) fn new(who: Who) -> Self {
        Self { who, pending: Pending::Nothing, started: Started::default() }
    }
}

/// What a client is told of a job that it submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    /// Its end.
    End,
    /// Its progress, and its end.
    Progress,
    /// Its id at once; its end when it asks what comes next.
    Next,
}

/// What a client waits for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pending {
    /// Nothing.
    Nothing,
    /// The end of one job.
    End {
        /// Which.
        job: JobId,
    },
    /// The end of one job and its progress on the way.
    Stream {
        /// Which.
        job: JobId,
        /// When it was last told.
        told: Moment,
    },
    /// That its submission is recorded.
    Arrival {
        /// The job to be.
        job: JobId,
    },
    /// That what it did to a job is recorded.
    Record {
        /// Which.
        job: JobId,
    },
    /// The end of a job that it has started.
    Next,
    /// The shell's answer.
    Shell,
    /// A lock, or permits of a semaphore.
    Lock,
    /// Something about objects, which know what.
    Object,
    /// The end of several jobs.
    Ends {
        /// In the order asked.
        jobs: Vec<JobId>,
        /// How many of them, each counted once, are open.
        open: usize,
    },
}

impl Machine {
    /// Answers a client for the last time on its request.
    pub(crate) fn answer(&mut self, client: ClientId, reply: Reply) {
        self.reply(client, reply, false);
    }

    pub(crate) fn refuse(&mut self, client: ClientId, code: ErrorCode, why: impl Into<String>) {
        self.answer(client, Reply::Refused(Failure::new(code, why)));
    }

    pub(crate) fn reply(&mut self, client: ClientId, reply: Reply, continues: bool) {
        self.act(Action::Reply { client, reply, continues });
    }

    /// Lets a client wait for the end of an open job, and tells it where the job stands if it reads progress.
    pub(crate) fn watch(&mut self, client: ClientId, id: JobId, more: bool) {
        if self.is_left(id) {
            return self.answer(client, Reply::Refused(goes_on(id)));
        }
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.watchers.insert(client);
        let pending = if more {
            job.quiet.insert(client);
            Pending::Stream { job: id, told: self.now }
        } else {
            Pending::End { job: id }
        };
        self.wait_for(client, pending);
        if more {
            self.tell(client, id, true);
        }
    }

    /// Lets a client wait until all of these jobs have ended; at once, if they have.
    pub(crate) fn watch_all(&mut self, client: ClientId, jobs: Vec<JobId>) {
        let each: BTreeSet<JobId> = jobs.iter().copied().collect();
        if let Some(&id) = each.iter().find(|&&id| self.is_left(id)) {
            return self.answer(client, Reply::Refused(goes_on(id)));
        }
        let open = each.iter().filter(|&&id| self.jobs.get(id).is_some_and(|job| !job.is_over())).count();
        if open == 0 {
            let views = self.views_of(&jobs);
            return self.answer(client, Reply::Jobs(views));
        }
        for id in each {
            if let Some(job) = self.jobs.get_mut(id) {
                job.watchers.insert(client);
            }
        }
        self.wait_for(client, Pending::Ends { jobs, open });
    }

    pub(crate) fn wait_for(&mut self, client: ClientId, pending: Pending) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.pending = pending;
        }
    }

    pub(crate) fn tell(&mut self, client: ClientId, id: JobId, continues: bool) {
        if let Some(job) = self.jobs.get(id) {
            let view = self.view(job);
            self.reply(client, Reply::Job(Box::new(view)), continues);
        }
    }

    /// Something about a job has changed that those who follow it will want to read, in good time.
    pub(crate) fn note(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        if job.quiet.is_empty() {
            return;
        }
        for client in std::mem::take(&mut job.quiet) {
            let told = match self.clients.get(&client).map(|client| &client.pending) {
                Some(Pending::Stream { told, .. }) => *told,
                Some(
                    Pending::Nothing
                    | Pending::End { .. }
                    | Pending::Ends { .. }
                    | Pending::Arrival { .. }
                    | Pending::Record { .. }
                    | Pending::Next
                    | Pending::Shell
                    | Pending::Lock
                    | Pending::Object,
                )
                | None => continue,
            };
            self.alarms.set(Alarm::Progress(client), told + self.settings.progress);
        }
    }

    /// A client has waited long enough for news.
    pub(crate) fn progress_due(&mut self, client: ClientId) {
        let now = self.now;
        let Some(Client { pending: Pending::Stream { job, told }, .. }) = self.clients.get_mut(&client)
        else {
            return;
        };
        *told = now;
        let id = *job;
        if let Some(job) = self.jobs.get_mut(id) {
            job.quiet.insert(client);
        }
        self.tell(client, id, true);
    }

    /// A job has ended: answers all who waited for that and nothing else.
    pub(crate) fn answer_watchers(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.quiet.clear();
        let (streams, lists): (BTreeSet<_>, BTreeSet<_>) =
            std::mem::take(&mut job.watchers).into_iter().partition(|client| {
                self.clients.get(client).is_some_and(|client| match client.pending {
                    Pending::Nothing | Pending::End { .. } | Pending::Stream { .. } => true,
                    Pending::Ends { .. }
                    | Pending::Arrival { .. }
                    | Pending::Record { .. }
                    | Pending::Next
                    | Pending::Shell
                    | Pending::Lock
                    | Pending::Object => false,
                })
            });
        // They stay watchers until they are answered, so that the job is not forgotten before.
        job.watchers.clone_from(&lists);
        for client in streams {
            self.wait_for(client, Pending::Nothing);
            self.alarms.clear(Alarm::Progress(client));
            self.tell(client, id, false);
        }
        for client in lists {
            self.one_less(client);
        }
        self.tell_starter(id);
    }

    /// A job goes on: those who wait for several ends wait for its end again.
    pub(crate) fn one_more_open(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        for client in &job.watchers {
            if let Some(Client { pending: Pending::Ends { open, .. }, .. }) = self.clients.get_mut(client) {
                *open += 1;
            }
        }
        self.not_over_yet(id);
    }

    fn one_less(&mut self, client: ClientId) {
        let Some(Client { pending: Pending::Ends { open, .. }, .. }) = self.clients.get_mut(&client) else {
            return;
        };
        *open -= 1;
        if *open == 0
            && let Some(Pending::Ends { jobs, .. }) = self.stop_waiting(client)
        {
            let views = self.views_of(&jobs);
            self.answer(client, Reply::Jobs(views));
        }
    }

    /// Takes a client from the watchers of whatever it waits for.
    pub(crate) fn stop_waiting(&mut self, client: ClientId) -> Option<Pending> {
        let place = self.clients.get_mut(&client)?;
        let pending = std::mem::replace(&mut place.pending, Pending::Nothing);
        self.crowded = true;
        self.alarms.clear(Alarm::Progress(client));
        let jobs: &[JobId] = match &pending {
            Pending::Nothing | Pending::Shell | Pending::Next | Pending::Lock | Pending::Object => &[],
            Pending::Arrival { job } => {
                self.ledger.forget_arriver(*job);
                &[]
            }
            Pending::End { job } | Pending::Stream { job, .. } | Pending::Record { job } => {
                std::slice::from_ref(job)
            }
            Pending::Ends { jobs, .. } => jobs,
        };
        for &id in jobs {
            if let Some(job) = self.jobs.get_mut(id) {
                job.watchers.remove(&client);
                job.quiet.remove(&client);
                job.paper.forget_asker(client);
            }
        }
        Some(pending)
    }

    /// Whether a job is open and will not go on before the next start.
    fn is_left(&self, id: JobId) -> bool {
        !self.phase.works() && self.jobs.get(id).is_some_and(Job::is_open)
    }

    /// A job is left open by a supervisor that stops: those who wait for its end hear of that.
    pub(crate) fn send_watchers_away(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        for client in job.watchers.clone() {
            self.stop_waiting(client);
            self.answer(client, Reply::Refused(goes_on(id)));
        }
        self.send_starter_away(id);
    }

    /// A client is gone, and with it the jobs that were attached to it. The last one takes a private supervisor along.
    pub(crate) fn client_gone(&mut self, client: ClientId) {
        let pending = self.stop_waiting(client);
        let started = self.disown(client);
        self.clients.remove(&client);
        self.locker_gone(client);
        self.objects_lose(client);
        if self.settings.until_clients_gone && self.clients.is_empty() {
            return self.stop_now(true);
        }
        if let Some(Pending::End { job: id } | Pending::Stream { job: id, .. }) = pending
            && self.jobs.get(id).is_some_and(|job| job.owner == Some(client))
        {
            self.finish(id, cancelled(id, "its client went away"));
        }
        for id in started {
            self.finish(id, cancelled(id, "its client went away"));
        }
    }
}

/// Why nobody will hear of the end of a job here.
pub(crate) fn goes_on(id: JobId) -> Failure {
    let message = format!("could not wait for {id}: the daemon is stopping; {id} goes on at its next start");
    Failure::new(ErrorCode::Stopping, message)
}
