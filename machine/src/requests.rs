//! What clients ask. Whether a request is legal now is found out first; then it is done or lets its client wait.
//!
//! | request          | phase        | job                                       | last reply          |
//! |------------------|--------------|-------------------------------------------|---------------------|
//! | Submit           | Running      | room for one more                         | at its end; at once when detached |
//! | Start            | Running      | room for one more                         | at once             |
//! | Next             | any          | started by this client, not told yet      | when one has ended, or another request comes |
//! | Retry            | Running      | failed, cancelled or timed out; room      | at once             |
//! | Pause            | any          | queued, running or paused                 | at once             |
//! | Resume           | any          | queued, running or paused                 | at once             |
//! | Reprioritize     | any          | queued, running or paused                 | at once             |
//! | Cancel           | any          | open, if it is the only one named         | at once             |
//! | Result           | any          | ended                                     | at once             |
//! | Follow           | any          | any                                       | at its end          |
//! | Wait             | any          | any                                       | when all have ended |
//! | Operate, Transact, WatchObject, Objects, RemoveObject | Running, Draining |       | by the objects      |
//! | Reload, Upgrade, Config, Metrics | any |                                  | by the shell        |
//! | everything else  | any          | any                                       | at once             |
//!
//! What is done to a recorded job is answered when the store has it (`ledger`).

use tally_protocol::control::{Reply, Request};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{JobSpec, JobState};
use tally_protocol::settings::ReloadView;
use tally_protocol::version::{CONTROL, Spoken};
use tally_protocol::view::JobView;
use tally_protocol::{ClientId, JobId, limits};

use crate::Machine;
use crate::action::Action;
use crate::clients::{Client, Hears, Pending};
use crate::deadline::Alarm;
use crate::finish::cancelled;
use crate::job::{Job, State};
use crate::moment::Span;
use crate::permission::Who;

impl Machine {
    /// A client made a request.
    pub(crate) fn client_said(&mut self, client: ClientId, request: Request, more: bool) {
        let who = self.nobody();
        let known = self.clients.entry(client).or_insert_with(|| Client::new(who));
        let who = known.who;
        if known.pending != Pending::Nothing {
            self.release_of(&request);
            return self.refuse(
                client,
                ErrorCode::BadUsage,
                "could not take a second request before the first is answered",
            );
        }
        if let Err(failure) = self.permit(who, &request) {
            self.release_of(&request);
            return self.answer(client, Reply::Refused(failure));
        }
        match request {
            Request::Hello(spoken) => self.hello(client, spoken),
            Request::Submit(spec) => {
                let hears = if more { Hears::Progress } else { Hears::End };
                self.submit(client, who, *spec, hears);
            }
            Request::Start(spec) => self.start_job(client, who, *spec),
            Request::Next => self.next_ended(client),
            Request::Jobs { all, after } => self.list(client, who, all, after),
            Request::Show(job) => self.show(client, job),
            Request::ShowHistory(job) => self.show_history(client, job),
            Request::Explain(job) => self.explain(client, job),
            Request::Wait(jobs) => self.wait(client, jobs),
            Request::Result(job) => self.result(client, job),
            Request::Follow(job) => self.follow(client, job, more),
            Request::Cancel { jobs, all } => self.cancel(client, who, &jobs, all),
            Request::Pause(job) => self.pause(client, job),
            Request::Resume(job) => self.resume(client, job),
            Request::Retry(job) => self.retry(client, job),
            Request::Status => self.answer(client, Reply::Status(Box::new(self.status()))),
            Request::Workers => self.answer(client, Reply::Workers(self.workers_for(who, 0, u64::MAX))),
            Request::Top(query) => {
                let top = self.top(who, &query);
                self.answer(client, Reply::Top(Box::new(top)));
            }
            Request::Ping => self.answer(client, Reply::Done),
            Request::Drain => {
                self.answer(client, Reply::Done);
                self.drain();
            }
            Request::Stop { now: false } => {
                self.answer(client, Reply::Done);
                self.stop_requested();
            }
            Request::Stop { now: true } => {
                self.answer(client, Reply::Done);
                self.stop_now(false);
            }
            Request::Dump => self.answer(client, Reply::Dump(self.dump(self.now))),
            Request::Reprioritize { job, priority } => self.reprioritize(client, job, priority),
            Request::Reload => self.ask_shell(client, Action::Reload { client }),
            Request::Upgrade { binary } => self.act(Action::Upgrade { client, binary }),
            Request::Config => self.act(Action::Config { client }),
            Request::Metrics => self.act(Action::Metrics { client }),
            Request::Lock(request) => self.lock_said(client, who, request),
            Request::Object(request) => self.object_said(client, who, request, more),
        }
    }

