//! `tally upgrade`: another binary takes the daemon over, in the same process and on the same socket.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use serde_json::json;
use tally_sys::signal::Signal;
use tally_tests::gate::{make_gate, open_gate};
use tally_tests::races::serves;
use tally_tests::{Held, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A copy of the binary under test, at a place of its own.
fn copy(world: &World) -> PathBuf {
    let path = world.path().join("tally-new");
    fs::copy(BINARY, &path).expect("it can be copied");
    path
}

fn program_of(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).expect("it lives")
}

#[test]
fn the_new_binary_has_the_pid_the_socket_and_the_locks() {
    let world = World::new(BINARY);
    let new = copy(&world);
    let daemon = world.daemon(&["--workers", "1", "--pid-file", "run/pid", "--drain-ms", "100"]);
    let pid = daemon.pid();
    let inode = fs::metadata(world.socket()).expect("a socket").ino();
    // A job that outlives the drain, and one client after the other: each gets its answer.
    let long = world.begin(["sum", "0..6e8"]);
    let mut client = daemon.client();
    until("a running job", || {
        (client.call("io.tally.Status", &json!({}))["status"]["running"] == 1).then_some(())
    });
    drop(client);
    let finished = world.ask(["upgrade", "--binary", new.to_str().expect("text")]);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert!(finished.stderr.ends_with(&format!("process {pid}\n")), "{}", finished.stderr);
    assert_eq!(serves(&world.socket()), pid);
    assert_eq!(program_of(pid), new);
    assert_eq!(fs::metadata(world.socket()).expect("a socket").ino(), inode, "it was never away");
    world.ask(["sum", "0..10"]).answered("45\n");
    let long = long.finish();
    assert_eq!((long.code(), long.stdout.as_str()), (0, "179999999700000000\n"), "{}", long.stderr);
    let second = world.run(["daemon", "--socket", "run/tally.sock"]);
    assert!(second.stderr.contains("a daemon is running already"), "{}", second.stderr);
    // And once more, by the file that is now in the place of its own.
    assert_eq!(world.ask(["upgrade"]).code(), 0);
    assert_eq!(serves(&world.socket()), pid);
    daemon.stop();
    world.finish();
}

#[test]
fn objects_that_are_in_no_store_live_as_long_as_the_process() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let set_up = [
        "value v add 7",
        "value f add 0.1",
        "value f add 1e100",
        "dict d set k text",
        "list l push a b c",
        "queue q put one two --capacity 5",
        "queue q close",
        "event e set",
        "stats s add 1 2",
        "value kept set 1 --persistent",
        "value brief set 1 --ttl 24h --others read",
    ];
    let ask = |line: &str| world.ask(line.split_whitespace());
    for line in set_up {
        assert_eq!(ask(line).code(), 0, "{line}");
    }
    // One that ends with its connection, and an item that a consumer has: its connection stays.
    let mut client = daemon.client();
    let operation = json!({ "object": "tied", "kind": "value", "operation": "set", "value": 1, "lifetime": "connection" });
    client.call("io.tally.Operate", &json!({ "operation": operation }));
    let of_queue = |rest: serde_json::Value| {
        let mut operation = json!({ "object": "q", "kind": "queue" });
        let fields = operation.as_object_mut().expect("an object");
        fields.extend(rest.as_object().expect("an object").clone());
        json!({ "operation": operation })
    };
    client.call("io.tally.Operate", &of_queue(json!({ "operation": "get" })));
    let listed = || ask("objects --json").stdout;
    let versions = |text: &str| -> Vec<(String, u64)> {
        let all: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let all = all["objects"].as_array().expect("a list").clone();
        all.iter()
            .map(|one| {
                (
                    one["object"].as_str().expect("a name").to_owned(),
                    one["version"].as_u64().expect("a number"),
                )
            })
            .collect()
    };
    let before = versions(&listed());
    for _ in 0..2 {
        assert_eq!(ask("upgrade").code(), 0);
    }
    let after = versions(&listed());
    let names: Vec<&str> = after.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["brief", "d", "e", "f", "kept", "l", "q", "s", "v"]);
    for (name, version) in &after {
        let then = before.iter().find(|(one, _)| one == name).expect("it was there").1;
        assert!(*version == then || name == "q", "{name}: {then} and then {version}");
    }
    for (line, text) in [
        ("value v add 1", "8\n"),
        ("value f add -1e100", "0.1\n"),
        ("dict d items", "k\ttext\n"),
        ("list l all", "a\nb\nc\n"),
        ("queue q size", "1\n"),
        ("queue q get", "two\n"),
        ("event e get", "true\n"),
        ("stats s get", "count\t2\nsum\t3\nmin\t1\nmax\t2\nmean\t1.5\n"),
        ("value kept get", "1\n"),
    ] {
        ask(line).answered(text);
    }
    assert_eq!(ask("queue q put three").code(), 7, "it is closed");
    client.call("io.tally.Operate", &of_queue(json!({ "operation": "ack", "receipt": "1.1" })));
    assert_eq!(ask("queue q get").code(), 7, "the last item is acknowledged");
    assert!(listed().contains("\"others\":\"read\""));
    daemon.signal(Signal::Kill);
    drop(daemon.finish());
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(versions(&listed()).len(), 1, "a crash leaves what is persistent");
    daemon.stop();
    world.finish();
}

