//! A job of one partition through the daemon and back, against a byte through two pipes to another process and back.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::json;
use tally_tests::World;

use crate::measure::{median, quantile, say, seconds};

const TRIPS: usize = 5_000;
const ROUNDS: usize = 5;

pub(crate) fn round_trips(binary: &str) {
    let world = World::new(binary);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    let request = json!({ "reductions": ["sum"], "sources": ["0..1"] });
    let mut cat =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat is everywhere");
    let (mut there, mut back) = (cat.stdin.take().expect("a pipe"), cat.stdout.take().expect("a pipe"));
    let (mut ours, mut pipes, mut tails) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut round: Vec<f64> =
            (0..TRIPS).map(|_| seconds(|| drop(client.submit(&request, false)))).collect();
        ours.push(median(&mut round));
        tails.push(quantile(&mut round, 0.99));
        let mut round: Vec<f64> = (0..TRIPS)
            .map(|_| {
                seconds(|| {
                    let mut byte = [7];
                    there.write_all(&byte).expect("cat reads");
                    back.read_exact(&mut byte).expect("cat writes");
                })
            })
            .collect();
        pipes.push(median(&mut round));
    }
    let (ours, pipes) = (median(&mut ours), median(&mut pipes));
    println!(
        "job p50 {:.1} us, p99 {:.1} us; two pipes p50 {:.1} us",
        ours * 1e6,
        median(&mut tails) * 1e6,
        pipes * 1e6
    );
    say("one-partition round trip, daemon / two pipes", ours / pipes, "<= 3");
    drop(there);
    cat.wait().expect("cat ends");
    daemon.stop();
    world.finish();
}
