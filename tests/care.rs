//! `tally self-test` and `tally debug bundle`: what is broken is found and told with what to do; what is private stays.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::json;
use tally_sys::signal::Signal;
use tally_tests::{Finished, Running, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A finding by its name: level, message, hint.
fn finding(told: &Finished, name: &str) -> (String, String, String) {
    let report = told.json();
    assert_eq!(report["schema"], "tally.self-test/1");
    let found = report["findings"].as_array().expect("a list").iter().find(|one| one["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no finding '{name}': {}", told.stdout));
    let text = |key: &str| found[key].as_str().unwrap_or("").to_owned();
    (text("level"), text("message"), text("hint"))
}

fn checks(told: &Finished, name: &str, level: &str, message: &str, hint: &str) {
    let found = finding(told, name);
    assert_eq!(found.0, level, "{name}: {found:?}");
    assert!(found.1.contains(message) && found.2.contains(hint), "{name}: {found:?}");
    assert_eq!(found.2.is_empty(), level == "ok", "{name}: {found:?}");
    assert_eq!(told.code(), i32::from(told.stdout.contains("\"level\":\"fail\"")), "{told:?}");
}

/// The self-test in this world, after some shell commands.
fn after(world: &World, commands: &str) -> Finished {
    Running::start(world.script(&format!("{commands}\nexec \"$TALLY\" self-test --json"))).finish()
}

#[test]
fn a_sound_installation_passes_and_nothing_is_left() {
    let world = World::new(BINARY);
    let told = world.run(["self-test"]);
    assert!(told.code() == 0 || told.stdout.contains("\nfail "), "{told:?}");
    let told = world.run(["self-test", "--json"]);
    for name in ["link shm", "link pipe", "link channel", "start forkserver", "start spawn", "start fork"] {
        checks(&told, name, "ok", "a worker added over it", "");
    }
    checks(&told, "settings", "ok", "built-in", "");
    checks(&told, "socket", "ok", "run/tally/tally.sock is free: no daemon runs there", "");
    checks(&told, "store", "ok", "can be written; nothing is in it yet", "");
    assert!(!world.state().exists(), "the self-test made a state directory");
    world.finish();
}

#[test]
fn what_is_broken_is_told_with_what_to_do() {
    let world = World::new(BINARY);
    let told = after(&world, "ulimit -n 40");
    checks(&told, "open files", "fail", "40, for", "LimitNOFILE=");
    let told = after(&world, "ulimit -q 1000");
    checks(&told, "message queues", "warn", "1,000 bytes, enough for 0 workers", "ulimit -q");
    checks(&told, "link mqueue", "warn", "a pipe serves instead", "LimitMSGQUEUE=");
    let told = after(&world, "ulimit -q 1000; export TALLY_TRANSPORT=mqueue");
    checks(&told, "link mqueue", "fail", "a pipe serves instead", "use the link shm");
    let told = after(&world, "export TALLY_WORKERS=nonsense");
    checks(&told, "settings", "fail", "TALLY_WORKERS", "tally config check");
    checks(&told, "store", "fail", "could not read the configuration", "settings first");
    let told = after(&world, "unset XDG_RUNTIME_DIR; export HOME=/nowhere; [[ $UID == 0 ]] || exit 77");
    if told.code() != 77 {
        // Root has a place of its own.
        assert!(finding(&told, "socket").1.contains("/run/tally/tally.sock"), "{told:?}");
    }
    let told = after(&world, "export TALLY_STATE_DIR=none");
    checks(&told, "store", "warn", "end with the daemon", "state_dir");
    // A state directory that is a file, and a store that is something else.
    let told = after(&world, "touch file; export TALLY_STATE_DIR=\"$PWD/file\"");
    checks(&told, "store", "fail", "/file", "state_dir");
    fs::create_dir(world.state()).expect("it can be made");
    fs::write(world.state().join("jobs.redb"), "something else").expect("it can be written");
    let told = after(&world, "");
    checks(&told, "store", "fail", "it is not a store of tally", "move it away");
    assert_eq!(fs::read(world.state().join("jobs.redb")).expect("it is there"), b"something else");
    world.finish();
}

#[test]
fn sockets_of_all_sorts_are_told_apart() {
    let world = World::new(BINARY);
    let socket = world.socket();
    let told = || world.ask(["self-test", "--json"]);
    fs::write(&socket, "").expect("it can be written");
    checks(&told(), "socket", "fail", "is no socket", "move it away");
    fs::remove_file(&socket).expect("it is there");
    drop(UnixListener::bind(&socket).expect("it can be made"));
    checks(&told(), "socket", "warn", "was left behind: nobody listens", "nothing needs to be done");
    fs::remove_file(&socket).expect("it is there");
    world.finish();
}

#[test]
fn a_daemon_is_asked_and_never_disturbed() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e15"], "detach": true }), false);
    let workers = world.await_named("tally-worker", 2);
    let told = world.ask(["self-test", "--json"]);
    checks(&told, "socket", "ok", "alone may connect (mode 0600)", "");
    checks(&told, "daemon", "ok", "2 of 2 workers ready, version ", "");
    checks(&told, "store", "ok", "the daemon keeps jobs in ", "");
    let pids = |found: &[tally_tests::proc::Process]| found.iter().map(|one| one.pid).collect::<Vec<_>>();
    assert_eq!(pids(&world.await_named("tally-worker", 2)), pids(&workers), "a worker was replaced");
    // At another socket its store is left alone.
    let told = world.run(["self-test", "--json"]);
    checks(&told, "store", "ok", &format!("is in use by process {}", daemon.pid()), "");
    daemon.signal(Signal::Stop);
    // What a monitor asks has an end; all of them wait for theirs at once.
    let asked = ["status", "jobs"].map(|line| (line, world.begin([line])));
    let told = world.ask(["self-test", "--json"]);
    checks(&told, "daemon", "fail", "does not answer: it may be stopped, or very busy", "its log");
    for (line, running) in asked {
        let told = running.finish();
        assert_eq!(told.code(), 5, "{line}: {told:?}");
        assert!(told.stderr.contains("did not answer within 10s"), "{line}: {}", told.stderr);
    }
    daemon.signal(Signal::Cont);
    client.call("io.tally.Stop", &json!({ "now": true }));
    assert_eq!(daemon.finish().code(), 0);
    // The store has the job; a copy of it was read.
    let told = world.run(["self-test", "--json"]);
    checks(&told, "store", "ok", "all whole", "");
    world.finish();
}

