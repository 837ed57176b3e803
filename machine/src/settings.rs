//! What the machine is told about how to decide. Everything is checked before it gets here.

use tally_protocol::limits;

use crate::action::Profile;
use crate::moment::{Moment, Span};

/// Settings of a supervisor. All can be changed while it runs, except the seed, the wall clock,
/// `durable` and `trusting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many workers at the most, 1 to `limits::WORKERS_MAX`.
    pub slots: u16,
    /// Start all of them at once, before any job comes.
    pub eager: bool,
    /// Stop when the last client is gone (a private supervisor).
    pub until_clients_gone: bool,
    /// Workers of jobs that ask for nothing else.
    pub profile: Profile,
    /// How often a range may kill its worker before it is bisected, for jobs that don't say.
    pub retries: u32,
    /// The priority of jobs that don't say. Higher goes first.
    pub priority: i32,
    /// A worker that has leases and says nothing for this long is killed.
    pub lease: Span,
    /// A worker that is not ready this long after its start is killed.
    pub start: Span,
    /// From SIGTERM to SIGKILL for a worker, and from the end of a job to the kill of a worker that still folds for it.
    pub grace: Span,
    /// From the first request to stop to the end of waiting for open jobs.
    pub drain: Span,
    /// Deaths of idle or starting workers within `intensity_window` that are borne without delay.
    pub intensity: u32,
    /// See `intensity`.
    pub intensity_window: Span,
    /// The first delay of a restart beyond the intensity; doubles each time.
    pub backoff_first: Span,
    /// The longest delay.
    pub backoff_most: Span,
    /// A worker healthy for this long resets its slot's delay.
    pub backoff_reset: Span,
    /// Work a partition should take at least, where its size is ours to choose.
    pub partition_least: Span,
    /// Work a partition should take at most.
    pub partition_most: Span,
    /// Work a worker should hold ahead, in leases, so that it never idles.
    pub ahead: Span,
    /// Leases a worker may hold at the most.
    pub leases_max: usize,
    /// The answers of a job whose state takes so many bytes at the most are worked out at once; others by the shell, beside
    /// everything else.
    pub answer_at_once_bytes: usize,
    /// Jobs open at once.
    pub jobs_open_max: usize,
    /// Open jobs of one user, for users without the right to operate.
    pub jobs_open_per_user_max: usize,
    /// Bytes that the jobs of one user may make the supervisor hold, for users without the right to operate; as many as
    /// there are, when absent.
    pub memory_per_user_bytes: Option<u64>,
    /// Ended jobs remembered.
    pub jobs_ended_max: usize,
    /// Ended jobs are remembered for so long; without end, when absent.
    pub jobs_ended_age: Option<Span>,
    /// There is a store: detached jobs are recorded and survive the daemon. Fixed from the start.
    pub durable: bool,
    /// The least time between two records of one job's progress. Large partials wait longer, by their size.
    pub checkpoint: Span,
    /// Job ids that are reserved ahead in the store, so that none is given out twice.
    pub ids_ahead: u64,
    /// A client that was not announced by `ClientCame` is the supervisor's maker and may do everything.
    pub trusting: bool,
    /// Pause between two progress replies to one client.
    pub progress: Span,
    /// Source of the jitter of back-offs.
    pub seed: u64,
    /// Unix milliseconds at `Moment(0)`.
    pub wall_ms_at_zero: u64,
    /// Version, pid and socket, for `Status`; not used in any decision.
    pub identity: Identity,
}

/// What the supervisor is called. Not used in any decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The supervisor's process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// The control socket, where there is one.
    pub socket: Option<String>,
}

impl Settings {
    /// A moment in Unix milliseconds.
    pub(crate) fn wall_ms(&self, at: Moment) -> u64 {
        self.wall_ms_at_zero.saturating_add(at.since(Moment(0)).as_ms())
    }

    /// Unix milliseconds as a moment; the first one, for what lies before it.
    pub(crate) fn moment_of(&self, wall_ms: u64) -> Moment {
        Moment(0) + Span::ms(wall_ms.saturating_sub(self.wall_ms_at_zero))
    }

    /// The defaults of `config.toml` for a number of slots.
    #[must_use]
    pub fn new(slots: u16, profile: Profile) -> Self {
        Self {
            slots: slots.clamp(1, limits::WORKERS_MAX),
            eager: false,
            until_clients_gone: false,
            profile,
            retries: 3,
            priority: 0,
            lease: Span::ms(10_000),
            start: Span::ms(10_000),
            grace: Span::ms(2_000),
            drain: Span::ms(10_000),
            intensity: 5,
            intensity_window: Span::ms(10_000),
            backoff_first: Span::ms(100),
            backoff_most: Span::ms(30_000),
            backoff_reset: Span::ms(30_000),
            partition_least: Span::ms(20),
            partition_most: Span::ms(50),
            ahead: Span::ms(2),
            leases_max: 64,
            answer_at_once_bytes: limits::ANSWER_AT_ONCE_BYTES_MAX,
            jobs_open_max: limits::JOBS_OPEN_MAX,
            jobs_open_per_user_max: limits::JOBS_OPEN_PER_USER_MAX,
            memory_per_user_bytes: None,
            jobs_ended_max: limits::JOBS_ENDED_MAX,
            jobs_ended_age: None,
            durable: false,
            checkpoint: Span::ms(100),
            ids_ahead: 100,
            trusting: false,
            progress: Span::ms(100),
            seed: 0,
            wall_ms_at_zero: 0,
            identity: Identity::default(),
        }
    }
}
