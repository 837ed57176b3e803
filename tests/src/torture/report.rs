//! What a campaign came to.

use std::collections::BTreeMap;
use std::fmt;

use super::plan::Round;
use super::shared::Shared;

/// Counts, and everything that was wrong.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The plan.
    pub seed: u64,
    /// Rounds that are over.
    pub rounds: u64,
    /// How long it took.
    pub seconds: u64,
    /// What was counted, by what it is.
    pub counts: BTreeMap<String, u64>,
    /// A story for each thing that was wrong.
    pub wrong: Vec<String>,
    /// What could not be injected, and why.
    pub left_out: Vec<String>,
}

impl Report {
    pub(super) fn new(seed: u64, left_out: Vec<String>) -> Self {
        Self { seed, left_out, ..Self::default() }
    }

    pub(super) fn take(&mut self, round: &Round, shared: &Shared) {
        let (counts, wrong) = shared.results();
        for (what, count) in counts {
            *self.counts.entry(what).or_default() += count;
        }
        self.counts.entry(format!("round: {}", round.fault)).and_modify(|count| *count += 1).or_insert(1);
        if let Some(crash) = &round.crash {
            let point = crash.split(',').next().unwrap_or_default();
            *self.counts.entry(format!("crash point: {point}, rounds")).or_default() += 1;
        }
        self.wrong.extend(wrong);
        self.rounds += 1;
    }

    /// Processes that were ended by a signal of the campaign's.
    #[must_use]
    pub fn kills(&self) -> u64 {
        let ends = |what: &&String| {
            what.starts_with("strike: ") && (what.ends_with("SIGKILL") || what.ends_with("SIGTERM"))
        };
        self.counts.iter().filter(|(what, _)| ends(what)).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, rounds, seconds, counts, wrong, left_out } = self;
        writeln!(
            f,
            "seed {seed}: {rounds} rounds in {seconds} s, {} kills, {} wrong",
            self.kills(),
            wrong.len()
        )?;
        for (what, count) in counts.iter().filter(|(_, count)| **count > 0) {
            writeln!(f, "{count:>10}  {what}")?;
        }
        for why in left_out {
            writeln!(f, "            not injected: {why}")?;
        }
        for story in wrong {
            writeln!(f, "WRONG  {story}")?;
        }
        Ok(())
    }
}
