//! The daemon's life: start, second start, stop, drain, kill; idle without a wake-up.
#![forbid(unsafe_code)]

use serde_json::json;
use tally_sys::signal::Signal;
use tally_tests::{Daemon, Running, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let socket = world.socket();
    let second = world.run(["daemon", "--socket", socket.to_str().expect("text")]);
    assert_eq!((second.code(), second.stdout.as_str()), (1, ""));
    assert!(
        second.stderr.starts_with("tally: could not start: a daemon is running already"),
        "{}",
        second.stderr
    );
    assert!(second.stderr.contains(&daemon.pid().to_string()), "{}", second.stderr);
    world.ask(["sum", "0..10"]).answered("45\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_killed_daemon_leaves_nobody_and_nothing_in_the_way() {
    for transport in ["shm", "shm-named", "pipe", "mqueue", "channel"] {
        let world = World::new(BINARY);
        let daemon = world.daemon(&["--workers", "4", "--transport", transport]);
        let mut client = daemon.client();
        client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e15"] }), true);
        until("four workers at work", || {
            let reply = client.hear()?;
            (reply["parameters"]["job"]["partitions"]["leased"].as_u64()? >= 4).then_some(())
        });
        daemon.signal(Signal::Kill);
        assert_eq!(daemon.finish().code(), 137);
        let begun = tally_sys::clock::monotonic_ns();
        world.await_nobody();
        assert!(
            tally_sys::clock::monotonic_ns() - begun < 1_000_000_000,
            "{transport}: workers outlived the daemon"
        );
        let daemon = world.daemon(&["--workers", "1", "--transport", transport]);
        world.ask(["sum", "0..10"]).answered("45\n");
        daemon.stop();
        world.finish();
    }
}

#[test]
fn a_daemon_may_live_by_its_standard_input() {
    let world = World::new(BINARY);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let socket = world.socket();
    let words = ["daemon", "--until-eof", "--workers", "1", "--socket", socket.to_str().expect("text")];
    let mut command = world.command(words);
    command.stdin(reader);
    let daemon = Daemon::over(Running::start(command), world.socket());
    let mut client = daemon.client();
    client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e15"] }), true);
    until("a worker at work", || {
        let reply = client.hear()?;
        (reply["parameters"]["job"]["partitions"]["leased"].as_u64()? >= 1).then_some(())
    });
    drop(writer);
    assert_eq!(daemon.finish().code(), 0);
    let line = "tally: could not run the daemon: standard input has no end to wait for: it must be a pipe, a socket or a \
                terminal (Operation not permitted";
    let refused = world.run(words);
    assert!(refused.code() == 2 && refused.stderr.contains(line), "{}", refused.stderr);
    world.finish();
}

#[test]
fn status_tells_whether_it_runs() {
    let world = World::new(BINARY);
    assert_eq!(world.ask(["status"]).code(), 3);
    let daemon = world.daemon(&["--workers", "1"]);
    let status = world.ask(["status"]);
    assert_eq!(status.code(), 0, "{}", status.stderr);
    assert!(status.stdout.contains("running"), "{}", status.stdout);
    assert_eq!(world.ask(["ping"]).code(), 0);
    daemon.stop();
    assert_eq!(world.ask(["status"]).code(), 3);
    world.finish();
}

#[test]
fn the_first_signal_drains_and_the_second_ends_at_once() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e15"] }), true);
    daemon.signal(Signal::Term);
    until("the drain", || {
        let phase = daemon.client().call("io.tally.Status", &json!({}))["status"]["phase"].take();
        (phase == "draining").then_some(())
    });
    let refused = world.ask(["sum", "0..10"]);
    assert_eq!(refused.code(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("stopping") || refused.stderr.contains("draining"), "{}", refused.stderr);
    daemon.signal(Signal::Term);
    let outcome = loop {
        let reply = client.hear().expect("the job's client is told");
        if reply["continues"] != json!(true) {
            break reply;
        }
    };
    assert_eq!(outcome["parameters"]["job"]["state"], "cancelled", "{outcome}");
    assert_eq!(daemon.finish().code(), 0);
    world.finish();
}

#[test]
fn stop_and_drain_as_commands() {
    for (command, code) in [(vec!["stop"], 0), (vec!["stop", "--now"], 0), (vec!["drain"], 0)] {
        let world = World::new(BINARY);
        let daemon = world.daemon(&["--workers", "2"]);
        let finished = world.ask(&command);
        assert_eq!(finished.code(), code, "{command:?}: {}", finished.stderr);
        assert_eq!(daemon.finish().code(), 0);
        world.finish();
    }
}

#[test]
fn usr1_dumps_the_state_to_the_log() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    daemon.signal(Signal::Usr1);
    daemon.await_line("state: {");
    daemon.stop();
    world.finish();
}

