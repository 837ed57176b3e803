//! What the shell is to know of jobs and would have to look for: ends, and the files of jobs that begin. Kept until it asks;
//! nothing is decided from these.

use std::collections::BTreeSet;

use tally_protocol::JobId;
use tally_protocol::control::Request;
use tally_protocol::job::{JobSpec, JobState};
use tally_protocol::source::Source;

use crate::Machine;
use crate::job::{Job, Outcome, State};

/// Ends that are kept for a shell that does not ask.
const ENDS_MAX: usize = 1_000;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// Which.
    pub job: JobId,
    /// In which state.
    pub state: JobState,
    /// Whether it had no client.
    pub detached: bool,
    /// Milliseconds since its submission.
    pub elapsed_ms: u64,
    /// Why it has no answer.
    pub why: Option<String>,
    /// The set of files it needs no more.
    pub files: Option<u64>,
}

impl Machine {
    /// The sets of files that open and arriving jobs need; a set that no job has was refused, and may be closed.
    #[must_use]
    pub fn file_sets(&self) -> BTreeSet<u64> {
        let open = self.jobs.open().map(|job| &job.spec);
        let specs = open.chain(self.ledger.arriving_specs());
        let set = |spec: &JobSpec| match &spec.kernel.source {
            Source::Files(files) => Some(files.set),
            Source::Ranges(_) => None,
        };
        specs.filter_map(set).collect()
    }

    /// The ends since the last call, in their order.
    pub fn take_ends(&mut self) -> Vec<JobEnd> {
        std::mem::take(&mut self.ends)
    }

    /// Recorded jobs that have begun to be since the last call, with their sets of files: they outlive the supervisor.
    pub fn take_filed(&mut self) -> Vec<(JobId, u64)> {
        std::mem::take(&mut self.filed)
    }

    /// Whether a job has ended for good: where it is recorded, its end is. One that is not known has, too.
    #[must_use]
    pub fn is_over(&self, job: JobId) -> bool {
        self.jobs.get(job).is_none_or(Job::is_over)
    }

    /// Sets of files whose submissions came to nothing: nobody will ask for them.
    pub fn take_released(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.released)
    }

    pub(crate) fn remember_files(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id).filter(|job| job.paper.kept) else { return };
        if let Source::Files(files) = &job.spec.kernel.source {
            self.filed.push((id, files.set));
        }
    }

    pub(crate) fn release(&mut self, spec: &JobSpec) {
        if let Source::Files(files) = &spec.kernel.source {
            self.released.push(files.set);
        }
    }

    /// The same for a request that is refused.
    pub(crate) fn release_of(&mut self, request: &Request) {
        if let Request::Submit(spec) | Request::Start(spec) = request {
            self.release(spec);
        }
    }

    pub(crate) fn remember_end(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        if self.ends.len() < ENDS_MAX {
            self.ends.push(end_of(job));
        } else if let Source::Files(files) = &job.spec.kernel.source {
            self.released.push(files.set);
        }
    }
}

fn end_of(job: &Job) -> JobEnd {
    let (at, why) = match &job.state {
        State::Ended { at, outcome: Outcome::Done(_), .. } => (*at, None),
        State::Ended {
            at,
            outcome: Outcome::Failed(why) | Outcome::Cancelled(why) | Outcome::TimedOut(why),
            ..
        } => (*at, Some(why.message.clone())),
        State::Queued | State::Running | State::Paused => (job.submitted, None),
    };
    let elapsed_ms = job.age_ms(at);
    let files = match &job.spec.kernel.source {
        Source::Files(files) => Some(files.set),
        Source::Ranges(_) => None,
    };
    JobEnd { job: job.id, state: job.state.name(), detached: job.detached, elapsed_ms, why, files }
}
