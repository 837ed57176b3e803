//! Commands whose daemon goes away in the middle: they wait for the next one and ask again, and say so.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tally_sys::signal::Signal;
use tally_tests::{Daemon, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// About a second of work.
const LONG: &str = "0..8e8";
const LONG_SUM: &str = "319999999600000000\n";

fn await_running(daemon: &Daemon) {
    let mut client = daemon.client();
    until("a running job", || {
        let status = client.call("io.tally.Status", &json!({}));
        (status["status"]["running"] == 1).then_some(())
    });
}

#[test]
fn an_attached_job_survives_its_daemon() {
    let world = World::new(BINARY);
    for (signal, flags) in
        [(Signal::Kill, &[][..]), (Signal::Term, &["--drain-ms", "0"]), (Signal::Quit, &[])]
    {
        let flags = [&["--workers", "2"], flags].concat();
        let first = world.daemon(&flags);
        let command = world.begin(["sum", LONG]);
        await_running(&first);
        first.signal(signal);
        drop(first.finish());
        let second = world.daemon(&["--workers", "2"]);
        let finished = command.finish();
        assert_eq!(
            (finished.code(), finished.stdout.as_str()),
            (0, LONG_SUM),
            "{signal}: {}",
            finished.stderr
        );
        let socket = world.socket();
        let note = format!("tally: the daemon at {} went away; waiting for the next\n", socket.display());
        assert_eq!(finished.stderr, note, "{signal}");
        second.stop();
    }
    world.finish();
}

#[test]
fn a_wait_without_an_end_is_none() {
    let world = World::new(BINARY);
    for (patience, code, text) in
        [("200ms", 3, "went away and none came back within"), ("0", 1, "hung up before it answered")]
    {
        let daemon = world.daemon(&["--workers", "1"]);
        let command = world.begin(["sum", LONG, "-q", "--reconnect", patience]);
        await_running(&daemon);
        daemon.signal(Signal::Kill);
        assert_eq!(daemon.finish().code(), 137);
        let finished = command.finish();
        assert_eq!(finished.code(), code, "{}", finished.stderr);
        assert!(
            finished.stderr.contains(text) && finished.stderr.lines().count() == 1,
            "{}",
            finished.stderr
        );
    }
    // Started and stopped once more, so that nothing of the killed ones is left.
    world.daemon(&["--workers", "1"]).stop();
    world.finish();
}

/// Waits until so many wait for an object.
fn await_waiting(daemon: &Daemon, object: &str) {
    let mut client = daemon.client();
    until(&format!("somebody who waits for {object}"), || {
        let listed = client.call("io.tally.Objects", &json!({}));
        let all = listed["objects"].as_array()?.clone();
        all.iter().any(|one| one["object"] == object && one["waiting"] == 1).then_some(())
    });
}

/// Waits until so many wait for objects, or watch one.
fn await_clients(daemon: &Daemon, count: usize) {
    let mut client = daemon.client();
    until(&format!("{count} clients that wait"), || {
        let dump = client.call("io.tally.Dump", &json!({}));
        let waiting = dump["state"].as_str()?.matches("\"waits_for\":\"object\"").count();
        (waiting == count).then_some(())
    });
}

/// Whoever waits for an object waits at the next daemon, too: after a stop, a crash and an upgrade.
#[test]
fn who_waits_for_objects_waits_at_the_next_daemon() {
    let world = World::new(BINARY);
    for end in ["kill", "term", "upgrade"] {
        let first = world.daemon(&["--workers", "1", "--drain-ms", "0"]);
        let event = world.begin(["event", "e", "wait", "--timeout", "60s"]);
        await_waiting(&first, "e");
        let get = world.begin(["queue", "q", "get"]);
        await_waiting(&first, "q");
        let each = world.begin(["queue", "work", "get", "--each", "--", "echo", "did"]);
        await_waiting(&first, "work");
        let watch = world.begin(["watch", "v", "--count", "1"]);
        await_clients(&first, 4);
        let second = match end {
            "upgrade" => {
                assert_eq!(world.ask(["upgrade"]).code(), 0);
                first
            }
            signal => {
                first.signal(if signal == "kill" { Signal::Kill } else { Signal::Term });
                drop(first.finish());
                world.daemon(&["--workers", "1"])
            }
        };
        for object in ["e", "q", "work"] {
            await_waiting(&second, object);
        }
        await_clients(&second, 4);
        for line in
            ["event e set", "queue q put item", "queue work put one", "queue work close", "value v set 1"]
        {
            assert_eq!(world.ask(line.split(' ')).code(), 0, "{line}");
        }
        for (command, answer) in [(event, ""), (get, "item\n"), (each, "did\n")] {
            let finished = command.finish();
            assert_eq!(
                (finished.code(), finished.stdout.as_str()),
                (0, answer),
                "{end}: {}",
                finished.stderr
            );
        }
        let watched = watch.finish().stdout;
        assert!(watched.starts_with("absent\nabsent\nchanged\t"), "{end}: {watched}");
        for name in ["e", "q", "work", "v"] {
            assert_eq!(world.ask(["objects", "rm", name]).code(), 0, "{name}");
        }
        second.stop();
    }
    world.finish();
}

#[test]
fn who_will_not_wait_for_another_daemon_is_told() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let command = world.begin(["event", "e", "wait", "--reconnect", "0"]);
    await_waiting(&daemon, "e");
    daemon.signal(Signal::Kill);
    drop(daemon.finish());
    let finished = command.finish();
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("hung up before it answered"), "{}", finished.stderr);
    world.daemon(&["--workers", "1"]).stop();
    world.finish();
}

#[test]
fn an_interrupt_ends_the_wait() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let command = world.begin(["sum", LONG]);
    await_running(&daemon);
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
    command.await_line("went away");
    command.signal(Signal::Int);
    assert_eq!(command.finish().code(), 130);
    world.daemon(&["--workers", "1"]).stop();
    world.finish();
}

/// While one binary after the other takes the daemon over: each is acknowledged, and none is there twice.
#[test]
fn no_detached_job_is_refused_or_doubled_by_an_upgrade() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1", "--drain-ms", "50", "--grace-ms", "100"]);
    let over = AtomicBool::new(false);
    let mut acknowledged = std::thread::scope(|scope| {
        let begin = |_| {
            scope.spawn(|| {
                let mut jobs = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let asked = world.ask(["sum", "0..10", "--detach"]);
                    // It may have had to wait, and said so; it was not refused.
                    let told =
                        asked.stderr.lines().all(|line| line.ends_with("went away; waiting for the next"));
                    assert!(asked.code() == 0 && told, "{} {}", asked.code(), asked.stderr);
                    jobs.push(asked.stdout.trim().to_owned());
                }
                jobs
            })
        };
        let askers: Vec<_> = (0..2).map(begin).collect();
        let upgrades: Vec<_> = (0..8).map(|_| world.ask(["upgrade"])).collect();
        over.store(true, Ordering::Relaxed);
        upgrades.iter().for_each(|upgraded| assert_eq!(upgraded.code(), 0, "{}", upgraded.stderr));
        askers.into_iter().flat_map(|asker| asker.join().expect("each is acknowledged")).collect::<Vec<_>>()
    });
    assert!(!acknowledged.is_empty());
    let listed = daemon.client().call("io.tally.Jobs", &json!({ "all": true }));
    let jobs = listed["jobs"].as_array().expect("a list").iter();
    let mut there: Vec<String> = jobs.map(|job| job["job"].as_str().expect("an id").to_owned()).collect();
    there.sort();
    acknowledged.sort();
    assert_eq!(there, acknowledged);
    daemon.stop();
    world.finish();
}