/// An idle daemon and its idle workers sleep: nobody wakes while nothing happens.
#[test]
fn an_idle_daemon_never_wakes() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    // Once the end of a detached job is told, nothing of the start is on its way to the disk any more.
    let kept = serde_json::json!({ "reductions": ["sum"], "sources": ["0..10"], "detach": true });
    let kept = client.submit(&kept, false);
    client.call("io.tally.Wait", &serde_json::json!({ "jobs": [kept["job"]] }));
    client.await_idle(2);
    // The client stays, silent: its hang-up would be somebody's wake-up.
    // A poll with a timeout would show as one; what is waited for is the state, not a time.
    let asleep = || {
        let all_sleep = world.processes().iter().all(|one| one.state == 'S');
        let wakes: Option<Vec<u64>> =
            world.processes().iter().map(|one| tally_tests::proc::voluntary_switches(one.pid)).collect();
        wakes.filter(|_| all_sleep)
    };
    // Other daemons start, work and stop meanwhile: seconds of other people's work. The first of them is for whoever is
    // just lying down: a process is seen asleep a moment before that is counted.
    let others_work = || {
        let other = World::new(BINARY);
        let busy = other.daemon(&["--workers", "2"]);
        other.ask(["sum", "0..2e8"]).answered("19999999900000000\n");
        busy.stop();
        other.finish();
    };
    others_work();
    let before = until("everybody to sleep", asleep);
    for _ in 0..2 {
        others_work();
    }
    assert_eq!(until("everybody to sleep", asleep), before, "somebody woke");
    let resident = tally_tests::proc::resident_bytes(daemon.pid()).expect("it lives");
    assert!(resident < 16 << 20, "{resident} bytes resident");
    drop(client);
    daemon.stop();
    world.finish();
}

#[test]
fn bad_configuration_is_refused_with_its_place() {
    let world = World::new(BINARY);
    let file = world.path().join("tally.toml");
    std::fs::write(&file, "# mine\nworkers = 2\nretires = 3\n").expect("it can be written");
    let file = file.to_str().expect("text");
    let socket = world.socket();
    let finished = world.run(["daemon", "--config", file, "--socket", socket.to_str().expect("text")]);
    finished.failed(
        2,
        &format!(
            "tally: could not read the configuration: {file}:3:1: unknown setting 'retires'; did you mean 'retries'?"
        ),
    );
    let finished = world.run(["daemon", "--check", "--workers", "0"]);
    assert_eq!(finished.code(), 2, "{}", finished.stderr);
    world.finish();
}

#[test]
fn a_socket_that_cannot_be_made_is_one_line() {
    let world = World::new(BINARY);
    let finished = world.run(["daemon", "--socket", "/proc/nowhere/tally.sock"]);
    assert_eq!(finished.code(), 1);
    assert!(
        finished.stderr.starts_with("tally: could not make the directory /proc/nowhere: "),
        "{}",
        finished.stderr
    );
    world.finish();
}

/// A stopped daemon is not waited for: its sign of life has a deadline.
#[test]
fn a_stopped_daemon_gives_no_sign_of_life() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    daemon.signal(Signal::Stop);
    let told = world.ask(["ping", "--timeout", "100ms"]);
    told.failed(
        5,
        &format!(
            "tally: could not ping the daemon: the daemon, process {}, did not answer within 0.1s",
            daemon.pid()
        ),
    );
    daemon.signal(Signal::Cont);
    world.ask(["ping"]).answered("pong\n");
    daemon.stop();
    world.finish();
}

#[test]
fn status_tells_what_is_near_its_limit() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1", "--jobs-open-max", "5", "--memory-limit-mib", "1000"]);
    let mut client = daemon.client();
    for _ in 0..4 {
        client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e15"], "detach": true }), false);
    }
    let told = world.ask(["status"]);
    let line = told.stdout.lines().find(|line| line.starts_with("near limit"));
    assert_eq!(line.map(|line| line.contains("open jobs 4 of 5")), Some(true), "{}", told.stdout);
    let told = world.ask(["status", "--json"]).json();
    let limits = told["limits"].as_array().expect("a list");
    let names: Vec<_> = limits.iter().map(|limit| limit["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["descriptors", "clients", "open-jobs", "worker-memory-bytes"]);
    assert_eq!(limits[2], json!({ "name": "open-jobs", "used": 4, "most": 5, "near": true }));
    assert!(limits[3]["used"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{told}");
    assert_eq!(told["busy"], 1);
    client.call("io.tally.Stop", &json!({ "now": true }));
    assert_eq!(daemon.finish().code(), 0);
    world.finish();
}

/// What an operator reads: the start, readiness, a death with who, at what and why, the end of a job, the end.
#[test]
fn the_log_tells_what_happens() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    daemon.await_line("ready: 1 worker");
    let mut client = daemon.client();
    client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e15"], "detach": true }), false);
    until("the worker to be busy", || {
        let status = client.call("io.tally.Status", &json!({}));
        (status["status"]["busy"] == 1).then_some(())
    });
    let worker = world.named("tally-worker")[0].pid;
    tally_tests::run::send(worker, Signal::Kill);
    let line = daemon.await_line("killed by SIGKILL");
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains(&format!("worker 0 (process {worker}) killed by SIGKILL")), "{line}");
    assert!(line.contains(" at ") && line.contains(" of j1"), "{line}");
    client.call("io.tally.Cancel", &json!({ "jobs": ["j1"] }));
    let who = format!("of user {} cancels j1", tally_sys::process::own_uid());
    daemon.await_line(&who);
    let line = daemon.await_line("j1 cancelled after");
    assert!(line.contains("a client asked for it"), "{line}");
    until("the next worker to be ready", || {
        let status = client.call("io.tally.Status", &json!({}));
        (status["status"]["workers"] == 1).then_some(())
    });
    client.ask("io.tally.Stop", &json!({}), false);
    daemon.await_line("asks to stop");
    daemon.await_line("stopping: 1 worker to end");
    let finished = daemon.finish();
    assert_eq!(finished.code(), 0);
    let start = finished.stderr.lines().find(|line| line.contains(" starts as process "));
    let start = start.expect("the start is told");
    assert!(start.contains("1 worker, forkserver shm; settings: built-in"), "{start}");
    world.finish();
}
