//! Slots and the workers in them.
//!
//! | slot state  | Ready | gets leases | last lease answered | told to end | silent too long | exited while it ran one | exited otherwise    |
//! |-------------|-------|-------------|---------------------|-------------|-----------------|-------------------------|---------------------|
//! | Empty       |       |             |                     |             |                 |                         |                     |
//! | Starting    | Idle  |             |                     | Stopping    | Stopping (kill) |                         | Empty or BackingOff |
//! | Idle        |       | Busy        |                     | Stopping    |                 |                         | Empty or BackingOff |
//! | Busy        |       |             | Idle                | Stopping    | Stopping (kill) | Empty                   | Empty or BackingOff |
//! | Stopping    |       |             |                     |             | killed          | Empty                   | Empty or BackingOff |
//! | BackingOff  | its time passes: Empty                                                                                              |
//!
//! A worker that was told to end leaves its slot Empty. A slot outlives its workers; a worker's id is never used again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tally_protocol::job::Transport;
use tally_protocol::work::LeaseId;
use tally_protocol::{JobId, SlotId, WorkerId};

use crate::action::Profile;
use crate::moment::{Moment, Span};
use crate::settings::Settings;

/// A numbered place for one worker.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) state: SlotState,
    pub(crate) health: Health,
}

/// What is in a slot.
#[derive(Clone, Debug)]
pub(crate) enum SlotState {
    /// Nobody.
    Empty,
    /// A process that has not said `Ready`.
    Starting {
        /// The worker to be.
        worker: Box<Worker>,
        /// When it is given up.
        until: Moment,
    },
    /// A worker without leases.
    Idle {
        /// The worker.
        worker: Box<Worker>,
    },
    /// A worker with leases.
    Busy {
        /// The worker.
        worker: Box<Worker>,
    },
    /// A worker that was told to end, or is being killed.
    Stopping {
        /// The worker.
        worker: Box<Worker>,
        /// When it is killed; absent once it has been.
        until: Option<Moment>,
        /// Why it goes.
        why: Leaving,
    },
    /// Nobody, and nobody is started yet because its last workers died young.
    BackingOff {
        /// When the next one may be started.
        until: Moment,
        /// What kind of worker died.
        profile: Profile,
    },
}

/// Why a worker goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It is not needed, or still folds for a job that is over. Its death is nobody's fault.
    Dismissed,
    /// It was silent, lied or lost its link: its death counts.
    Faulty,
}

/// One worker process.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) profile: Profile,
    /// For people only; absent before the process exists.
    pub(crate) pid: Option<u32>,
    /// The link it really has, once its process exists.
    pub(crate) transport: Option<Transport>,
    pub(crate) ready_at: Option<Moment>,
    /// In the order given, which is the order in which it works them off.
    pub(crate) leases: VecDeque<Held>,
    /// What it folds now, as it said.
    pub(crate) running: Option<LeaseId>,
    /// How many live leases it holds of each job.
    pub(crate) holding: BTreeMap<JobId, u32>,
    /// Jobs it was told of.
    pub(crate) knows: BTreeSet<JobId>,
    pub(crate) accepted: u64,
    /// The longest that a partition has taken it, as it said.
    pub(crate) longest_ns: u64,
    /// Takes no more leases and ends when it has none.
    pub(crate) leaving: bool,
    /// Sent something that cannot be: nothing it says counts any more.
    pub(crate) distrusted: bool,
    /// Has begun a partition.
    pub(crate) proven: bool,
    /// What it is killed for.
    pub(crate) fault: Option<String>,
    /// Estimated time of all its leases.
    pub(crate) load_ns: u64,
}

/// A lease as its worker holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) lease: LeaseId,
    pub(crate) position: u64,
    pub(crate) count: u64,
    pub(crate) granted: Moment,
    /// Estimated time; a guess where nothing has been measured.
    pub(crate) estimate_ns: u64,
    /// Elements folded, as it said.
    pub(crate) done: u64,
    pub(crate) mark: Mark,
}

/// Whether a lease still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It does.
    Live,
    /// It does, but the worker was asked to give it back so that an idle one can take it.
    Recalled,
    /// It does not: the job is over. The worker owes an answer by then, once it is the first of its leases.
    Revoked {
        /// When the worker is killed.
        until: Option<Moment>,
    },
}

impl Mark {
    pub(crate) fn counts(self) -> bool {
        match self {
            Self::Live | Self::Recalled => true,
            Self::Revoked { .. } => false,
        }
    }
}

impl Worker {
    pub(crate) fn new(id: WorkerId, profile: Profile) -> Self {
        Self {
            id,
            profile,
            pid: None,
            transport: None,
            ready_at: None,
            leases: VecDeque::new(),
            running: None,
            holding: BTreeMap::new(),
            knows: BTreeSet::new(),
            accepted: 0,
            longest_ns: 0,
            leaving: false,
            distrusted: false,
            proven: false,
            fault: None,
            load_ns: 0,
        }
    }

    pub(crate) fn find(&self, lease: LeaseId) -> Option<usize> {
        self.leases.iter().position(|held| held.lease == lease)
    }

    pub(crate) fn push(&mut self, held: Held) {
        self.load_ns = self.load_ns.saturating_add(held.estimate_ns);
        *self.holding.entry(held.lease.job).or_default() += 1;
        self.leases.push_back(held);
    }

    /// Takes a lease out; one that counts is no longer counted.
    pub(crate) fn remove(&mut self, at: usize) -> Option<Held> {
        let held = self.leases.remove(at)?;
        self.load_ns = self.load_ns.saturating_sub(held.estimate_ns);
        if held.mark.counts() {
            self.uncount(held.lease.job);
        }
        if self.running == Some(held.lease) {
            self.running = None;
        }
        Some(held)
    }

