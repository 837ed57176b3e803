//! One job: what was asked, where it stands, what it has so far.
//!
//! | state   | a lease given | pause  | resume            | all covered | any other end | retry             |
//! |---------|---------------|--------|-------------------|-------------|---------------|-------------------|
//! | Queued  | Running       | Paused |                   | Ended       | Ended         |                   |
//! | Running | Running       | Paused |                   | Ended       | Ended         |                   |
//! | Paused  |               |        | Queued or Running | Ended       | Ended         |                   |
//! | Ended   |               |        |                   |             |               | Queued or Running |
//!
//! A job whose answers take long to work out stays as it is, all covered, until they are there (`conclusion`); so does one
//! of a command until its processes have ended without another word (`parting`).
//! Ended carries the outcome. Retry is refused to a job that is done. Every end goes through `Machine::finish`.
//! A job that is recorded (`ledger`) is shown as running after its end until the store has its outcome.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tally_protocol::answers::Answers;
use tally_protocol::command::Form;
use tally_protocol::error::Failure;
use tally_protocol::history::SpanEnd;
use tally_protocol::job::{JobSpec, JobState, Transport};
use tally_protocol::view::{Incident, JobView};
use tally_protocol::{ClientId, JobId, SlotId, WorkerId, limits};
use tally_reduce::Tally;

use crate::action::Profile;
use crate::coverage::Coverage;
use crate::history::{History, Span};
use crate::jobs::Standing;
use crate::ledger::Paper;
use crate::moment::Moment;
use crate::pace::{Meter, Pace};
use crate::partition::Work;
use crate::schedule::Key;
use crate::settings::Settings;
use crate::worker::Held;

/// Incidents remembered of one job.
const INCIDENTS_MAX: usize = 100;
/// Workers whose share in one job is remembered.
const SHARES_MAX: usize = 4_096;
/// Separate ranges remembered of one worker's share.
const RANGES_MAX: usize = 1_000;

/// One job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) spec: JobSpec,
    /// What its workers must be.
    pub(crate) profile: Profile,
    pub(crate) retries_max: u32,
    pub(crate) priority: i32,
    /// The client it ends with.
    pub(crate) owner: Option<ClientId>,
    pub(crate) detached: bool,
    /// Whose it is.
    pub(crate) uid: u32,
    /// It counts towards what its user may take.
    pub(crate) bounded: bool,
    /// Bytes that it takes, as last counted.
    pub(crate) held: u64,
    pub(crate) submitted: Moment,
    /// The same in Unix milliseconds.
    pub(crate) submitted_at_ms: u64,
    /// How long it had lived when its supervisor started, where it is older than that.
    pub(crate) earlier_ms: u64,
    pub(crate) deadline: Option<Moment>,
    pub(crate) state: State,
    pub(crate) work: Work,
    pub(crate) partial: Tally,
    pub(crate) pace: Pace,
    pub(crate) meter: Meter,
    pub(crate) retries: u64,
    pub(crate) late: u64,
    /// What happened to its partitions, for pictures; from the first one on that was accepted or lost.
    pub(crate) history: Option<Box<History>>,
    pub(crate) incidents: VecDeque<Incident>,
    pub(crate) shares: BTreeMap<(SlotId, WorkerId), Share>,
    /// Elements that workers say they have folded of partitions that are still leased.
    pub(crate) in_flight: u64,
    /// Workers that were told of it, and how many leases of it each holds.
    pub(crate) hands: BTreeMap<SlotId, u32>,
    /// How many workers hold leases of it.
    pub(crate) holders: u32,
    /// Clients to be answered when it ends.
    pub(crate) watchers: BTreeSet<ClientId>,
    /// The client that has started it and has not been told its end.
    pub(crate) starter: Option<ClientId>,
    /// Watchers that read progress and have nothing new to read yet.
    pub(crate) quiet: BTreeSet<ClientId>,
    /// Worker time it was given, for fairness between jobs.
    pub(crate) served_ns: u64,
    /// What the estimates behind `served_ns` were wrong by, not yet added.
    pub(crate) misjudged_ns: i64,
    /// Where it stands in the queue of jobs that want workers.
    pub(crate) filed: Option<Key>,
    /// As what it is counted among the open jobs.
    pub(crate) standing: Option<Standing>,
    /// The links its workers have had.
    pub(crate) links: BTreeSet<Transport>,
    /// All of it is folded, and its answers are being worked out under this number.
    pub(crate) conclusion: Option<u64>,
    /// All of it is answered by a command, whose processes are read to their end before the answer is told.
    pub(crate) parting: bool,
    /// What the store knows of it.
    pub(crate) paper: Paper,
    /// All that is known of an ended job since before a restart.
    pub(crate) past: Option<Box<JobView>>,
    /// The first partition found so far that has no answer, and why. Those before it are still folded: one of them may have
    /// none either, and the first is told.
    pub(crate) guilty: Option<(u64, Failure)>,
    /// Its request means nothing to this program: it can never go on.
    pub(crate) lame: bool,
    /// It has ended, and the environment of its command was let go: it can never go on.
    pub(crate) lightened: bool,
}

