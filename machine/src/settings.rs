//! What the machine is told about how to decide. Everything is checked before it gets here.

use tally_protocol::limits;

use crate::action::Profile;
use crate::moment::Span;

/// Settings of a supervisor. All can be changed while it runs, except the seed and the wall clock.
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
    /// Jobs open at once.
    pub jobs_open_max: usize,
    /// Ended jobs remembered.
    pub jobs_ended_max: usize,
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
    /// The control socket, where there is one.
    pub socket: Option<String>,
}

impl Settings {
    /// The defaults of `config.toml` for a number of slots.
    #[must_use]
    pub fn new(slots: u16, profile: Profile) -> Self {
        Self {
            slots: slots.clamp(1, limits::WORKERS_MAX),
            eager: false,
            until_clients_gone: false,
            profile,
            retries: 3,
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
            jobs_open_max: limits::JOBS_OPEN_MAX,
            jobs_ended_max: limits::JOBS_ENDED_MAX,
            progress: Span::ms(100),
            seed: 0,
            wall_ms_at_zero: 0,
            identity: Identity::default(),
        }
    }
}
