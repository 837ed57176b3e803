//! Clients that are connections and leave detached jobs: whatever was acknowledged is answered, once and right, by
//! whichever daemon is there then.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::plan::Round;
use super::shared::Shared;
use super::talk::{NoAnswer, Talk, pause};
use crate::World;

/// Detached jobs and their expected ends, by id.
type Known = BTreeMap<String, (u64, bool)>;

/// Submits detached jobs, cancels a few, and sees the end of each.
pub(super) fn detached(world: &World, round: &Round, jobs: usize, shared: &Arc<Shared>) {
    let mut random = round.random(&[2]);
    let mut known = Known::new();
    let (mut talk, mut left) = (None, jobs);
    while left > 0 {
        left -= 1;
        let count = 1 + random.below(3_000_000);
        let request = json!({
            "reductions": ["sum"], "sources": [format!("0..{count}")], "of": "i + i % 1", "partitions": 1 + random.below(30),
            "retries": 100, "detach": true,
        });
        match with(world, &mut talk, "io.tally.Submit", &json!({ "request": request })) {
            Ok(reply) => {
                let job = reply["job"]["job"].as_str().unwrap_or_default().to_owned();
                shared.count("job: detached, acknowledged");
                if known.insert(job.clone(), (count, false)).is_some() {
                    shared.wrong(format!("{round}: {job} was given out twice"));
                }
                if random.below(6) == 0 {
                    let cancelled = with(world, &mut talk, "io.tally.Cancel", &json!({ "jobs": [job] }));
                    // Whether an unanswered one was taken is not known.
                    known.insert(job, (count, true));
                    shared.count(if cancelled.is_ok() { "cancelled" } else { "cancelled, unanswered" });
                }
            }
            Err(NoAnswer::Refused(reply)) if !round.fault.refuses() => {
                // A daemon that ends refuses, too.
                if reply["error"] != "io.tally.Draining" && !reply.to_string().contains("stopping") {
                    shared.count("detached, refused");
                }
            }
            Err(NoAnswer::Silent) => shared.wrong(format!("{round}: no answer to a submission")),
            Err(_) => shared.count("detached, not acknowledged"),
        }
        if random.below(4) == 0 {
            pause(random.below(20));
        }
    }
    for (job, (count, cancelled)) in known {
        see(world, round, &mut talk, &job, count, cancelled, shared);
    }
}

/// Waits for the end of a job, over as many daemons as it takes.
fn see(
    world: &World,
    round: &Round,
    talk: &mut Option<Talk>,
    job: &str,
    count: u64,
    cancelled: bool,
    shared: &Arc<Shared>,
) {
    let begun = tally_sys::clock::monotonic_ns();
    loop {
        let ended = with(world, talk, "io.tally.Wait", &json!({ "jobs": [job] }));
        let silent = tally_sys::clock::monotonic_ns() - begun > 3 * crate::PATIENCE_NS;
        let view = match ended {
            Ok(mut reply) => reply["jobs"][0].take(),
            Err(NoAnswer::Refused(reply)) if reply["error"] == "io.tally.NoSuchJob" => {
                return shared.wrong(format!("{round}: {job} was acknowledged and is not known: {reply}"));
            }
            Err(why) if silent => return shared.wrong(format!("{round}: {job} never ended: {why:?}")),
            Err(_) => {
                pause(5);
                continue;
            }
        };
        let right = view["results"][0]["value"] == json!(sum_below(count));
        let whole = view["elements"] == json!(count.to_string());
        return match view["state"].as_str() {
            Some("done") if right && whole => shared.count("detached, answered right"),
            Some("cancelled") if cancelled => shared.count("detached, cancelled"),
            Some("failed") if view["error"]["code"] == "no-workers" => {
                shared.count("detached, failed as workers were struck while they started");
            }
            // Where workers cannot be had, a job may end so.
            Some("failed") if round.fault.refuses() => shared.count("detached, failed for want of resources"),
            _ => shared.wrong(format!("{round}: {job} over 0..{count}, cancelled {cancelled}: {view}")),
        };
    }
}

fn sum_below(count: u64) -> String {
    (u128::from(count) * u128::from(count - 1) / 2).to_string()
}

/// A call over a connection that is made anew where it was cut.
pub(super) fn with(
    world: &World,
    talk: &mut Option<Talk>,
    method: &str,
    parameters: &Value,
) -> Result<Value, NoAnswer> {
    let mut tries = 0;
    while talk.is_none() {
        *talk = Talk::connect(world);
        tries += 1;
        if talk.is_none() {
            if tries > 6_000 {
                return Err(NoAnswer::Silent);
            }
            pause(10);
        }
    }
    let answer = match talk {
        Some(talk) => talk.call(method, parameters),
        None => Err(NoAnswer::Cut),
    };
    if matches!(answer, Err(NoAnswer::Cut | NoAnswer::Silent)) {
        *talk = None;
    }
    answer
}
