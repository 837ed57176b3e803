//! How long a daemon takes to answer others while the answer of a factorial is worked out.

use serde_json::json;
use tally_tests::World;

use crate::measure::{median, quantile, say, seconds};

const NUMBER: u64 = 1_000_000;
const ROUNDS: usize = 5;

pub(crate) fn pings(binary: &str) {
    let world = World::new(binary);
    let daemon = world.daemon(&["--workers", "2"]);
    let (mut asker, mut client) = (daemon.client(), daemon.client());
    let ping = |client: &mut tally_tests::Client| seconds(|| drop(client.call("io.tally.Ping", &json!({}))));
    let mut idle: Vec<f64> = (0..1_000).map(|_| ping(&mut client)).collect();
    let (mut longest, mut typical) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let product =
            json!({ "reductions": ["product"], "sources": [format!("1..={NUMBER}")], "detach": true });
        let job = asker.submit(&product, false)["job"].clone();
        let mut pings = Vec::new();
        // The list of jobs has no long answers in it.
        while asker.call("io.tally.List", &json!({ "all": true }))["jobs"]
            .as_array()
            .is_some_and(|jobs| jobs.iter().any(|one| one["job"] == job && one["state"] == "running"))
        {
            pings.push(ping(&mut client));
        }
        longest.push(quantile(&mut pings, 1.0));
        typical.push(median(&mut pings));
    }
    let (idle, longest, typical) = (median(&mut idle), median(&mut longest), median(&mut typical));
    println!(
        "ping {:.3} ms; during {NUMBER}! {:.3} ms, the longest {:.1} ms",
        idle * 1e3,
        typical * 1e3,
        longest * 1e3
    );
    say("the longest ping during a factorial, in milliseconds", longest * 1e3, "a few");
    daemon.stop();
    world.finish();
}
