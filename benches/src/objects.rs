//! Hosted objects against CPython's Manager: dict sets, a put and a get of a queue, and the same in batches.
//!
//! One client each, in the same run. Ours sends its calls ahead, as a program with much to do does, and once one by one.

use std::io::Write as _;
use std::process::Command;

use serde_json::json;
use tally_tests::{Client, World};

use crate::measure::{median, say, seconds};

const COUNT: usize = 50_000;
const ROUNDS: usize = 5;
/// Pairs of one `update`.
const PAIRS: usize = 5_000;
const PEER: &str = include_str!("objects.py");

pub(crate) fn shared_things(binary: &str) {
    let world = World::new(binary);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    let mut rates: [Vec<f64>; 6] = Default::default();
    let mut peer: [Vec<f64>; 2] = Default::default();
    let sets = calls(
        COUNT,
        |number| json!({ "object": "d", "kind": "dict", "operation": "set", "key": format!("k{number}"), "value": number }),
    );
    let pairs = calls(COUNT, |number| match number % 2 {
        0 => json!({ "object": "q", "kind": "queue", "operation": "put", "value": number }),
        _ => json!({ "object": "q", "kind": "queue", "operation": "get", "take": true }),
    });
    let updates = calls(COUNT / PAIRS * 10, |call| {
        let items = (0..PAIRS).map(|at| (format!("k{}", (call * PAIRS + at) % COUNT), json!(at)));
        let items: serde_json::Map<_, _> = items.collect();
        json!({ "object": "d", "kind": "dict", "operation": "update", "items": items })
    });
    let transactions = transactions();
    for _ in 0..ROUNDS {
        rates[0].push(COUNT as f64 / seconds(|| pipeline(&mut client, &sets, COUNT)));
        rates[1].push(COUNT as f64 / 2.0 / seconds(|| pipeline(&mut client, &pairs, COUNT)));
        rates[2].push((COUNT * 10) as f64 / seconds(|| pipeline(&mut client, &updates, COUNT / PAIRS * 10)));
        rates[3].push(COUNT as f64 / seconds(|| pipeline(&mut client, &transactions, COUNT / 1_000)));
        rates[4].push(COUNT as f64 / 10.0 / seconds(|| one_by_one(&mut client, &sets, COUNT / 10)));
        rates[5].push(COUNT as f64 / 20.0 / seconds(|| one_by_one(&mut client, &pairs, COUNT / 10)));
        if let Some([set, pair]) = manager() {
            peer[0].push(set);
            peer[1].push(pair);
        }
    }
    let [sets, pairs, updates, transactions, single, single_pairs] =
        rates.map(|mut rates| median(&mut rates));
    println!(
        "dict sets/s: sent ahead {sets:.0}, one by one {single:.0}, in transactions of 1,000 {transactions:.0}, in updates of {PAIRS} {updates:.0}"
    );
    println!("queue put+get/s: sent ahead {pairs:.0}, one by one {single_pairs:.0}");
    if peer[0].is_empty() {
        println!("python3 is not here: no Manager to compare with");
    } else {
        let [set, pair] = peer.map(|mut rates| median(&mut rates));
        println!("CPython's Manager: {set:.0} dict sets/s, {pair:.0} queue put+get/s");
        say("dict sets, tally / Manager", sets / set, ">= 10");
        say("queue put+get, tally / Manager", pairs / pair, ">= 10");
        say("dict sets one by one, tally / Manager", single / set, "none");
        say("dict sets in batches, tally / Manager", updates / set, ">= 100");
    }
    daemon.stop();
    world.finish();
}

fn calls(count: usize, operation: impl Fn(usize) -> serde_json::Value) -> Vec<Vec<u8>> {
    let call = |number| {
        let operation = operation(number);
        // In this order, as programs write it.
        let mut bytes =
            format!("{{\"method\":\"io.tally.Operate\",\"parameters\":{{\"operation\":{operation}}}}}")
                .into_bytes();
        bytes.push(0);
        bytes
    };
    (0..count).map(call).collect()
}

fn transactions() -> Vec<Vec<u8>> {
    let one = |call: usize| {
        let sets: Vec<_> = (0..1_000)
            .map(|at| json!({ "object": "d", "kind": "dict", "operation": "set", "key": format!("k{}", call * 1_000 + at), "value": at }))
            .collect();
        let operations = serde_json::Value::from(sets);
        let text =
            format!("{{\"method\":\"io.tally.Transact\",\"parameters\":{{\"operations\":{operations}}}}}\0");
        text.into_bytes()
    };
    (0..COUNT / 1_000).map(one).collect()
}

/// Sends everything, and counts the replies.
fn pipeline(client: &mut Client, calls: &[Vec<u8>], count: usize) {
    let mut stream = client.stream.try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for piece in calls.chunks(512) {
                stream.write_all(&piece.concat()).expect("the daemon reads");
            }
        });
        client.skip(count);
    });
}

fn one_by_one(client: &mut Client, calls: &[Vec<u8>], count: usize) {
    for call in &calls[..count] {
        client.send(call);
        client.skip(1);
    }
}

fn manager() -> Option<[f64; 2]> {
    let output = Command::new("python3").args(["-c", PEER]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut rates = text.split_whitespace().map(str::parse);
    Some([rates.next()?.ok()?, rates.next()?.ok()?])
}
