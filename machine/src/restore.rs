//! How a supervisor goes on where an earlier one ended, from what its store has.
//!
//! Open jobs go on from what was covered, in the order of their priority and then of their submission; paused ones stay
//! paused; deadlines go by the wall clock. Ended ones are shown as they were. What a store says is believed only as far
//! as it fits together: a job whose progress can't be is done anew, one whose request means nothing fails.

use tally_protocol::WorkerId;
use tally_protocol::answers::Answers;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::JobState;
use tally_protocol::record::{Progress, Saved, SavedJob};
use tally_protocol::view::JobView;

use crate::deadline::Alarm;
use crate::job::{Job, Outcome, Share, State, pieces};
use crate::ledger::Ledger;
use crate::locks::{Fences, Locks};
use crate::partition::Work;
use crate::{Machine, Moment, Settings};

impl Machine {
    /// A supervisor with the jobs of an earlier one.
    #[must_use]
    pub fn restore(now: Moment, settings: Settings, saved: Saved) -> Self {
        let mut machine = Self::bare(now, settings);
        machine.jobs.named = saved.next_job.saturating_sub(1);
        machine.ledger = Ledger::new(saved.next_job);
        let wall_ms = machine.settings.wall_ms(now);
        machine.locks = Locks::new(Fences::new(saved.next_fence, wall_ms, machine.settings.durable));
        let (mut ended, open): (Vec<_>, Vec<_>) = saved.jobs.into_iter().partition(|job| job.ended.is_some());
        ended.sort_by_key(|saved| (saved.ended.as_ref().and_then(|view| view.ended_at_ms), saved.job));
        for saved in ended {
            machine.restore_ended(saved);
        }
        for saved in open {
            machine.restore_open(saved);
        }
        machine.objects.restore(saved.objects, saved.last_object_row);
        machine.host();
        machine.crowded = true;
        machine.feed = true;
        machine.settle();
        machine
    }

    /// The job as it was taken in, with what it had done.
    fn restored(&mut self, saved: SavedJob) -> Job {
        let SavedJob { job, uid, submitted_at_ms, spec, progress, lightened, .. } = saved;
        let mut job = Job::new(job, spec, None, uid, Moment(0), &self.settings);
        job.submitted_at_ms = submitted_at_ms;
        job.earlier_ms = self.settings.wall_ms_at_zero.saturating_sub(submitted_at_ms);
        // A wall clock that was set back must not make it younger than nothing.
        job.submitted = self.settings.moment_of(submitted_at_ms).min(self.now);
        job.detached = true;
        job.lightened = lightened;
        job.bounded = self.was_bounded(uid);
        job.paper.kept = self.settings.durable;
        job.paper.in_store = true;
        job.paper.told = self.now;
        if let Some(progress) = progress {
            self.crew.skip_names(last_worker(&progress));
            take_up(&mut job, *progress, &self.settings);
        } else {
            let timeout = job.spec.request.timeout_ms;
            job.deadline = timeout.map(|ms| self.settings.moment_of(submitted_at_ms.saturating_add(ms)));
        }
        job
    }

    fn restore_ended(&mut self, saved: SavedJob) {
        let Some(view) = saved.ended.clone() else { return };
        let mut job = self.restored(saved);
        let id = job.id;
        job.deadline = None;
        job.state = State::Ended {
            at: Moment(0),
            at_ms: view.ended_at_ms.unwrap_or(job.submitted_at_ms),
            outcome: outcome(&view),
        };
        job.past = Some(view);
        self.jobs.insert(job);
        self.jobs.close_quietly(id);
        self.let_environments_go(id);
        self.jobs.weigh(id);
    }

    fn restore_open(&mut self, saved: SavedJob) {
        let broken = saved.broken.clone().or_else(|| self.unknown_user(&saved));
        let job = self.restored(saved);
        let (id, deadline) = (job.id, job.deadline);
        self.jobs.insert(job);
        if let Some(deadline) = deadline {
            self.alarms.set(Alarm::Job(id), deadline);
        }
        self.refile(id);
        if let Some(why) = broken {
            self.finish(id, Outcome::Failed(why));
        } else if self.jobs.get(id).is_some_and(|job| job.work.is_done()) {
            self.complete(id);
        }
    }
}

impl Machine {
    /// A command of which nobody has written down as whom it runs is not run by one who could be anybody.
    fn unknown_user(&self, saved: &SavedJob) -> Option<Failure> {
        let command = saved.spec.kernel.command.as_ref()?;
        let named = command.run_as.as_ref().is_some_and(|who| who.uid == saved.uid);
        (!named && self.settings.identity.uid == 0).then(|| {
            let why = format!("could not go on with {}: as whom its command runs is not known", saved.job);
            Failure::new(ErrorCode::NotPermitted, why)
        })
    }
}

fn last_worker(progress: &Progress) -> WorkerId {
    progress.shares.iter().map(|share| share.worker).max().unwrap_or(WorkerId(0))
}

/// Gives a job back what it had done, if that can be.
fn take_up(job: &mut Job, progress: Progress, settings: &Settings) {
    job.deadline = progress.deadline_at_ms.map(|ms| settings.moment_of(ms));
    job.priority = progress.priority.unwrap_or(job.priority);
    let pieces = pieces(&job.spec, settings);
    let work = Work::restored(job.spec.elements, pieces, &progress.covered, progress.partitions);
    let fits = |work: &Work| {
        (work.covered() == progress.partial.elements() || !job.spec.kernel.counts_positions())
            && progress.partial.is_of(job.spec.kernel.shape(), &job.spec.kernel.reductions)
    };
    if let Some(work) = work.filter(fits) {
        job.work = work;
        job.partial = progress.partial;
        job.retries = progress.retries;
        job.late = progress.late;
        for share in progress.shares {
            let kept = Share {
                pid: share.pid,
                partitions: share.partitions,
                elements: share.elements,
                folded: share.elements,
                busy_ns: share.busy_ns,
                breakdown: None,
            };
            job.shares.insert((share.slot, share.worker), kept);
        }
    }
    if progress.paused {
        job.state = State::Paused;
    } else {
        job.unpause();
    }
}

fn outcome(view: &JobView) -> Outcome {
    let failure = || {
        let unknown = || {
            let code = tally_protocol::error::ErrorCode::StoreFailed;
            tally_protocol::error::Failure::new(code, format!("how {} ended is not known", view.job))
        };
        view.error.clone().unwrap_or_else(unknown)
    };
    match view.state {
        JobState::Done => Outcome::Done(Box::new(Answers {
            results: view.results.clone(),
            groups: view.groups.clone(),
            ..Answers::default()
        })),
        JobState::Cancelled => Outcome::Cancelled(failure()),
        JobState::TimedOut => Outcome::TimedOut(failure()),
        JobState::Failed | JobState::Queued | JobState::Running | JobState::Paused => {
            Outcome::Failed(failure())
        }
    }
}