    fn hello(&mut self, client: ClientId, spoken: Spoken) {
        match CONTROL.common(spoken) {
            Some(version) => self.answer(client, Reply::Hello(version)),
            None => {
                let why = format!(
                    "could not agree on a protocol: the client speaks {} to {}, the daemon {} to {}",
                    spoken.oldest, spoken.newest, CONTROL.oldest, CONTROL.newest
                );
                let failure = Failure::new(ErrorCode::VersionMismatch, why);
                let hint = "restart the daemon, so that both are of the same version";
                self.answer(client, Reply::Refused(failure.hint(hint)));
            }
        }
    }

    /// Why no new job may come in, if none may.
    fn shut(&self) -> Option<Failure> {
        if !self.phase.admits() {
            return Some(Failure::new(ErrorCode::Stopping, "the daemon is stopping and takes no new jobs"));
        }
        let most = self.settings.jobs_open_max;
        (self.jobs.open_count() + self.ledger.arriving_count() >= most).then(|| {
            let failure =
                Failure::new(ErrorCode::TooMany, format!("could not take one more job: {most} are open"));
            failure.hint("wait for some to end, or cancel some")
        })
    }

    pub(crate) fn submit(&mut self, client: ClientId, who: Who, spec: JobSpec, hears: Hears) {
        if let Some(failure) = self.shut() {
            self.release(&spec);
            return self.answer(client, Reply::Refused(failure));
        }
        if let Err(failure) = self.make_room_for(who, &spec) {
            self.release(&spec);
            return self.answer(client, Reply::Refused(failure));
        }
        self.receive(client, who, spec, hears);
    }

    /// Lets an open job run: one that is new, or goes on.
    pub(crate) fn open(&mut self, id: JobId) {
        self.set_deadline(id);
        self.level(id);
        self.refile(id);
        self.feed = true;
        if self.jobs.get(id).is_some_and(|job| job.work.is_done()) {
            self.complete(id);
        }
    }

    fn set_deadline(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.deadline = job.spec.request.timeout_ms.map(|ms| self.now + Span::ms(ms));
        if let Some(deadline) = job.deadline {
            self.alarms.set(Alarm::Job(id), deadline);
        }
    }

    /// No more than a turn can show without keeping others waiting.
    fn list(&mut self, client: ClientId, who: Who, all: bool, after: Option<JobId>) {
        let wanted = |job: &&Job| who.sees(job) && (all || !job.is_over());
        let mut jobs = self.jobs.after(after.unwrap_or(JobId(0))).filter(wanted);
        let mut views: Vec<_> =
            jobs.by_ref().take(limits::JOBS_LISTED_MAX).map(|job| self.view(job)).collect();
        let more = jobs.next().is_some();
        drop(jobs);
        let next = views.last().map(|last| last.job).filter(|_| more);
        // A list of a thousand jobs must not carry a thousand answers of a million digits.
        for view in &mut views {
            view.groups = None;
            view.results.retain(|result| result.value.len() <= limits::LISTED_ANSWER_BYTES_MAX);
        }
        self.answer(client, Reply::Listed { jobs: views, next });
    }

    /// Whether there is such a job; its client is told if not.
    pub(crate) fn exists(&mut self, client: ClientId, id: JobId) -> bool {
        let found = self.jobs.get(id).is_some();
        if !found {
            self.refuse_missing(client, id);
        }
        found
    }

    fn state_of(&self, id: JobId) -> Option<JobState> {
        self.jobs.get(id).map(Job::shown_state)
    }

    fn show(&mut self, client: ClientId, id: JobId) {
        if self.exists(client, id) {
            self.tell(client, id, false);
        }
    }

    fn show_history(&mut self, client: ClientId, id: JobId) {
        if !self.exists(client, id) {
            return;
        }
        let Some(job) = self.jobs.get(id) else { return };
        let view = JobView { history: self.history_of(job), ..self.view(job) };
        self.answer(client, Reply::Job(Box::new(view)));
    }

    fn wait(&mut self, client: ClientId, jobs: Vec<JobId>) {
        if jobs.iter().all(|&id| self.jobs.get(id).is_some()) {
            return self.watch_all(client, jobs);
        }
        let missing = jobs.into_iter().find(|&id| self.jobs.get(id).is_none());
        if let Some(id) = missing {
            self.exists(client, id);
        }
    }

    fn result(&mut self, client: ClientId, id: JobId) {
        if !self.exists(client, id) {
            return;
        }
        match self.state_of(id) {
            Some(state) if !state.is_over() => {
                let failure =
                    Failure::new(ErrorCode::NotEnded, format!("{id} has no result yet: it is {state}"));
                self.answer(client, Reply::Refused(failure.hint(format!("'tally wait {id}' waits for it"))));
            }
            Some(_) | None => self.tell(client, id, false),
        }
    }

    fn follow(&mut self, client: ClientId, id: JobId, more: bool) {
        if !self.exists(client, id) {
            return;
        }
        match self.state_of(id) {
            Some(state) if !state.is_over() => self.watch(client, id, more),
            Some(_) | None => self.tell(client, id, false),
        }
    }

