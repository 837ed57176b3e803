//! How a job ends. Every end of every job goes through `finish`: it is the only place that makes an outcome, and the
//! only one that answers those who wait for it.

use tally_protocol::JobId;
use tally_protocol::answers::Answers;
use tally_protocol::command::Form;
use tally_protocol::error::{ErrorCode, Failure, STOPPING};
use tally_protocol::source::Source;
use tally_protocol::spoken;
use tally_reduce::grouped;

use crate::Machine;
use crate::action::{Action, Profile};
use crate::deadline::Alarm;
use crate::job::{Job, Outcome, State};

impl Machine {
    /// Ends an open job: takes its leases back, answers its clients, remembers it.
    pub(crate) fn finish(&mut self, id: JobId, outcome: Outcome) {
        let Some(job) = self.jobs.get_mut(id).filter(|job| job.is_open()) else { return };
        let at_ms = self.settings.wall_ms(self.now);
        job.state = State::Ended { at: self.now, at_ms, outcome };
        job.owner = None;
        job.conclusion = None;
        job.parting = false;
        job.guilty = None;
        job.work.leave_nothing_out();
        self.refile(id);
        self.alarms.clear(Alarm::Job(id));
        self.revoke(id);
        self.part_with_own(id);
        self.remember_end(id);
        if let Some(job) = self.jobs.get(id) {
            self.figures.count_end(job.state.name(), job.age_ms(self.now));
        }
        self.jobs.close(id);
        self.let_environments_go(id);
        self.jobs.weigh(id);
        self.crowded = true;
        self.report(id, |news| {
            news.end = true;
            news.urgent = true;
        });
        match self.jobs.get_mut(id).filter(|job| job.paper.news.end) {
            // Those who wait hear of it when the store has it.
            Some(job) => job.paper.unannounced = true,
            None => self.answer_watchers(id),
        }
    }

    /// A job with a kind of worker of its own needs that no more.
    fn part_with_own(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id).filter(|job| job.profile.job.is_some()) else { return };
        let done = matches!(job.state, State::Ended { outcome: Outcome::Done(_), .. });
        self.droughts.remove(&job.profile);
        self.release_own(id, done);
    }

    /// Ends a job whose last position has been accepted; later, where its answers take long to work out, or a process
    /// that has answered may still say that it has said too much.
    pub(crate) fn complete(&mut self, id: JobId) {
        if self.parts_first(id) {
            return;
        }
        let Some(job) = self.jobs.get_mut(id) else { return };
        let population = job.spec.request.population;
        if job.partial.memory_bytes() <= self.settings.answer_at_once_bytes {
            let outcome = outcome(Answers::of(&job.partial, population), job);
            return self.finish(id, outcome);
        }
        self.conclusions += 1;
        let number = self.conclusions;
        job.conclusion = Some(number);
        let partial = Box::new(job.partial.clone());
        self.refile(id);
        self.act(Action::Conclude { job: id, number, partial, population });
    }

    /// Whether processes that live on have answered for a job and have not ended yet. They are asked to.
    fn parts_first(&mut self, id: JobId) -> bool {
        let Some(job) = self.jobs.get_mut(id) else { return false };
        let command = job.spec.kernel.command.as_ref();
        let lives_on = command.is_some_and(|command| command.form == Form::Persistent);
        job.parting = lives_on && self.crew.has_answered(id);
        let parts = job.parting;
        if parts {
            self.refile(id);
            self.release_own(id, true);
        }
        parts
    }

    /// A worker of this kind is gone.
    pub(crate) fn parted(&mut self, profile: Profile) {
        let Some(id) = profile.job.filter(|_| self.phase.works()) else { return };
        if self.jobs.get(id).is_some_and(|job| job.parting) {
            self.complete(id);
        }
    }

    /// The answers of a job have been worked out. Too late, if it has ended otherwise, or is left to the next supervisor.
    pub(crate) fn concluded(&mut self, id: JobId, number: u64, answers: Result<Answers, Failure>) {
        let waits = self.jobs.get(id).filter(|job| job.conclusion == Some(number));
        if let Some(job) = waits.filter(|_| self.phase.works()) {
            let outcome = outcome(answers, job);
            self.finish(id, outcome);
        }
    }

    /// How to go on, where there will be somebody to ask: a private supervisor is gone with its client.
    pub(crate) fn retry_hint(&self, id: JobId) -> Option<String> {
        let of_files = self.jobs.get(id).is_some_and(|job| !job.spec.kernel.source.files().is_empty());
        let lasts = !self.settings.until_clients_gone && !of_files;
        lasts.then(|| format!("its partials are kept; 'tally retry {id}' goes on from them"))
    }

    /// A job's deadline may have passed.
    pub(crate) fn job_due(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        match job.deadline {
            Some(deadline) if deadline <= self.now => {
                let failure = Failure { hint: self.retry_hint(id), ..timed_out(job) };
                self.finish(id, Outcome::TimedOut(failure));
            }
            Some(deadline) => self.alarms.set(Alarm::Job(id), deadline),
            None => {}
        }
    }
}

fn outcome(answers: Result<Answers, Failure>, job: &Job) -> Outcome {
    match answers {
        Ok(answers) => Outcome::Done(Box::new(answers.located(&job.spec.kernel.source))),
        Err(failure) => Outcome::Failed(failure),
    }
}

fn timed_out(job: &Job) -> Failure {
    let ms = job.spec.request.timeout_ms.unwrap_or(0);
    let (done, all) = (job.work.covered(), job.spec.elements);
    let what = if matches!(job.spec.kernel.source, Source::Files(_)) { "bytes" } else { "elements" };
    let message = format!(
        "{} passed its deadline of {} with {} of {} {what} done",
        job.id,
        spoken::time(ms),
        grouped(&done.to_string()),
        grouped(&all.to_string())
    );
    Failure::new(ErrorCode::TimedOut, message)
}

/// The failure of a job that ends with its supervisor. Its client may ask for it again elsewhere.
pub(crate) fn stopped(id: JobId) -> Outcome {
    let failure = Failure::new(ErrorCode::Stopping, format!("{id} was cancelled: {STOPPING}"));
    Outcome::Cancelled(Failure { exit: ErrorCode::Cancelled.exit(), ..failure })
}

/// The failure of a job that somebody ended.
pub(crate) fn cancelled(id: JobId, why: &str) -> Outcome {
    Outcome::Cancelled(Failure::new(ErrorCode::Cancelled, format!("{id} was cancelled: {why}")))
}