/// Where a job is in its life.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// No partition has been leased yet.
    Queued,
    /// Some have.
    Running,
    /// No new leases.
    Paused,
    /// It is over.
    Ended {
        /// Since when.
        at: Moment,
        /// The same in Unix milliseconds.
        at_ms: u64,
        /// How.
        outcome: Outcome,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// With these answers.
    Done(Box<Answers>),
    /// It could not be answered.
    Failed(Failure),
    /// By a client, or with one, or with the supervisor.
    Cancelled(Failure),
    /// Its deadline passed.
    TimedOut(Failure),
}

impl Outcome {
    pub(crate) fn state(&self) -> JobState {
        match self {
            Self::Done(_) => JobState::Done,
            Self::Failed(_) => JobState::Failed,
            Self::Cancelled(_) => JobState::Cancelled,
            Self::TimedOut(_) => JobState::TimedOut,
        }
    }
}

impl State {
    pub(crate) fn name(&self) -> JobState {
        match self {
            Self::Queued => JobState::Queued,
            Self::Running => JobState::Running,
            Self::Paused => JobState::Paused,
            Self::Ended { outcome, .. } => outcome.state(),
        }
    }
}

/// What one worker did for a job.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) pid: u32,
    pub(crate) partitions: u64,
    /// Positions of the source.
    pub(crate) elements: u64,
    /// Elements that these were folded to.
    pub(crate) folded: u64,
    pub(crate) busy_ns: u64,
    /// Where it was asked for. Boxed: most have none, and a map makes room for eleven of these at once.
    pub(crate) breakdown: Option<Box<Breakdown>>,
}

// A hundred thousand jobs have one of these each, at the least.
const _: () = assert!(size_of::<Share>() <= 64, "a share grows");

/// The ranges of one worker and the answer of these alone.
#[derive(Clone, Debug)]
pub(crate) struct Breakdown {
    pub(crate) ranges: Coverage,
    /// More ranges than are remembered.
    pub(crate) cut_off: bool,
    pub(crate) partial: Tally,
}

impl Job {
    pub(crate) fn new(
        id: JobId,
        mut spec: JobSpec,
        owner: Option<ClientId>,
        uid: u32,
        now: Moment,
        settings: &Settings,
    ) -> Self {
        let request = &spec.request;
        let default = settings.profile;
        let profile = Profile {
            transport: request.transport.unwrap_or(default.transport),
            start: request.start.unwrap_or(default.start),
            nice: request.nice.unwrap_or(default.nice),
            memory_limit_bytes: request.memory_limit_bytes.or(default.memory_limit_bytes),
            job: None,
        };
        let profile = own_profile(id, &mut spec, profile);
        let pieces = pieces(&spec, settings);
        let request = &spec.request;
        Self {
            id,
            profile,
            retries_max: request.retries.unwrap_or(settings.retries),
            priority: request.priority.unwrap_or(settings.priority),
            owner,
            detached: request.detach,
            uid,
            bounded: false,
            held: 0,
            submitted: now,
            submitted_at_ms: settings.wall_ms(now),
            earlier_ms: 0,
            deadline: None,
            state: State::Queued,
            work: Work::new(spec.elements, pieces),
            partial: spec.kernel.identity(),
            pace: if spec.kernel.command.is_some() { Pace::of_command() } else { Pace::default() },
            meter: Meter::new(now),
            retries: 0,
            late: 0,
            history: None,
            incidents: VecDeque::new(),
            shares: BTreeMap::new(),
            in_flight: 0,
            hands: BTreeMap::new(),
            holders: 0,
            watchers: BTreeSet::new(),
            starter: None,
            quiet: BTreeSet::new(),
            served_ns: 0,
            misjudged_ns: 0,
            filed: None,
            standing: None,
            links: BTreeSet::new(),
            conclusion: None,
            parting: false,
            guilty: None,
            paper: Paper::default(),
            past: None,
            lame: spec.kernel.reductions.is_empty(),
            lightened: false,
            spec,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        match self.state {
            State::Queued | State::Running | State::Paused => true,
            State::Ended { .. } => false,
        }
    }

    /// Whether it has ended and everybody may know.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_open() && !self.paper.unannounced
    }

    /// Its state, as everybody may know it.
    pub(crate) fn shown_state(&self) -> JobState {
        if self.paper.unannounced { JobState::Running } else { self.state.name() }
    }

    /// Whether nobody waits for it and the store knows all of it.
    pub(crate) fn is_forgettable(&self) -> bool {
        self.watchers.is_empty() && self.starter.is_none() && !self.paper.is_busy()
    }

    /// When it ended, in Unix milliseconds; never, while it is open.
    pub(crate) fn ended_at_ms(&self) -> u64 {
        match self.state {
            State::Queued | State::Running | State::Paused => u64::MAX,
            State::Ended { at_ms, .. } => at_ms,
        }
    }

    /// Milliseconds from its submission to some later time.
    pub(crate) fn age_ms(&self, at: Moment) -> u64 {
        self.earlier_ms.saturating_add(at.since(self.submitted).as_ms())
    }

