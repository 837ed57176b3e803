//! Who may come in and do what: real second users, real groups, and clients that want more than their share.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::{Value, json};
use tally_sys::{fd, passed, process};
use tally_tests::{Finished, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// Users and groups that need not be in any list: the system knows numbers.
const STRANGER: u32 = 61_001;
const GROUP: u32 = 62_001;
const OTHER_GROUP: u32 = 62_002;

/// Only root can become another user.
fn is_root() -> bool {
    let root = process::own_uid() == 0;
    if !root {
        println!("skipped: only root can start processes of other users");
    }
    root
}

fn world() -> World {
    let world = World::new(BINARY);
    world.open_to_others();
    world
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|why| panic!("{why}: {}{}", finished.stdout, finished.stderr))
}

#[test]
fn the_socket_is_closed_to_others_unless_opened() {
    if !is_root() {
        return;
    }
    let world = world();
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(fs::metadata(world.socket()).expect("it is there").mode() & 0o777, 0o600);
    let refused = world.ask_as(STRANGER, STRANGER, ["status"]);
    let socket = world.socket();
    let line = format!("tally: could not reach the daemon at {}: permission denied", socket.display());
    refused.failed(6, &line);
    daemon.stop();
    world.finish();
}

#[test]
fn a_group_is_let_in_and_no_other() {
    if !is_root() {
        return;
    }
    let world = world();
    let group = GROUP.to_string();
    let flags =
        ["--workers", "1", "--socket-mode", "0660", "--socket-group", &group, "--operator-groups", &group];
    let daemon = world.daemon(&flags);
    let found = fs::metadata(world.socket()).expect("it is there");
    assert_eq!((found.mode() & 0o777, found.gid()), (0o660, GROUP));
    world.ask_as(STRANGER, GROUP, ["sum", "0..1000"]).answered("499500\n");
    assert_eq!(world.ask_as(STRANGER, OTHER_GROUP, ["status"]).code(), 6);
    daemon.stop();
    world.finish();
}

#[test]
fn a_directory_made_for_the_socket_lets_the_same_people_pass() {
    if !is_root() {
        return;
    }
    let world = world();
    let group = GROUP.to_string();
    for (mode, expected) in [("0600", 0o700), ("0660", 0o710), ("0666", 0o711)] {
        let directory = world.path().join(format!("made-{mode}"));
        let socket = directory.join("tally.sock");
        let socket = socket.to_str().expect("the path is text");
        let running = world.start([
            "daemon",
            "--foreground",
            "--socket",
            socket,
            "--workers",
            "1",
            "--socket-mode",
            mode,
            "--socket-group",
            &group,
        ]);
        let daemon = tally_tests::Daemon::over(running, socket.into());
        let found = fs::metadata(&directory).expect("it is there");
        assert_eq!((found.mode() & 0o777, found.gid()), (expected, GROUP), "{mode}");
        daemon.stop();
        fs::remove_dir(&directory).expect("nothing is left in it");
    }
    world.finish();
}

#[test]
fn an_operator_may_everything() {
    if !is_root() {
        return;
    }
    let world = world();
    let group = GROUP.to_string();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666", "--operator-groups", &group]);
    daemon.client().submit(&json!({ "reductions": ["sum"], "sources": ["0..1e12"], "detach": true }), false);
    let shown = json_of(&world.ask_as(STRANGER, GROUP, ["show", "j1", "--json"]));
    assert_eq!(shown["job"], json!("j1"), "{shown}");
    assert_eq!(world.ask_as(STRANGER, GROUP, ["cancel", "j1"]).code(), 0);
    assert_eq!(world.ask_as(STRANGER, GROUP, ["stop"]).code(), 0);
    assert_eq!(daemon.finish().code(), 0);
    world.finish();
}

#[test]
fn a_group_that_does_not_exist_is_told() {
    let world = World::new(BINARY);
    let socket = world.socket();
    let socket = socket.to_str().expect("the path is text");
    let finished = world.run(["daemon", "--socket", socket, "--reader-groups", "no-such-group"]);
    finished.failed(2, "tally: could not read the configuration: there is no group 'no-such-group'");
    world.finish();
}