#[test]
fn what_needs_root_to_break_is_found_too() {
    if tally_sys::process::own_uid() != 0 {
        return skip("only root can mount a full /dev/shm and be another user");
    }
    let world = World::new(BINARY);
    let full = "mount -t tmpfs -o size=8k tmpfs /dev/shm; head -c 8192 /dev/zero > /dev/shm/full";
    let script =
        format!("unshare -m --propagation private bash -c '{full}; exec \"$TALLY\" self-test --json'");
    let told = Running::start(world.script(&script)).finish();
    checks(&told, "shared memory", "warn", "0 of 8 KiB free in /dev/shm", "remount,size=64M");
    checks(&told, "link shm-named", "warn", "a pipe serves instead", "make room there");
    checks(&told, "link shm", "ok", "a worker added", "");

    // Somebody else: a state directory that is closed, a socket that is not for them, no more processes.
    world.open_to_others();
    fs::create_dir(world.state()).expect("it can be made");
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    let stranger = world.ask_as(4711, 4711, ["self-test", "--json"]);
    checks(&stranger, "store", "fail", "state", "give the daemon's user the directory");
    let daemon = world.daemon(&["--workers", "1", "--state-dir", "none"]);
    let stranger = world.ask_as(4711, 4711, ["self-test", "--json"]);
    checks(
        &stranger,
        "socket",
        "fail",
        "may not be used by this user: the user root alone",
        "usermod -aG root",
    );
    daemon.stop();
    let script = "exec setpriv --reuid 4711 --regid 4711 --clear-groups bash -c 'ulimit -u 2; exec \"$TALLY\" self-test --json'";
    let told = Running::start(world.script(script)).finish();
    checks(&told, "processes", "fail", "more, for", "ulimit -u");
    checks(&told, "start spawn", "fail", "", "");
    world.finish();
}

