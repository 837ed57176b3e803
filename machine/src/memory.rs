//! What the jobs of one user make the supervisor hold: requests, states, answers, and files that live in memory only.
//!
//! Roughly counted and always up to date, so that asking costs nothing. Who goes over the bound loses the oldest ended
//! jobs first; if that is not enough, the job that grew fails, or the new one is refused. Root, the supervisor's own user
//! and operators are counted and bounded by nothing. What workers take is bounded elsewhere: by the limit of each.

use tally_protocol::JobId;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::JobSpec;

use crate::Machine;
use crate::job::{Job, Outcome, State};
use crate::permission::{Rights, Who};

/// What the users have that have most, of those who are bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fullest {
    /// Open jobs of the one who has most of them.
    pub open_jobs: u64,
    /// How many one user may have.
    pub open_jobs_max: u64,
    /// Bytes that the jobs of the one hold who holds most.
    pub held_bytes: u64,
    /// How many one user's may; without a bound, when absent.
    pub held_bytes_max: Option<u64>,
}

impl Machine {
    /// How near users come to their bounds; nothing while there are no users who have any.
    pub fn fullest_user(&self) -> Option<Fullest> {
        let (open_jobs, held_bytes) = self.jobs.most_of(|uid| self.was_bounded(uid))?;
        Some(Fullest {
            open_jobs,
            open_jobs_max: self.settings.jobs_open_per_user_max as u64,
            held_bytes,
            held_bytes_max: self.settings.memory_per_user_bytes,
        })
    }

    /// Whether this is a user whose jobs are bounded together.
    pub(crate) fn is_bounded(&self, who: Who) -> bool {
        who.uid != 0 && who.rights != Rights::Operate
    }

    /// The same for a job of an earlier supervisor, which knows nobody's groups.
    pub(crate) fn was_bounded(&self, uid: u32) -> bool {
        uid != 0 && uid != self.settings.identity.uid
    }

    /// Whether a new job has room, after older ones have made some. Its client is told if not.
    pub(crate) fn make_room_for(&mut self, who: Who, spec: &JobSpec) -> Result<(), Failure> {
        if !self.is_bounded(who) {
            return Ok(());
        }
        self.within_limit_of_workers(who, spec)?;
        let of = |spec: &JobSpec| words(spec).saturating_add(nameless(spec));
        let coming: u64 = self.ledger.arriving_specs_of(who.uid).map(of).sum();
        let new = of(spec).saturating_add(coming);
        match self.excess(who.uid, new) {
            None => Ok(()),
            Some(most) => {
                let held = self.jobs.held_by(who.uid);
                let why = format!(
                    "could not take one more job of user {}: {} MiB are held for theirs, this needs {}, the most is {}",
                    who.uid,
                    held >> 20,
                    (new >> 20) + 1,
                    most >> 20
                );
                Err(Failure::new(ErrorCode::TooMany, why).hint("wait for some to end, or cancel some"))
            }
        }
    }

    /// The configuration's limit of workers is the most that such a user may ask for, not only what they get unasked.
    fn within_limit_of_workers(&self, who: Who, spec: &JobSpec) -> Result<(), Failure> {
        let most = self.settings.profile.memory_limit_bytes;
        let Some((wanted, most)) =
            spec.request.memory_limit_bytes.zip(most).filter(|(wanted, most)| wanted > most)
        else {
            return Ok(());
        };
        let why = format!(
            "not permitted: user {} may let workers have {} MiB of memory at the most, not {}",
            who.uid,
            most >> 20,
            wanted >> 20
        );
        Err(Failure::new(ErrorCode::NotPermitted, why).hint("memory_limit_mib of config.toml is the bound"))
    }

    /// A job has grown. It fails if its user's jobs hold too much by now, and what it had is let go. Whether it may go on.
    pub(crate) fn weigh(&mut self, id: JobId) -> bool {
        self.jobs.weigh(id);
        let Some(job) = self.jobs.get(id).filter(|job| job.bounded && job.is_open()) else { return true };
        let uid = job.uid;
        let Some(most) = self.excess(uid, 0) else { return true };
        // Not even for a retry.
        self.start_over(id);
        let why = format!(
            "could not go on with {id}: what the jobs of user {uid} have so far takes more than {} MiB of memory",
            most >> 20
        );
        let hint =
            "memory_per_user_mib of config.toml is the bound; fewer groups or fewer jobs at once need less";
        self.finish(id, Outcome::Failed(Failure::new(ErrorCode::TooMany, why).hint(hint)));
        false
    }

    /// The bound, if a user's jobs still hold more than that with so much more, after ended ones have been forgotten.
    fn excess(&mut self, uid: u32, more: u64) -> Option<u64> {
        let most = self.settings.memory_per_user_bytes?;
        let over = |held: u64| held.saturating_add(more).saturating_sub(most);
        if over(self.jobs.held_by(uid)) > 0 {
            let gone = self.jobs.shed(uid, over(self.jobs.held_by(uid)));
            self.forgotten(gone);
        }
        (over(self.jobs.held_by(uid)) > 0).then_some(most)
    }
}

impl Job {
    /// Bytes that it makes the supervisor hold.
    pub(crate) fn held_bytes(&self) -> u64 {
        let state = self.partial.memory_bytes() as u64;
        // The answers of the workers' shares are no longer than the whole one, all together.
        let state = if self.spec.request.breakdown { state.saturating_mul(2) } else { state };
        let end = match &self.state {
            State::Queued | State::Running | State::Paused => nameless(&self.spec),
            State::Ended { outcome: Outcome::Done(answers), .. } => answers.memory_bytes() as u64,
            State::Ended { .. } => 0,
        };
        let history = self.history.as_ref().map_or(0, |history| history.bytes());
        words(&self.spec).saturating_add(history).saturating_add(state).saturating_add(end)
    }
}

/// Bytes of a request, as it is kept.
fn words(spec: &JobSpec) -> u64 {
    let request = &spec.request;
    let texts = request.sources.iter().chain(&request.of).chain(&request.filter).map(String::len);
    let files = spec.kernel.source.files().iter().map(|file| size_of_val(file) + file.name.len());
    // Ranges are kept as text and as numbers.
    let command = request.command.as_ref().map_or(0, |command| command.memory_bytes());
    (size_of::<Job>() + 2 * texts.sum::<usize>() + files.sum::<usize>() + command) as u64
}

/// Bytes of files that nobody else keeps: there is no name for them in any directory.
fn nameless(spec: &JobSpec) -> u64 {
    spec.kernel.source.files().iter().filter(|file| file.path.is_none()).map(|file| file.bytes).sum()
}
