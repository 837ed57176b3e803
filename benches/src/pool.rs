//! One-element partitions a second, against `multiprocessing.Pool` with chunks of one.

use std::process::Command;

use serde_json::json;
use tally_tests::World;

use crate::measure::{median, say, seconds};

const ELEMENTS: u64 = 100_000;
const ROUNDS: usize = 5;

const POOL: &str = "
import multiprocessing, time
def one(i): return i
if __name__ == '__main__':
    with multiprocessing.Pool(2) as pool:
        sum(pool.imap_unordered(one, range(1000), 1))
        t = time.perf_counter()
        total = sum(pool.imap_unordered(one, range(20000), 1))
        print(20000 / (time.perf_counter() - t))
";

pub(crate) fn one_element_partitions(binary: &str) {
    let world = World::new(binary);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    let request =
        json!({ "reductions": ["sum"], "sources": [format!("0..{ELEMENTS}")], "partitions": ELEMENTS });
    client.submit(&request, false);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let time = seconds(|| {
            let job = client.submit(&request, false);
            assert_eq!(job["results"][0]["value"], (ELEMENTS * (ELEMENTS - 1) / 2).to_string());
        });
        ours.push(ELEMENTS as f64 / time);
        let Some(rate) = pool() else {
            println!(
                "python3 is not here: no peer to compare with; tally {:.0} partitions/s",
                median(&mut ours)
            );
            return;
        };
        theirs.push(rate);
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    println!("tally {ours:.0} partitions/s, multiprocessing.Pool {theirs:.0} tasks/s");
    say("one-element partitions, tally / Pool", ours / theirs, ">= 5");
    daemon.stop();
    world.finish();
}

fn pool() -> Option<f64> {
    let output = Command::new("python3").args(["-c", POOL]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
