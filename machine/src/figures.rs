//! Counters of what has happened, for metrics. Nothing is decided from these, and no number in them comes from a worker
//! but the times it says it took.

use std::collections::BTreeMap;

use tally_protocol::job::JobState;
use tally_protocol::objects::ObjectKind;

use crate::Machine;

/// Ways to die that are counted apart; the rest are counted together.
const DEATHS_MAX: usize = 64;

/// Upper bounds of the buckets, in nanoseconds: a factor of ten from each to the next.
const BOUNDS: [u64; 9] = [
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
];

/// How often what took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By bound; the last one is beyond all.
    counts: [u64; BOUNDS.len() + 1],
    sum_ns: u64,
}

impl Histogram {
    /// Counts one that took so many nanoseconds.
    pub fn add(&mut self, ns: u64) {
        let at = BOUNDS.iter().position(|&bound| ns <= bound).unwrap_or(BOUNDS.len());
        self.counts[at] += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
    }

    /// Each bound in nanoseconds, none for the last, with how many were at most that.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = BOUNDS.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        }))
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What they took together, in nanoseconds.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }
}

/// What has happened since the start, and what is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Jobs taken in.
    pub jobs_submitted: u64,
    /// Jobs that ended, by how.
    pub jobs_ended: BTreeMap<JobState, u64>,
    /// From the submission of a job to its end.
    pub job_time: Histogram,
    /// Partitions accepted.
    pub partitions: u64,
    /// Elements of these.
    pub elements: u64,
    /// Time that workers say a partition took.
    pub partition_time: Histogram,
    /// Attempts lost and tried again.
    pub retries: u64,
    /// Partials that came too late.
    pub late: u64,
    /// Workers lost, by how they died.
    pub worker_deaths: BTreeMap<String, u64>,
    /// Jobs that want a worker they do not have.
    pub waiting: u64,
    /// Jobs open now.
    pub open: u64,
    /// Records the store has taken.
    pub records: u64,
    /// Records the store has refused.
    pub records_refused: u64,
    /// Jobs whose newest state the store has refused.
    pub unrecorded: u64,
    /// Grants of locks and semaphores that are held.
    pub locks_held: u64,
    /// Clients that wait for one.
    pub locks_waiting: u64,
    /// Grants there have been.
    pub locks_granted: u64,
    /// Deadlocks that were refused.
    pub deadlocks: u64,
    /// Hosted objects.
    pub objects: ObjectFigures,
}

/// Hosted objects as they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFigures {
    /// How many there are of each kind; those of which there are none are left out.
    pub kinds: BTreeMap<ObjectKind, u64>,
    /// Bytes that all of them are counted with.
    pub bytes: u64,
    /// Clients that wait for one.
    pub waiting: u64,
    /// Clients that watch one.
    pub watching: u64,
    /// Items of queues that consumers have.
    pub leased: u64,
}

impl Figures {
    pub(crate) fn count_end(&mut self, state: JobState, ms: u64) {
        *self.jobs_ended.entry(state).or_default() += 1;
        self.job_time.add(ms.saturating_mul(1_000_000));
    }

    pub(crate) fn count_partition(&mut self, elements: u64, busy_ns: u64) {
        self.partitions += 1;
        self.elements = self.elements.saturating_add(elements);
        self.partition_time.add(busy_ns);
    }

    /// A worker was lost: `fault` is what it was killed for, `how` what its process ended with.
    pub(crate) fn count_death(&mut self, fault: Option<&str>, how: &str) {
        let kind = kind_of(fault, how);
        let full = self.worker_deaths.len() >= DEATHS_MAX && !self.worker_deaths.contains_key(kind);
        let kind = if full { "other" } else { kind };
        *self.worker_deaths.entry(kind.to_owned()).or_default() += 1;
    }
}

/// A death in a few words, of which there are not many.
fn kind_of<'t>(fault: Option<&str>, how: &'t str) -> &'t str {
    const FAULTS: [(&str, &str); 5] = [
        ("it said nothing", "silent"),
        ("it was not ready", "not ready in time"),
        ("its link broke", "link broken"),
        ("it sent", "sent nonsense"),
        ("it gave", "sent nonsense"),
    ];
    match fault {
        Some(fault) => {
            let known = FAULTS.iter().find(|(begin, _)| fault.starts_with(begin));
            known.map_or("other", |&(_, kind)| kind)
        }
        None if how.starts_with("could not ") => "could not start",
        None => how.split([':', ';', '(']).next().unwrap_or(how).trim_end(),
    }
}

impl Machine {
    /// All figures as they are now.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let open = self.jobs.open_count() as u64;
        let (locks_held, locks_waiting) = self.locks.counts();
        let (locks_granted, deadlocks) = self.locks.totals();
        Figures {
            locks_held,
            locks_waiting,
            locks_granted,
            deadlocks,
            late: self.late,
            waiting: self.queue.len() as u64,
            open,
            records: self.ledger.taken,
            records_refused: self.ledger.refused,
            unrecorded: self.ledger.held_count(),
            objects: self.objects.figures(),
            ..self.figures.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let mut histogram = Histogram::default();
        for ns in [0, 10_000, 10_001, 5_000_000, u64::MAX / 2] {
            histogram.add(ns);
        }
        let counts: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 4, 4, 4, 4, 4, 4, 5]);
        assert_eq!((histogram.count(), histogram.cumulative().last()), (5, Some((None, 5))));
    }

    #[test]
    fn deaths_are_told_apart_by_kind() {
        let mut figures = Figures::default();
        figures.count_death(None, "killed by SIGKILL");
        figures.count_death(Some("it said nothing for 10 ms and was killed"), "killed by SIGKILL");
        figures.count_death(None, "could not start a worker: no memory");
        for status in 0..100 {
            figures.count_death(None, &format!("exited with status {status}"));
        }
        assert_eq!(figures.worker_deaths["killed by SIGKILL"], 1);
        assert_eq!(figures.worker_deaths["silent"], 1);
        assert_eq!(figures.worker_deaths["could not start"], 1);
        assert_eq!(figures.worker_deaths.len(), DEATHS_MAX + 1);
        assert_eq!(figures.worker_deaths.values().sum::<u64>(), 103);
    }
}
