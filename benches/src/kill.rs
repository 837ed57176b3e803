//! From the kill of a worker in the middle of a partition to the same range running again, confined as workers are and
//! not confined.

use serde_json::json;
use tally_sys::clock;
use tally_sys::signal::Signal;
use tally_tests::run::send;
use tally_tests::{World, until};

use crate::measure::{median, quantile};

const KILLS: usize = 100;

pub(crate) fn replacement(binary: &str) {
    for confine in ["true", "false"] {
        kills(binary, confine);
    }
}

fn kills(binary: &str, confine: &str) {
    let world = World::new(binary);
    // A worker that is killed before it has begun died young, and too many of these would be waited for.
    let daemon = world.daemon(&["--workers", "1", "--restart-intensity", "1000", "--confine", confine]);
    let mut client = daemon.client();
    let mut times = Vec::new();
    for _ in 0..KILLS {
        let request =
            json!({ "reductions": ["sum"], "sources": ["0..1e13"], "partitions": 1, "detach": true });
        let job = client.submit(&request, false)["job"].take();
        let mut busy = |but: Option<u64>| {
            until("a busy worker", || {
                let reply = client.call("io.tally.Workers", &json!({}));
                let worker = &reply["workers"][0];
                let pid = worker["pid"].as_u64().filter(|&pid| Some(pid) != but);
                pid.filter(|_| worker["state"] == "busy" && worker["range"].is_string())
            })
        };
        let pid = busy(None);
        let begun = clock::monotonic_ns();
        send(u32::try_from(pid).expect("a pid"), Signal::Kill);
        busy(Some(pid));
        times.push((clock::monotonic_ns() - begun) as f64 / 1e6);
        client.call("io.tally.Cancel", &json!({ "jobs": [job] }));
    }
    println!(
        "killed and running again, confine = {confine}: p50 {:.2} ms, p99 {:.2} ms (goal: p99 < 10 ms)",
        median(&mut times),
        quantile(&mut times, 0.99)
    );
    client.call("io.tally.Stop", &json!({ "now": true }));
    drop(daemon.finish());
    world.finish();
}