    /// All that are named must exist. Ended ones are left as they are, unless that leaves nothing to cancel.
    fn cancel(&mut self, client: ClientId, who: Who, named: &[JobId], all: bool) {
        let ids: Vec<JobId> = if all {
            self.jobs.open().filter(|job| who.changes(job)).map(|job| job.id).collect()
        } else {
            named.to_vec()
        };
        for &id in &ids {
            if !self.exists(client, id) {
                return;
            }
        }
        if let [id] = *ids
            && let Some(state) = self.state_of(id).filter(|state| state.is_over())
        {
            return self.refuse(
                client,
                ErrorCode::WrongState,
                format!("could not cancel {id}: it is {state} already"),
            );
        }
        for &id in &ids {
            self.finish(id, cancelled(id, "a client asked for it"));
        }
        self.watch_all(client, ids);
    }

    fn pause(&mut self, client: ClientId, id: JobId) {
        self.change_open(client, id, "pause", |job| job.state = State::Paused);
    }

    fn resume(&mut self, client: ClientId, id: JobId) {
        let paused = self.state_of(id) == Some(JobState::Paused);
        self.change_open(client, id, "resume", Job::unpause);
        if paused {
            self.level(id);
            self.refile(id);
        }
    }

    fn reprioritize(&mut self, client: ClientId, id: JobId, priority: i32) {
        self.change_open(client, id, "reprioritize", |job| job.priority = priority);
        self.level(id);
        self.refile(id);
    }

    /// Asks for something that only the shell can do; it answers by an event.
    fn ask_shell(&mut self, client: ClientId, action: Action) {
        self.wait_for(client, Pending::Shell);
        self.act(action);
    }

    /// Whether a client still waits for the shell; not any more, then.
    fn shell_answered(&mut self, client: ClientId) -> bool {
        let waits = self.clients.get(&client).is_some_and(|known| known.pending == Pending::Shell);
        if waits {
            self.wait_for(client, Pending::Nothing);
        }
        waits
    }

    /// The shell has read the configuration again, or could not.
    pub(crate) fn reloaded(&mut self, client: ClientId, result: Result<ReloadView, Failure>) {
        if self.shell_answered(client) {
            self.answer(client, result.map_or_else(Reply::Refused, Reply::Reloaded));
        }
    }

    fn change_open(&mut self, client: ClientId, id: JobId, verb: &str, change: impl FnOnce(&mut Job)) {
        if !self.exists(client, id) {
            return;
        }
        let Some(job) = self.jobs.get_mut(id) else { return };
        if !job.is_open() {
            let how =
                if job.is_over() { format!("{} already", job.state.name()) } else { "ending".to_owned() };
            let why = format!("could not {verb} {id}: it is {how}");
            return self.refuse(client, ErrorCode::WrongState, why);
        }
        change(job);
        self.refile(id);
        self.note(id);
        self.feed = true;
        self.tell_recorded(client, id);
    }

    fn retry(&mut self, client: ClientId, id: JobId) {
        if !self.exists(client, id) {
            return;
        }
        match self.state_of(id) {
            Some(JobState::Failed | JobState::Cancelled | JobState::TimedOut) => {}
            Some(state @ (JobState::Queued | JobState::Running | JobState::Paused | JobState::Done)) => {
                let why = format!("could not retry {id}: it is {state}");
                return self.refuse(client, ErrorCode::WrongState, why);
            }
            None => return,
        }
        if let Some(failure) = self.shut() {
            return self.answer(client, Reply::Refused(failure));
        }
        if self.jobs.get(id).is_some_and(|job| job.lame) {
            let why = format!("could not retry {id}: what it was asked means nothing to this program");
            return self.refuse(client, ErrorCode::WrongState, why);
        }
        if self.jobs.get(id).is_some_and(|job| !job.spec.kernel.source.files().is_empty()) {
            let why = format!("could not retry {id}: its files were closed when it ended; submit it again");
            return self.refuse(client, ErrorCode::WrongState, why);
        }
        if self.jobs.get(id).is_some_and(|job| job.lightened) {
            let why = format!(
                "could not retry {id}: the environment of its command was let go after its end; submit it again"
            );
            return self.refuse(client, ErrorCode::WrongState, why);
        }
        self.jobs.reopen(id);
        self.one_more_open(id);
        if let Some(job) = self.jobs.get_mut(id) {
            job.work.forgive();
            job.detached = true;
            job.past = None;
            job.paper.kept = self.settings.durable;
            if job.paper.kept {
                job.paper.reopen();
            }
            job.meter = crate::pace::Meter::new(self.now);
            job.unpause();
        }
        self.report(id, |news| news.progress = true);
        self.open(id);
        self.tell_recorded(client, id);
    }
}

impl Job {
    /// The state of an open job that is not paused.
    pub(crate) fn unpause(&mut self) {
        let begun = self.holders > 0 || self.work.accepted() > 0 || self.work.returned() > 0;
        self.state = if begun { State::Running } else { State::Queued };
    }
}
