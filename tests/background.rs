//! `--daemonize`, and the locks that make one daemon of many: who is alive is told by a lock and by nothing else.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;

use tally_sys::lockfile::LockFile;
use tally_tests::races::{Leaving, race, serves, written};
use tally_tests::{World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// `daemon --daemonize` with paths of this world, and further flags.
fn start(world: &World, flags: &[&str]) -> tally_tests::Finished {
    world
        .run(["daemon", "--daemonize", "--socket", "run/tally.sock", "--log-file", "log"].iter().chain(flags))
}

fn stop(world: &World) {
    assert_eq!(world.ask(["stop"]).code(), 0);
    world.await_nobody();
}

#[test]
fn the_command_returns_when_the_daemon_listens() {
    let world = World::new(BINARY);
    start(&world, &["--workers", "1", "--pid-file", "run/pid"]).answered("");
    // No wait: it listens already.
    world.ask(["sum", "0..10"]).answered("45\n");
    let pid = serves(&world.socket());
    let file = fs::read_to_string(world.path().join("run/pid")).expect("a pid file");
    assert_eq!(file, format!("{pid}\n"), "`kill $(cat FILE)` works");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).expect("a directory").to_str(), Some("/"));
    for stream in [0, 1] {
        let leads = fs::read_link(format!("/proc/{pid}/fd/{stream}")).expect("an open stream");
        assert_eq!(leads.to_str(), Some("/dev/null"));
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let (group, session, terminal) = (fields[2], fields[3], fields[4]);
    assert_eq!((group, terminal), (session, "0"), "a session without a terminal");
    assert_ne!(session, pid.to_string(), "and it cannot take one");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    assert!(status.contains("Umask:\t0077"), "{status}");
    stop(&world);
    let log = fs::read_to_string(world.path().join("log")).expect("a log");
    assert!(log.contains("listening on") && log.contains("ended") && !log.contains("ERROR"), "{log}");
    world.finish();
}

#[test]
fn a_daemon_that_does_not_start_says_why() {
    let world = World::new(BINARY);
    let foreground = world.run(["daemon", "--socket", "/proc/nowhere/tally.sock"]);
    let background =
        world.run(["daemon", "--daemonize", "--log-file", "log", "--socket", "/proc/nowhere/tally.sock"]);
    assert_eq!((background.code(), &background.stderr), (1, &foreground.stderr));
    let background = start(&world, &["--workers", "0"]);
    assert_eq!(background.code(), 2, "{}", background.stderr);
    let background =
        world.run(["daemon", "--daemonize", "--socket", "run/s", "--log-file", "/proc/nowhere/log"]);
    assert_eq!(background.code(), 1);
    assert!(background.stderr.starts_with("tally: could not open the log file /proc/nowhere/log: "));
    world.finish();
}

/// A pipe that nobody reads would keep the daemon from starting for ever.
#[test]
fn a_log_file_is_no_pipe() {
    let world = World::new(BINARY);
    let pipe = world.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let why = format!("tally: could not open the log file {}: it is a pipe or a socket", pipe.display());
    let flags = ["--socket", "run/tally.sock", "--log-file", pipe.to_str().expect("text")];
    world.run(["daemon"].iter().chain(&flags)).failed(1, &why);
    world.run(["daemon", "--daemonize"].iter().chain(&flags)).failed(1, &why);
    // Nor one with a reader, who may be slow.
    let reader = fs::File::options().read(true).write(true).open(&pipe).expect("it opens");
    world.run(["daemon"].iter().chain(&flags)).failed(1, &why);
    drop(reader);
    world.finish();
}

/// Whoever is told that a daemon has stopped can start the next one: its locks are free by then, and its store is closed.
#[test]
fn a_stop_that_has_returned_leaves_room_for_a_start() {
    let world = World::new(BINARY);
    let flags = ["--workers", "1", "--pid-file", "run/pid"];
    start(&world, &flags).answered("");
    for round in 0..20 {
        // A job that is open is no hindrance, and neither is one that ends just now.
        let count = if round % 2 == 0 { "0..10" } else { "0..1e15" };
        assert_eq!(world.ask(["sum", count, "--detach"]).code(), 0);
        let stopped = if round % 4 < 2 { world.ask(["stop"]) } else { world.ask(["stop", "--now"]) };
        assert_eq!(stopped.code(), 0, "{round}: {}", stopped.stderr);
        start(&world, &flags).answered("");
    }
    stop(&world);
    world.finish();
}

#[test]
fn a_daemon_that_is_killed_before_it_listens_is_told() {
    let world = World::new(BINARY).with("TALLY_CRASH_AT", "before-locks");
    let starting = world.start(["daemon", "--daemonize", "--socket", "run/tally.sock", "--log-file", "log"]);
    let finished = starting.finish();
    assert_eq!(finished.code(), 1);
    let expected =
        "tally: could not start in the background: the daemon was killed by SIGKILL before it listened\n";
    assert_eq!(finished.stderr, expected);
    world.finish();
}

#[test]
fn ten_daemons_started_at_once_leave_one() {
    let world = World::new(BINARY);
    for round in 0..12 {
        race(&world, 10, if round % 3 == 2 { Leaving::Stopped } else { Leaving::Killed });
    }
    world.finish();
}

/// What a killed daemon left names a process that lives: that is no daemon, and nobody is asked whether it is.
#[test]
fn the_pid_of_somebody_else_is_no_daemon() {
    let world = World::new(BINARY);
    let own = std::process::id();
    assert!(proc::look(own).is_some(), "a live process, and no daemon");
    for name in ["run/pid", "run/tally.sock.lock"] {
        fs::write(world.path().join(name), format!("{own}\nsince_unix_ms 1\n")).expect("it can be written");
    }
    start(&world, &["--workers", "1", "--pid-file", "run/pid"]).answered("");
    assert_ne!(written(&world.path().join("run/pid")), Some(own));
    stop(&world);
    world.finish();
}

#[test]
fn only_the_holder_of_the_lock_replaces_a_stale_socket() {
    let world = World::new(BINARY);
    drop(UnixListener::bind(world.socket()).expect("a socket"));
    let stale = fs::metadata(world.socket()).expect("it is left behind").ino();
    let lock = LockFile::acquire(world.path().join("run/tally.sock.lock")).expect("a free lock");
    let refused = start(&world, &["--workers", "1"]);
    assert_eq!(refused.code(), 1, "{}", refused.stderr);
    assert_eq!(fs::metadata(world.socket()).expect("it is still there").ino(), stale);
    drop(lock);
    // A process that another test is just starting may hold a copy of the descriptor, until its exec.
    until("a start", || (start(&world, &["--workers", "1"]).code() == 0).then_some(()));
    world.ask(["sum", "0..10"]).answered("45\n");
    stop(&world);
    world.finish();
}
