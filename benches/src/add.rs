//! A detached job acknowledged, with nothing queued and with a hundred thousand: from the call to the answer, the disk
//! included.

use serde_json::{Value, json};
use tally_tests::World;

use crate::measure::{median, quantile, say, seconds};

const QUEUED: usize = 100_000;
/// Connections that fill the queue at once: their jobs share their waits for the disk.
const FILLERS: usize = 16;
const TRIPS: usize = 2_000;

pub(crate) fn add_job(binary: &str) {
    let world = World::new(binary);
    let daemon = world.daemon(&["--workers", "1", "--jobs-open-max", "200000"]);
    let mut client = daemon.client();
    // One partition without end keeps the only worker.
    let endless = json!({ "reductions": ["sum"], "sources": ["0..1e18"], "partitions": 1, "detach": true });
    client.submit(&endless, false);
    let request: Value = json!({ "reductions": ["sum"], "sources": ["0..10"], "detach": true });
    let mut measure = |what: &str| {
        let mut trips: Vec<f64> =
            (0..TRIPS).map(|_| seconds(|| drop(client.submit(&request, false)))).collect();
        let middle = median(&mut trips);
        println!("{what}: p50 {:.1} us, p99 {:.1} us", middle * 1e6, quantile(&mut trips, 0.99) * 1e6);
        middle
    };
    let empty = measure("nothing queued");
    std::thread::scope(|scope| {
        for _ in 0..FILLERS {
            let mut client = daemon.client();
            let request = &request;
            scope.spawn(move || {
                for _ in 0..(QUEUED - TRIPS) / FILLERS {
                    client.submit(request, false);
                }
            });
        }
    });
    let full = measure("100,000 queued");
    say("add a job, 100,000 queued / none", full / empty, "<= 1.5");
    drop(daemon);
    world.await_nobody();
}
