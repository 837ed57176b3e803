//! Clients that take one lock in turn: numbers of grants only rise, and no two that were given back in order had it at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::plan::Round;
use super::shared::{Grant, Shared, held};
use super::talk::{NoAnswer, Talk, pause};
use super::talkers::with;
use crate::World;

/// Takes the lock and gives it back, so many times.
pub(super) fn run(world: &World, round: &Round, client: u64, jobs: usize, shared: &Arc<Shared>) {
    let mut random = round.random(&[4, client]);
    let mut talk: Option<Talk> = None;
    for _ in 0..jobs * 3 {
        let granted =
            with(world, &mut talk, "io.tally.Acquire", &json!({ "name": "gate", "timeout_ms": 20_000 }));
        let fence = match granted {
            Ok(reply) => reply["grant"]["fence"].as_u64().unwrap_or(0),
            Err(NoAnswer::Silent) => {
                shared.wrong(format!("{round}: no answer to who waits for a lock"));
                continue;
            }
            Err(_) => {
                shared.count("lock, not granted");
                continue;
            }
        };
        let from_ns = tally_sys::clock::monotonic_ns();
        if random.coin() {
            pause(random.below(3));
        }
        let to_ns = tally_sys::clock::monotonic_ns();
        match with(world, &mut talk, "io.tally.Release", &json!({ "fence": fence })) {
            Ok(_) => {
                shared.count("lock, granted and given back");
                held(&shared.grants).push(Grant { fence, from_ns, to_ns });
            }
            Err(NoAnswer::Cut) => shared.count("lock, lost with its daemon"),
            Err(why) => shared.count(&format!("lock, not given back: {}", told(&why))),
        }
    }
}

fn told(why: &NoAnswer) -> String {
    match why {
        NoAnswer::Refused(reply) => reply["error"].as_str().unwrap_or("refused").to_owned(),
        NoAnswer::Cut | NoAnswer::Silent => "no answer".to_owned(),
    }
}

/// Compares all that was granted.
pub(super) fn judge(round: &Round, shared: &Shared) {
    let mut grants = held(&shared.grants).clone();
    let fences: BTreeSet<u64> = grants.iter().map(|grant| grant.fence).collect();
    if fences.len() != grants.len() {
        shared.wrong(format!("{round}: a number of a lock was given out twice"));
    }
    grants.sort_by_key(|grant| grant.from_ns);
    for pair in grants.windows(2) {
        if pair[0].to_ns > pair[1].from_ns {
            shared.wrong(format!("{round}: two had the lock at once: {pair:?}"));
        }
        if pair[0].fence >= pair[1].fence {
            shared.wrong(format!("{round}: the numbers of a lock do not rise: {pair:?}"));
        }
    }
}