    pub(crate) fn uncount(&mut self, job: JobId) {
        if let Some(count) = self.holding.get_mut(&job) {
            *count -= 1;
            if *count == 0 {
                self.holding.remove(&job);
            }
        }
    }

    /// Estimated time of what waits behind the first lease.
    pub(crate) fn ahead_ns(&self) -> u64 {
        let first = self.leases.front().map_or(0, |held| held.estimate_ns);
        self.load_ns.saturating_sub(first)
    }
}

impl Slot {
    pub(crate) fn new(id: SlotId) -> Self {
        Self { id, state: SlotState::Empty, health: Health::default() }
    }

    /// The worker in it, in any state.
    pub(crate) fn worker(&self) -> Option<&Worker> {
        match &self.state {
            SlotState::Empty | SlotState::BackingOff { .. } => None,
            SlotState::Starting { worker, .. }
            | SlotState::Idle { worker }
            | SlotState::Busy { worker }
            | SlotState::Stopping { worker, .. } => Some(worker),
        }
    }

    /// The worker in it, in any state.
    pub(crate) fn worker_mut(&mut self) -> Option<&mut Worker> {
        match &mut self.state {
            SlotState::Empty | SlotState::BackingOff { .. } => None,
            SlotState::Starting { worker, .. }
            | SlotState::Idle { worker }
            | SlotState::Busy { worker }
            | SlotState::Stopping { worker, .. } => Some(worker),
        }
    }

    /// The worker in it, if it is ready and stays.
    pub(crate) fn ready(&self) -> Option<&Worker> {
        match &self.state {
            SlotState::Idle { worker } | SlotState::Busy { worker } => Some(worker),
            SlotState::Empty
            | SlotState::BackingOff { .. }
            | SlotState::Starting { .. }
            | SlotState::Stopping { .. } => None,
        }
    }

    /// Whether its worker goes because it was told to.
    pub(crate) fn is_dismissed(&self) -> bool {
        match self.state {
            SlotState::Stopping { why, .. } => why == Leaving::Dismissed,
            SlotState::Empty
            | SlotState::Starting { .. }
            | SlotState::Idle { .. }
            | SlotState::Busy { .. }
            | SlotState::BackingOff { .. } => false,
        }
    }

    /// Takes the worker out and leaves the slot empty.
    pub(crate) fn vacate(&mut self) -> Option<Box<Worker>> {
        match std::mem::replace(&mut self.state, SlotState::Empty) {
            SlotState::Empty | SlotState::BackingOff { .. } => None,
            SlotState::Starting { worker, .. }
            | SlotState::Idle { worker }
            | SlotState::Busy { worker }
            | SlotState::Stopping { worker, .. } => Some(worker),
        }
    }

    /// The word that `workers` shows.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.state {
            SlotState::Empty => "empty",
            SlotState::Starting { .. } => "starting",
            SlotState::Idle { .. } => "idle",
            SlotState::Busy { .. } => "busy",
            SlotState::Stopping { .. } => "stopping",
            SlotState::BackingOff { .. } => "backing-off",
        }
    }
}

/// How the workers of a slot have fared: what its restarts are delayed by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Deaths of idle or starting workers, within the window.
    recent: VecDeque<Moment>,
    /// Delays since it was last healthy.
    pub(crate) delays: u32,
    /// Deaths of idle or starting workers since it was last healthy.
    pub(crate) young: u64,
    /// Workers lost, for whatever reason.
    pub(crate) lost: u64,
}

impl Health {
    /// A worker died idle or starting: how long the next start must wait, if it must. `jitter` is any number.
    pub(crate) fn died_young(&mut self, now: Moment, settings: &Settings, jitter: u64) -> Option<Span> {
        while self.recent.front().is_some_and(|&at| now.since(at) > settings.intensity_window) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.young += 1;
        // Once delayed, always delayed: the delays themselves would empty the window.
        if self.delays == 0 && self.recent.len() as u64 <= u64::from(settings.intensity) {
            return None;
        }
        self.recent.clear();
        let doubled = settings.backoff_first.0.saturating_mul(1 << self.delays.min(40));
        let delay = doubled.min(settings.backoff_most.0);
        self.delays += 1;
        Some(Span(delay - jitter % (delay / 4 + 1)))
    }

    /// Its worker was healthy for long enough.
    pub(crate) fn recovered(&mut self) {
        self.recent.clear();
        self.delays = 0;
        self.young = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::settings;

    #[test]
    fn delays_double_up_to_the_most() {
        let settings = settings(1);
        let mut health = Health::default();
        for at in 0..5 {
            assert_eq!(health.died_young(Moment(at), &settings, 0), None);
        }
        let mut delays = Vec::new();
        for at in 5..16 {
            delays.push(health.died_young(Moment(at), &settings, 0).unwrap().as_ms());
        }
        assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        health.recovered();
        assert_eq!(health.died_young(Moment(20), &settings, 0), None);
    }

    #[test]
    fn deaths_far_apart_are_borne() {
        let settings = settings(1);
        let mut health = Health::default();
        for at in 0..50 {
            assert_eq!(health.died_young(Moment(0) + Span::ms(at * 2001), &settings, 0), None);
        }
    }

    #[test]
    fn jitter_takes_away_a_quarter_at_most() {
        let settings = settings(1);
        for jitter in [0, 1, 25_000_000, u64::MAX] {
            let mut health = Health::default();
            for at in 0..5 {
                assert_eq!(health.died_young(Moment(at), &settings, jitter), None);
            }
            let delay = health.died_young(Moment(5), &settings, jitter).unwrap();
            assert!(delay >= Span::ms(75) && delay <= Span::ms(100), "{delay:?}");
        }
    }
}
