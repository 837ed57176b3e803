//! Named locks: from a holder's death to the next one's turn, a grant against a ping, and the refusal of a deadlock.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tally_sys::clock;
use tally_tests::{Client, World};

use crate::measure::{median, quantile, say, seconds};

const KILLS: usize = 1_000;
const TRIPS: usize = 2_000;
const REFUSALS: usize = 500;
const CYCLE: usize = 50;

pub(crate) fn named_locks(binary: &str) {
    let world = World::new(binary);
    let daemon = world.daemon(&["--workers", "1"]);
    let ask =
        |client: &mut Client, name: &str| client.ask("io.tally.Acquire", &json!({ "name": name }), false);
    // The holder is a process of its own, with the only copy of the connection.
    let mut times = Vec::new();
    let mut holder = daemon.client();
    ask(&mut holder, "k");
    granted(&holder.hear().expect("a reply"));
    for _ in 0..KILLS {
        let mut next = daemon.client();
        ask(&mut next, "k");
        // Answered once the daemon has read both.
        daemon.client().call("io.tally.Locks", &json!({}));
        let mut child = Command::new("sleep")
            .arg("1000")
            .stdin(Stdio::from(OwnedFd::from(holder.stream)))
            .spawn()
            .expect("sleep is everywhere");
        let begun = clock::monotonic_ns();
        child.kill().expect("it is ours");
        granted(&next.hear().expect("a reply"));
        times.push((clock::monotonic_ns() - begun) as f64 / 1e6);
        child.wait().expect("it ends");
        holder = next;
    }
    println!(
        "{KILLS} holders killed, the next has it: p50 {:.3} ms, p99 {:.3} ms (goal: p99 < 10 ms)",
        median(&mut times),
        quantile(&mut times, 0.99)
    );
    drop(holder);
    let mut client = daemon.client();
    let (mut locks, mut pings) = (Vec::new(), Vec::new());
    for _ in 0..TRIPS {
        locks.push(seconds(|| {
            let grant = client.call("io.tally.Acquire", &json!({ "name": "a" }));
            client.call("io.tally.Release", &json!({ "fence": grant["grant"]["fence"] }));
        }));
        pings.push(seconds(|| drop(client.call("io.tally.Ping", &json!({})))));
    }
    println!(
        "take and release: p50 {:.1} us, p99 {:.1} us",
        median(&mut locks) * 1e6,
        quantile(&mut locks, 0.99) * 1e6
    );
    say("take and release / ping", median(&mut locks) / median(&mut pings), "about 2, as it is two trips");
    for count in [2, CYCLE] {
        let mut ring: Vec<Client> = (0..count).map(|_| daemon.client()).collect();
        for (number, client) in ring.iter_mut().enumerate() {
            ask(client, &format!("l{number}"));
            granted(&client.hear().expect("a reply"));
        }
        for (number, client) in ring.iter_mut().enumerate().take(count - 1) {
            ask(client, &format!("l{}", number + 1));
            daemon.client().call("io.tally.Locks", &json!({}));
        }
        let last = ring.last_mut().expect("a ring has one");
        let mut times: Vec<f64> = (0..REFUSALS)
            .map(|_| {
                seconds(|| {
                    let error = last.call_in_vain("io.tally.Acquire", &json!({ "name": "l0" }));
                    assert_eq!(error, "io.tally.Deadlock");
                })
            })
            .collect();
        println!(
            "a deadlock of {count} refused with every wait named: p50 {:.3} ms, p99 {:.3} ms (goal: < 5 ms)",
            median(&mut times) * 1e3,
            quantile(&mut times, 0.99) * 1e3
        );
    }
    daemon.stop();
    world.finish();
}

fn granted(reply: &Value) {
    assert!(reply["parameters"]["grant"]["fence"].is_u64(), "{reply}");
}
