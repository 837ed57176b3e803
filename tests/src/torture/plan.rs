//! What a seed means.

use std::fmt;

use super::faults::{Fault, Faults};
use crate::Random;

/// The links.
pub(super) const TRANSPORTS: [&str; 5] = ["shm", "shm-named", "pipe", "mqueue", "channel"];
/// How workers are started.
pub(super) const STARTS: [&str; 3] = ["forkserver", "spawn", "fork"];

/// Every place at which a worker can be made to die (worker/src/run.rs, setup.rs, transport/src/steps.rs).
const POINTS: [&str; 21] = [
    "before-link",
    "before-opened",
    "before-ready",
    "after-ready",
    "before-started",
    "started.before-record",
    "started.before-commit",
    "started.before-bell",
    "started.after-bell",
    "fold",
    "mid-fold",
    "before-partial",
    "partial.before-record",
    "partial.before-commit",
    "partial.before-bell",
    "partial.after-bell",
    "after-partial",
    "after-flush",
    "mid-message",
    "progress.before-commit",
    "progress.before-bell",
];

/// Those at which a worker has no lease yet.
const EARLY: usize = 4;

/// One round: a world, a daemon, its clients, and what goes wrong.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) number: u64,
    /// Of all random numbers of the round.
    pub(super) seed: u64,
    pub(super) transport: &'static str,
    pub(super) start: &'static str,
    pub(super) workers: u64,
    pub(super) fault: Fault,
    /// What `TALLY_CRASH_AT` says.
    pub(super) crash: Option<String>,
    pub(super) clients: u64,
    /// The longest pause between two strikes.
    pub(super) pause_ms: u64,
}

impl Round {
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut random = Random::of(seed, &[number]);
        let at = |all: usize, by: u64| usize::try_from(number / by % all as u64).expect("a short list");
        // Every link with every way to start, every fault and every point, long before chance would have it.
        let point = POINTS[at(POINTS.len(), 1)];
        let how = random.one_of(&["kill", "kill", "abort", "exit"]);
        let crash = match at(POINTS.len(), 1) < EARLY {
            true => format!("{point},workers={},how={how}", 1 + random.below(3)),
            false => format!("{point},partition={},attempts=1,how={how}", random.below(4)),
        };
        Self {
            number,
            seed: random.word(),
            transport: TRANSPORTS[at(TRANSPORTS.len(), 1)],
            start: STARTS[at(STARTS.len(), 5)],
            workers: 1 + random.below(3),
            fault: Fault::ALL[at(Fault::ALL.len(), 1)],
            crash: (random.below(3) > 0).then_some(crash),
            clients: 3 + random.below(3),
            pause_ms: random.one_of(&[3, 8, 25]),
        }
    }

    /// Random numbers of one of the round's threads.
    pub(super) fn random(&self, who: &[u64]) -> Random {
        Random::of(self.seed, who)
    }

    /// Variables of every process of the round.
    pub(super) fn environment(&self, faults: &Faults) -> Vec<(String, String)> {
        let mut all = faults.environment(self.fault);
        all.extend(self.crash.iter().map(|crash| ("TALLY_CRASH_AT".to_owned(), crash.clone())));
        all
    }

    /// Flags of the daemon. Workers that die young are replaced at once: hundreds of them do.
    pub(super) fn flags(&self) -> Vec<String> {
        let mut flags: Vec<String> = [
            "--transport",
            self.transport,
            "--start",
            self.start,
            "--retries",
            "100",
            "--restart-intensity",
            "20",
            "--backoff-first-ms",
            "5",
            "--backoff-most-ms",
            "50",
            "--drain-ms",
            "200",
            "--grace-ms",
            "1000",
            "--jobs-ended-days",
            "none",
            "--workers",
        ]
        .map(str::to_owned)
        .into();
        flags.push(self.workers.to_string());
        flags.push("--checkpoint-ms".to_owned());
        flags.push(if self.seed.is_multiple_of(2) { "0" } else { "100" }.to_owned());
        flags
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, transport, start, workers, fault, .. } = self;
        write!(f, "round {number} ({transport}, {start}, {workers} workers, {fault}")?;
        match &self.crash {
            Some(crash) => write!(f, ", a death at {crash})"),
            None => f.write_str(")"),
        }
    }
}
