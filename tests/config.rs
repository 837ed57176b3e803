//! Settings: from what layer they come, how they are shown, checked and reloaded, and that nothing about them is
//! said in one place only.
#![forbid(unsafe_code)]

use std::fs;

use serde_json::json;
use tally_sys::signal::Signal;
use tally_tests::{World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A file of the test's world.
fn file(world: &World, name: &str, text: &str) -> String {
    let path = world.path().join(name);
    fs::write(&path, text).expect("it can be written");
    path.to_str().expect("the path is text").to_owned()
}

fn slots(client: &mut tally_tests::Client) -> u64 {
    client.call("io.tally.Status", &json!({}))["status"]["slots"].as_u64().expect("a number")
}

#[test]
fn sighup_takes_what_the_file_says_now_and_running_jobs_go_on() {
    let world = World::new(BINARY);
    let path = file(&world, "tally.toml", "workers = 1\nlog = \"info\"\n");
    let daemon = world.daemon(&["--config", &path, "--retries", "5"]);
    let mut client = daemon.client();
    assert_eq!(slots(&mut client), 1);
    let mut running = daemon.client();
    running.submit(&json!({ "reductions": ["sum"], "sources": ["0..4e8"] }), true);
    file(&world, "tally.toml", "workers = 3\nlog = \"debug\"\nretries = 7\nlease_ms = 20000\n");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("configuration reloaded");
    assert!(line.ends_with("workers 1 -> 3, lease_ms 10000 -> 20000, log info -> debug"), "{line}");
    // Now that more is logged.
    daemon.await_line("DEBUG");
    until("three workers", || {
        let status = client.call("io.tally.Status", &json!({}));
        (status["status"]["workers"] == 3).then_some(())
    });
    let outcome = loop {
        let reply = running.hear().expect("the job goes on");
        if reply["continues"] != json!(true) {
            break reply["parameters"]["job"].clone();
        }
    };
    assert_eq!((&outcome["state"], &outcome["retries"]), (&json!("done"), &json!(0)), "{outcome}");
    file(&world, "tally.toml", "workers = 1\n");
    daemon.signal(Signal::Hup);
    daemon.await_line("workers 3 -> 1");
    assert_eq!(slots(&mut client), 1);
    daemon.stop();
    world.finish();
}

#[test]
fn a_bad_or_lost_file_changes_nothing() {
    let world = World::new(BINARY);
    let path = file(&world, "tally.toml", "workers = 2\n");
    let daemon = world.daemon(&["--config", &path]);
    let mut client = daemon.client();
    file(&world, "tally.toml", "workers = 3\nlease_ms = 5\nretires = 1\n");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("could not reload");
    assert!(
        line.ends_with(&format!(
            "could not reload the configuration: {path}:2:1: lease_ms is 5; it can be 200 to 86400000 \
             (and one more fault; 'tally config check' lists them); the old settings stay in force"
        )),
        "{line}"
    );
    assert_eq!(slots(&mut client), 2);
    fs::remove_file(&path).expect("it can be removed");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("could not reload");
    assert!(line.contains(&format!("{path}: the file is gone; the old settings")), "{line}");
    assert_eq!(slots(&mut client), 2);
    file(&world, "tally.toml", "workers = 4\nmetrics_listen = \"unix:/nowhere/metrics\"\n");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("configuration reloaded");
    let expected = "workers 2 -> 4; needs a restart: metrics_listen none -> unix:/nowhere/metrics";
    assert!(line.ends_with(expected), "{line}");
    assert_eq!(slots(&mut client), 4);
    // Nothing but what is there has a say: no pipe, no directory.
    fs::remove_file(&path).expect("it can be removed");
    fs::create_dir(&path).expect("a directory can be made");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("could not reload");
    assert!(line.contains(&format!("{path}: it is no regular file")), "{line}");
    daemon.stop();
    world.finish();
}