    /// Whether a piece of it may be leased to somebody.
    pub(crate) fn wants_workers(&self) -> bool {
        match self.state {
            State::Queued | State::Running => self.work.has_waiting(),
            State::Paused | State::Ended { .. } => false,
        }
    }

    /// The most workers at once, of so many slots.
    pub(crate) fn workers_max(&self, slots: u16) -> u64 {
        let slots = u64::from(slots);
        self.spec.request.workers.map_or(slots, |workers| slots.min(u64::from(workers)))
    }

    /// Whether it has as many workers as it may have.
    pub(crate) fn is_full(&self) -> bool {
        self.spec.request.workers.is_some_and(|workers| self.holders >= workers)
    }

    /// Elements of its next piece, where that is not fixed.
    pub(crate) fn next_size(&self, settings: &Settings) -> u64 {
        if !self.work.is_measured() {
            return 1;
        }
        let workers = self.workers_max(settings.slots);
        let size = self.pace.next_size(settings, self.spec.elements, self.work.uncut(), workers);
        size.max(self.spec.kernel.source.grain())
    }

    /// A worker took one more lease.
    pub(crate) fn hand_out(&mut self, slot: SlotId) {
        let held = self.hands.entry(slot).or_default();
        self.holders += u32::from(*held == 0);
        *held += 1;
    }

    /// A worker has one lease less.
    pub(crate) fn hand_in(&mut self, slot: SlotId) {
        if let Some(held) = self.hands.get_mut(&slot) {
            *held -= 1;
            self.holders -= u32::from(*held == 0);
        }
    }

    pub(crate) fn remember(&mut self, incident: Incident) {
        if self.incidents.len() == INCIDENTS_MAX {
            self.incidents.pop_front();
        }
        self.incidents.push_back(incident);
    }

    /// What a worker, by slot and process, did with a lease, for its history.
    pub(crate) fn note_end(&mut self, now: Moment, who: (SlotId, u32), held: &Held, how: SpanEnd) {
        let (slot, pid) = who;
        let span = Span {
            slot,
            pid,
            from: held.granted,
            to: now,
            partitions: 1,
            attempt: held.lease.attempt.0,
            how,
        };
        let history = self.history.get_or_insert_with(|| Box::new(History::new(held.granted)));
        history.note(span);
        if how == SpanEnd::Done {
            history.count(now, held.count);
        }
    }

    /// Counts an accepted partial for its worker. Whether the partial fits has been found out before.
    pub(crate) fn credit(&mut self, worker: (SlotId, WorkerId, u32), done: Accepted) {
        let (slot, id, pid) = worker;
        if self.shares.len() >= SHARES_MAX && !self.shares.contains_key(&(slot, id)) {
            return;
        }
        let wanted = self.spec.request.breakdown;
        let kernel = &self.spec.kernel;
        let share = self.shares.entry((slot, id)).or_insert_with(|| Share {
            pid,
            partitions: 0,
            elements: 0,
            folded: 0,
            busy_ns: 0,
            breakdown: wanted.then(|| Box::new(Breakdown::new(kernel.identity()))),
        });
        share.partitions += 1;
        share.elements += done.count;
        share.folded = share.folded.saturating_add(done.folded);
        share.busy_ns = share.busy_ns.saturating_add(done.busy_ns);
        if let Some(breakdown) = &mut share.breakdown {
            breakdown.add(done.position, done.count, done.partial);
        }
    }
}

/// The kind of worker that has a command answer: one that serves no other job. What the command may take is its own, and
/// not its warden's.
fn own_profile(id: JobId, spec: &mut JobSpec, profile: Profile) -> Profile {
    let Some(command) = &mut spec.kernel.command else { return profile };
    command.memory_limit_bytes = profile.memory_limit_bytes;
    command.nice = profile.nice;
    Profile { nice: 0, memory_limit_bytes: None, job: Some(id), ..profile }
}

/// Into how many pieces a job is cut, where that is fixed.
pub(crate) fn pieces(spec: &JobSpec, settings: &Settings) -> Option<u64> {
    let each = spec.kernel.command.as_ref().is_some_and(|command| command.form == Form::Each);
    let workers = spec.request.workers.unwrap_or(u32::MAX).min(settings.slots.into());
    spec.pieces().or_else(|| each.then(|| u64::from(workers) * limits::PROCESSES_PER_WORKER))
}

/// A partial that counts.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) position: u64,
    pub(crate) count: u64,
    pub(crate) folded: u64,
    pub(crate) busy_ns: u64,
    /// Kept where the breakdown was asked for, but of groups, which are not shown there.
    pub(crate) partial: Option<Tally>,
}

impl Breakdown {
    fn new(partial: Tally) -> Self {
        Self { ranges: Coverage::default(), cut_off: false, partial }
    }

    fn add(&mut self, position: u64, count: u64, partial: Option<Tally>) {
        if self.ranges.pieces() < RANGES_MAX {
            self.ranges.add(position, count);
        } else {
            self.cut_off = true;
        }
        // The same partial has just been merged into the job's own, so this cannot mismatch.
        self.cut_off |= partial.is_some_and(|partial| self.partial.merge(partial).is_err());
    }
}
