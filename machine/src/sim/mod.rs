//! Seeded worlds in which the machine is tested: simulated workers, clients, clock and faults.
//!
//! A seed gives a world (`scenario`), a world gives events, and three judges watch: `Machine::check` after each event,
//! what the world expects (`judge`), and limits on events and time (`world`). Equal seeds give equal worlds, so a seed
//! that fails is the whole report; `trace` tells its story, one line for each event and action.

mod clients;
mod fold;
mod judge;
pub(crate) mod rng;
mod scenario;
mod starters;
mod store;
pub mod text;
mod workers;
mod world;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

/// A world that came to a bad end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub seed: u64,
    /// What was wrong.
    pub why: String,
    /// All that happened in it, one line each.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "seed {}: {}", self.seed, self.why)
    }
}

impl std::error::Error for Failure {}

/// Lives through the world of a seed; says how many events it had.
///
/// # Errors
/// With the trace, if a judge was not content.
pub fn run(seed: u64) -> Result<u64, Box<Failure>> {
    let (outcome, events) = live(&mut World::new(seed, false));
    match outcome {
        Ok(()) => Ok(events),
        Err(_) => {
            let (trace, outcome) = trace(seed);
            let why = outcome.err().unwrap_or_else(|| "it went well when it was traced".to_owned());
            Err(Box::new(Failure { seed, why, trace }))
        }
    }
}

/// Lives through the world of a seed and tells all that happened, with what was wrong if something was.
pub fn trace(seed: u64) -> (Vec<String>, Result<(), String>) {
    let mut world = World::new(seed, true);
    let (outcome, _) = live(&mut world);
    (world.take_trace(), outcome)
}

fn live(world: &mut World) -> (Result<(), String>, u64) {
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        Err(format!("panic: {}", text.unwrap_or_else(|| "without words".to_owned())))
    });
    (outcome, world.events)
}

/// Lives through some worlds, one after the other; says how many events they had together.
///
/// # Errors
/// With the first world in which a judge was not content.
pub fn run_all(seeds: std::ops::Range<u64>) -> Result<u64, Box<Failure>> {
    seeds.map(run).sum()
}

#[cfg(test)]
mod tests;