#[test]
fn a_daemon_in_the_background_stays_there() {
    let world = World::new(BINARY);
    // By its way from the directory of the start, which is not that of a daemon in the background.
    fs::write(world.path().join("own.toml"), "workers = 1\n").expect("it can be written");
    let started = world.run([
        "daemon",
        "--daemonize",
        "--socket",
        "run/tally.sock",
        "--pid-file",
        "run/pid",
        "--log-file",
        "log",
        "--config",
        "own.toml",
    ]);
    started.answered("");
    let pid = serves(&world.socket());
    let upgraded = world.ask(["upgrade"]);
    assert_eq!(upgraded.code(), 0, "{}", upgraded.stderr);
    assert_eq!(serves(&world.socket()), pid);
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).expect("a directory").to_str(), Some("/"));
    assert_eq!(world.ask(["upgrade"]).code(), 0);
    assert_eq!(world.ask(["stop"]).code(), 0);
    world.await_nobody();
    let log = fs::read_to_string(world.path().join("log")).expect("a log");
    assert!(!log.contains("ERROR"), "{log}");
    world.finish();
}

#[test]
fn a_binary_that_is_no_good_changes_nothing() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let script = |name: &str, text: &str| {
        let path = world.path().join(name);
        fs::write(&path, text).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be made a program");
        path.to_str().expect("text").to_owned()
    };
    let stranger = script("stranger", "#!/bin/sh\nexit 0\n");
    let refuses = script(
        "refuses",
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo tally 9.9; else echo tally: no such setting; exit 2; fi\n",
    );
    let leaves_some = script(
        "leaves-some",
        &format!(
            "#!/bin/sh\nsleep 1000 >/dev/null 2>&1 &\necho $! >{}/child\nexit 9\n",
            world.path().display()
        ),
    );
    for (binary, why) in [
        ("/etc/passwd", "/etc/passwd cannot be run"),
        (leaves_some.as_str(), "exited with status 9"),
        ("/nowhere/tally", "/nowhere/tally cannot be run"),
        (stranger.as_str(), "is no tally"),
        (refuses.as_str(), "exited with status 2: tally: no such setting"),
    ] {
        let finished = world.ask(["upgrade", "--binary", binary]);
        assert_eq!(finished.code(), 1, "{}", finished.stderr);
        let line = finished.stderr.lines().next().unwrap_or("");
        assert!(line.starts_with("tally: could not upgrade: ") && line.contains(why), "{}", finished.stderr);
        let told = daemon.await_line(why);
        assert!(told.contains("WARN") && told.contains("this version goes on"), "{told}");
        assert_eq!(serves(&world.socket()), daemon.pid());
    }
    let child = fs::read_to_string(world.path().join("child")).expect("it has told");
    until("the end of what a binary on trial has started", || {
        proc::look(child.trim().parse().ok()?).is_none().then_some(())
    });
    let nameless = world.ask(["upgrade", "--binary", ""]);
    nameless.failed(2, "tally: could not name the binary: its path is empty");
    world.ask(["sum", "0..10"]).answered("45\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_signal_to_end_is_stronger_than_an_upgrade() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    // The job holds the old binary up, as long as it drains.
    let long = world.begin(["sum", "0..1e15", "--reconnect", "0"]);
    let mut client = daemon.client();
    until("a running job", || {
        (client.call("io.tally.Status", &json!({}))["status"]["running"] == 1).then_some(())
    });
    let upgrade = world.begin(["upgrade", "--reconnect", "100ms"]);
    daemon.await_line("takes over when");
    daemon.signal(Signal::Term);
    assert_eq!(daemon.finish().code(), 0);
    assert_eq!(upgrade.finish().code(), 3);
    assert_ne!(long.finish().code(), 0);
    world.finish();
}

#[test]
fn a_job_with_a_command_goes_on_over_an_upgrade() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2", "--drain-ms", "100"]);
    // It writes down what it answers, and stands still in the second half until it may go on.
    let gate = make_gate(&world, "gate");
    let command = "sh -c 'while read -r s e p a; do [ $s -lt 500 ] || : < gate; \
                   echo $s >> log; echo $((e - s)); done'";
    let asked = ["sum", "0..1000", "--detach", "--partitions", "10", "--command", command];
    let job = world.ask(asked).stdout.trim().to_owned();
    let mut client = daemon.client();
    let done = until("the first half", || {
        let shown = client.call("io.tally.Show", &json!({ "job": job }));
        (shown["job"]["partitions"]["done"] == 5).then_some(shown)
    });
    assert_eq!(done["job"]["retries"], 0);
    drop(client);
    let of_commands = |name: &str| name == "sh" || name == "tally-warden" || name == "tally-guard";
    let before: Vec<u32> =
        world.processes().into_iter().filter(|one| of_commands(&one.name)).map(|one| one.pid).collect();
    assert_eq!(before.len(), 6, "two guards, two wardens, two commands: {before:?}");
    let before = Held::of(before);
    assert_eq!(world.ask(["upgrade"]).code(), 0);
    before.await_end();
    let _open = open_gate(&gate);
    assert_eq!(world.ask(["wait", &job]).code(), 0);
    world.ask(["result", &job]).answered("1000\n");
    let log = fs::read_to_string(world.path().join("log")).expect("it was written");
    let mut begun: Vec<u32> = log.lines().map(|line| line.parse().expect("a number")).collect();
    begun.sort_unstable();
    let all: Vec<u32> = (0..10).map(|at| at * 100).collect();
    assert_eq!(begun, all, "each was answered once");
    until("the end of all commands", || {
        world.processes().iter().all(|one| !of_commands(&one.name)).then_some(())
    });
    daemon.stop();
    world.finish();
}
