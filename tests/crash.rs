//! Workers that die at every step: the sum is right and counted once, each time.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const TRANSPORTS: [&str; 5] = ["shm", "shm-named", "pipe", "mqueue", "channel"];

/// Every step of a worker's life before it has a lease.
const START_POINTS: [&str; 5] =
    ["before-setup", "before-link", "before-opened", "before-ready", "after-ready"];

/// Every step of a lease, in the worker and in its link, at which its partial is not yet committed.
const LEASE_POINTS: [&str; 8] = [
    "before-started",
    "started.before-record",
    "started.before-commit",
    "started.before-bell",
    "fold",
    "before-partial",
    "partial.before-record",
    "partial.before-commit",
];

/// Every step at which the partial is committed: it counts, whoever dies.
const COMMITTED_POINTS: [&str; 3] = ["partial.before-bell", "partial.after-bell", "after-partial"];

fn answer(world: &World, arguments: &[&str]) -> Value {
    let finished = world.run(arguments);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{arguments:?}: {}", finished.stdout);
    finished.json()
}

const TWELVE: [&str; 7] = ["sum", "0..1200000", "--partitions", "12", "--workers", "2", "--json"];

fn twelve_partitions(transport: &str, crash: &str) -> Value {
    let world = World::new(BINARY).with("TALLY_CRASH_AT", crash);
    let mut arguments = TWELVE.to_vec();
    arguments.extend(["--transport", transport]);
    let answer = answer(&world, &arguments);
    assert_eq!(answer["results"][0]["value"], json!("719999400000"), "{transport} {crash}: {answer}");
    assert_eq!(answer["elements"], json!("1200000"), "{transport} {crash}: {answer}");
    let partitions: u64 = answer["workers"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["partitions"].as_u64())
        .sum();
    assert_eq!(partitions, 12, "{transport} {crash}: each partition is counted once: {answer}");
    world.finish();
    answer
}

fn lease_points(transport: &str) {
    for point in LEASE_POINTS {
        let answer = twelve_partitions(transport, &format!("{point},partition=5,attempts=1"));
        // Charged only once it has said that it began: the commit of `Started` is the instant. A link that sends
        // several frames in one write may lose a partial in another one's place, or not pass the point at all.
        let begun = !matches!(point, "before-started" | "started.before-record" | "started.before-commit");
        let retries = answer["retries"].as_u64().expect("a number");
        let together = !transport.starts_with("shm");
        assert!(retries == u64::from(begun) || (together && retries <= 1), "{transport} {point}: {answer}");
    }
    for point in COMMITTED_POINTS {
        let answer = twelve_partitions(transport, &format!("{point},partition=5,attempts=1"));
        let retries = answer["retries"].as_u64().expect("a number");
        let sent = transport.starts_with("shm") || point != "after-partial";
        assert!(retries == 0 || (!sent && retries == 1), "{transport} {point}: {answer}");
    }
}

#[test]
fn a_death_at_every_step_over_shm() {
    lease_points("shm");
}

#[test]
fn a_death_at_every_step_over_shm_named() {
    lease_points("shm-named");
}

#[test]
fn a_death_at_every_step_over_pipe() {
    lease_points("pipe");
}

#[test]
fn a_death_at_every_step_over_mqueue() {
    lease_points("mqueue");
}

#[test]
fn a_death_at_every_step_over_channel() {
    lease_points("channel");
}

#[test]
fn a_death_at_every_step_of_a_start() {
    for transport in TRANSPORTS {
        for start in ["forkserver", "spawn", "fork"] {
            for point in START_POINTS {
                // The set-up packet names the worker; before it was read nobody knows who this is.
                let crash = if point == "before-setup" {
                    "before-ready,workers=1".to_owned()
                } else {
                    format!("{point},workers=2")
                };
                let world = World::new(BINARY).with("TALLY_CRASH_AT", &crash);
                let mut arguments = TWELVE.to_vec();
                arguments.extend(["--transport", transport, "--start", start]);
                let answer = answer(&world, &arguments);
                assert_eq!(
                    answer["results"][0]["value"],
                    json!("719999400000"),
                    "{transport} {start} {point}"
                );
                world.finish();
            }
        }
    }
}

#[test]
fn a_partition_that_kills_its_worker_once_is_one_retry() {
    for how in ["kill", "abort", "exit"] {
        let answer = twelve_partitions("shm", &format!("fold,partition=7,attempts=1,how={how}"));
        assert_eq!(answer["retries"], json!(1), "{how}: {answer}");
    }
}

#[test]
fn a_silent_worker_is_killed_and_its_range_given_to_another() {
    let world = World::new(BINARY)
        .with("TALLY_CRASH_AT", "fold,partition=7,attempts=1,how=hang")
        .with("TALLY_LEASE_MS", "300");
    let answer = answer(&world, &TWELVE);
    assert_eq!((&answer["results"][0]["value"], &answer["retries"]), (&json!("719999400000"), &json!(1)));
    world.finish();
}

#[test]
fn a_range_that_always_kills_is_named_to_the_element() {
    let world = World::new(BINARY).with("TALLY_CRASH_AT", "fold,covers=777777");
    let finished = world.run(TWELVE);
    assert_eq!(finished.code(), 1, "{finished:?}");
    let answer = finished.json();
    assert_eq!((&answer["state"], &answer["error"]["code"]), (&json!("failed"), &json!("worker-killed")));
    assert_eq!(answer["error"]["range"], json!("777777..777778"), "{answer}");
    world.finish();
}

#[test]
fn a_range_that_always_kills_fails_in_words() {
    let world = World::new(BINARY).with("TALLY_CRASH_AT", "fold,covers=5");
    let finished = world.run(["sum", "0..1000"]);
    let line = finished.stderr.lines().next().unwrap_or("");
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""));
    assert!(
        line.starts_with("tally: could not finish j1: range 5..6 killed 3 workers"),
        "{}",
        finished.stderr
    );
    assert!(line.contains("SIGKILL"), "{}", finished.stderr);
    assert!(finished.stderr.lines().count() <= 4, "{}", finished.stderr);
    world.finish();
}

#[test]
fn workers_that_never_start_fail_the_job_in_words() {
    let world = World::new(BINARY).with("TALLY_CRASH_AT", "before-link").with("TALLY_BACKOFF_MOST_MS", "100");
    let finished = world.run(["sum", "0..1000"]);
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
    assert!(finished.stderr.starts_with("tally: could not start workers: "), "{}", finished.stderr);
    assert!(finished.stderr.contains("killed by SIGKILL"), "{}", finished.stderr);
    world.finish();
}