/// What a stranger must not see is put everywhere it could come from.
#[test]
fn a_bundle_has_what_helps_and_nothing_of_what_jobs_compute() {
    let world = World::new(BINARY).with("TALLY_LOCK_TOKEN", "hush-token");
    let log = world.path().join("log.txt");
    let (socket, log_file) = (world.socket(), log.to_str().expect("text").to_owned());
    let flags = ["daemon", "--workers", "1", "--log", "debug", "--log-file", &log_file, "--socket"];
    let daemon = world.start(flags.into_iter().chain(socket.to_str()));
    until("the daemon", || (world.ask(["ping"]).code() == 0).then_some(()));
    fs::write(world.path().join("hush.csv"), "hush_column,n\nhush_cell,1\nhush_other,2\n").expect("written");
    let ask = |arguments: &[&str]| world.ask(arguments);
    ask(&["sum", "hush.csv", "--of", "n", "--where", "hush_column == \"hush_cell\"", "--by", "hush_column"]);
    assert_ne!(ask(&["sum", "hush.csv", "--of", "hush_column * 2"]).code(), 0);
    fs::write(world.path().join("bad.txt"), "1\nhush_bad\n").expect("written");
    assert_eq!(ask(&["sum", "bad.txt"]).code(), 1);
    ask(&["dict", "hush-dict", "set", "hush-key", "hush-value"]).answered("");
    assert_eq!(ask(&["value", "hush", "set", "hush-text"]).code(), 0);
    assert_eq!(ask(&["queue", "hush-queue", "put", "hush-item"]).code(), 0);
    assert_eq!(ask(&["lock", "hush-lock", "--", "true"]).code(), 0);
    assert_eq!(ask(&["sum", "hush.csv", "--of", "n", "--detach"]).code(), 0);
    let text = || fs::read_to_string(&log).unwrap_or_default();
    until("the log to have what must not be shown", || text().contains("hush").then_some(()));

    let told = ask(&["debug", "bundle", "--output", "b.tar.gz"]);
    assert_eq!((told.code(), told.stdout.as_str()), (0, "b.tar.gz\n"), "{}", told.stderr);
    let archive = world.path().join("b.tar.gz");
    assert_eq!(fs::metadata(&archive).expect("it is there").permissions().mode() & 0o777, 0o600);
    let again = ask(&["debug", "bundle", "--output", "b.tar.gz"]);
    again.failed(2, "tally: could not write b.tar.gz: it is there already");
    let told = ask(&["debug", "bundle", "--output", "b.tar.gz", "--force", "--json"]);
    let told = told.json();
    assert_eq!((&told["schema"], &told["missing"]), (&json!("tally.debug-bundle/1"), &json!([])));

    let unpacked = Command::new("tar").args(["xzf", "b.tar.gz"]).current_dir(world.path()).status();
    assert!(unpacked.expect("tar runs").success());
    let place = world.path().join("tally-debug");
    let mut names = Vec::new();
    for entry in fs::read_dir(&place).expect("it was unpacked").flatten() {
        let text = fs::read_to_string(entry.path()).expect("text");
        let name = entry.file_name().into_string().expect("text");
        assert!(
            !text.contains("hush"),
            "{name}: {}",
            text.lines().find(|line| line.contains("hush")).unwrap_or("")
        );
        let home = world.path().join("home").display().to_string();
        assert!(!text.contains(&home), "{name} names the home");
        names.push(name);
    }
    names.sort();
    let listed: Vec<_> =
        told["files"].as_array().expect("a list").iter().map(|file| file["name"].clone()).collect();
    assert_eq!(names.len(), listed.len());
    for name in
        ["config.json", "dump.json", "log.txt", "metrics.txt", "process.txt", "self-test.json", "status.json"]
    {
        assert!(names.iter().any(|have| have == name), "{name} is missing: {names:?}");
    }
    let read = |name: &str| fs::read_to_string(place.join(name)).expect("it is there");
    assert!(
        read("log.txt").contains("failed after") && read("log.txt").contains("(left out)"),
        "{}",
        read("log.txt")
    );
    assert!(read("version.txt").contains("TALLY_LOCK_TOKEN=(left out)"), "{}", read("version.txt"));
    assert!(read("dump.json").contains("\"schema\":\"tally.dump/1\""));
    assert!(read("metrics.txt").contains("tally_jobs_submitted_total"));
    assert!(read("process.txt").contains(&format!("/proc/{}/limits", daemon.pid())));
    daemon.signal(Signal::Term);
    assert_eq!(daemon.finish().code(), 0);
    world.finish();
}

/// It is most wanted when nothing runs.
#[test]
fn a_bundle_can_be_made_without_a_daemon() {
    let world = World::new(BINARY);
    let told = world.ask(["debug", "bundle", "--output", "b.tar.gz"]);
    assert_eq!(told.code(), 0, "{}", told.stderr);
    assert!(
        told.stderr.contains("missing: a daemon's status, settings, state and metrics: "),
        "{}",
        told.stderr
    );
    assert!(told.stderr.contains("self-test.json"), "{}", told.stderr);
    let told = world.ask(["debug", "bundle", "--output", "/proc/nowhere/b"]);
    told.failed(1, "tally: could not write /proc/nowhere/b: no such file or directory");
    assert_eq!(
        fs::read_dir(world.path())
            .expect("a directory")
            .flatten()
            .filter(|one| one.file_name() == "b.tar.gz")
            .count(),
        1
    );
    world.finish();
}

#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}