#[test]
fn one_user_cannot_take_all_connections() {
    if !is_root() {
        return;
    }
    let world = world();
    let group = GROUP.to_string();
    let flags = [
        "--workers",
        "1",
        "--socket-mode",
        "0666",
        "--operator-groups",
        &group,
        "--connections-per-user",
        "2",
    ];
    let daemon = world.daemon(&flags);
    let mut client = daemon.client();
    client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e12"], "detach": true }), false);
    let waiting: Vec<_> = (0..2).map(|_| world.start_as(STRANGER, GROUP, ["wait", "j1"])).collect();
    until("two connections of the stranger", || {
        let status = client.call("io.tally.Status", &json!({}));
        (status["status"]["clients"] == 3).then_some(())
    });
    let refused = world.ask_as(STRANGER, GROUP, ["status"]);
    let why = format!("user {STRANGER} has 2 connections open, the most that one user may have");
    assert!(refused.code() != 0 && refused.stderr.contains(&why), "{}", refused.stderr);
    // Another user, and root, are not affected.
    assert_eq!(world.ask_as(STRANGER + 1, GROUP, ["status"]).code(), 0);
    assert_eq!(world.ask(["cancel", "j1"]).code(), 0);
    for one in waiting {
        assert_eq!(one.finish().code(), 4);
    }
    assert_eq!(world.ask_as(STRANGER, GROUP, ["status"]).code(), 0);
    daemon.stop();
    world.finish();
}

#[test]
fn descriptors_that_nobody_asked_for_are_closed_at_once() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    // A worker on its way takes and leaves descriptors of its own.
    client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1000"] }), false);
    let open = || fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("it lives").count();
    let before = open();
    let null = fd::null_device().expect("there is one");
    let many = vec![null.as_fd(); 250];
    let call = b"{\"method\":\"io.tally.Ping\",\"parameters\":{}}\0";
    for _ in 0..100 {
        let sent = passed::pass(&client.stream, call, &many).expect("the daemon reads");
        assert_eq!(sent, call.len());
        assert!(client.hear().expect("a reply").get("error").is_none());
        assert!(open() <= before, "descriptors are left behind");
    }
    // Without waiting for answers, as fast as it takes them.
    for _ in 0..200 {
        passed::pass(&client.stream, call, &many).expect("the daemon reads");
    }
    for _ in 0..200 {
        client.hear().expect("a reply");
    }
    assert!(open() <= before, "descriptors are left behind");
    daemon.stop();
    world.finish();
}

#[test]
fn the_daemon_gives_up_what_it_does_not_need() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("it lives");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the field is there");
        u64::from_str_radix(line.trim(), 16).expect("a number")
    };
    // SYS_NICE and SYS_RESOURCE.
    let kept = 1 << 23 | 1 << 24;
    for set in ["CapPrm:", "CapEff:", "CapInh:", "CapAmb:"] {
        assert_eq!(field(set) & !kept, 0, "{set}");
    }
    assert!(process::own_uid() != 0 || field("CapBnd:") & !kept == 0);
    assert_eq!((field("NoNewPrivs:"), field("Umask:")), (1, 0x77));
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).expect("it lives");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("it is there");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    daemon.stop();
    world.finish();
}

#[test]
fn a_directory_that_others_cannot_pass_is_told() {
    let world = World::new(BINARY);
    fs::set_permissions(world.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    let socket = world.socket();
    let arguments =
        ["daemon", "--foreground", "--socket", socket.to_str().expect("text"), "--socket-mode", "0666"];
    let running = world.start(arguments);
    let line = running.await_line("others cannot reach the socket");
    assert!(line.contains("does not let them pass"), "{line}");
    tally_tests::Daemon::over(running, socket).stop();
    world.finish();
}

#[test]
fn a_stranger_who_may_connect_may_not_operate() {
    if !is_root() {
        return;
    }
    let world = world();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666"]);
    daemon.client().submit(&json!({ "reductions": ["sum"], "sources": ["0..1e12"], "detach": true }), false);
    assert_ne!(world.ask_as(STRANGER, STRANGER, ["cancel", "j1"]).code(), 0);
    assert_eq!(world.ask_as(STRANGER, STRANGER, ["stop"]).code(), 6);
    assert_eq!(world.ask_as(STRANGER, STRANGER, ["drain"]).code(), 6);
    assert_eq!(world.ask(["cancel", "j1"]).code(), 0);
    daemon.stop();
    world.finish();
}
