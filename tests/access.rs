//! Who may come in and do what: real second users, real groups, and clients that want more than their share.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;

use serde_json::json;
use tally_sys::{fd, passed, process};
use tally_tests::{World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// Users and groups that need not be in any list: the system knows numbers.
const STRANGER: u32 = 61_001;
const GROUP: u32 = 62_001;
const OTHER_GROUP: u32 = 62_002;
/// The user that owns nothing.
const NOBODY: u32 = 65_534;
/// A descriptor that names a file and opens it for nothing.
const O_PATH: i32 = 0o10_000_000;

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
    let shown = world.ask_as(STRANGER, GROUP, ["show", "j1", "--json"]).json();
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
    finished.failed(
        2,
        "tally: could not read the configuration: reader_groups: there is no group 'no-such-group'",
    );
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

/// Descriptors that a reader could hang on, or that the submitter could not read: refused before anybody reads.
#[test]
fn what_is_no_file_to_read_is_not_taken_for_one() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let path = world.path().join("a.csv");
    fs::write(&path, "n\n1\n").expect("a file of the test's own");
    let (pipe, _writer) = std::io::pipe().expect("a pipe");
    let (socket, _peer) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let write_only = fs::OpenOptions::new().append(true).open(&path).expect("it can be written");
    let open = |path: &str| fs::File::open(path).expect("it is there");
    let (directory, zeros) = (open("/"), open("/dev/zero"));
    let all = [pipe.as_fd(), socket.as_fd(), write_only.as_fd(), directory.as_fd(), zeros.as_fd()];
    // A worker on its way takes and leaves descriptors of its own.
    daemon.client().submit(&json!({ "reductions": ["sum"], "sources": ["0..1000"] }), false);
    let before = tally_tests::proc::descriptors(daemon.pid());
    let request = json!({ "reductions": ["sum"], "sources": ["a.csv"], "files": true });
    let mut call =
        json!({ "method": "io.tally.Submit", "parameters": { "request": request } }).to_string().into_bytes();
    call.push(0);
    for fd in all {
        let mut client = daemon.client();
        passed::pass(&client.stream, &call, &[fd]).expect("the daemon reads");
        let reply = client.hear().expect("a reply");
        assert!(reply.get("error").is_some(), "{reply}");
    }
    let right = open(path.to_str().expect("text"));
    let mut client = daemon.client();
    passed::pass(&client.stream, &call, &[right.as_fd()]).expect("the daemon reads");
    let reply = client.hear().expect("a reply");
    assert_eq!(reply["parameters"]["job"]["results"][0]["value"], "1", "{reply}");
    drop(client);
    until("all that was passed to be closed", || {
        (tally_tests::proc::descriptors(daemon.pid()) <= before).then_some(())
    });
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
    // SYS_RESOURCE and KILL; SETUID and SETGID at rest, for commands of users.
    let awake = (1 << 24) | (1 << 5);
    let kept = awake | (1 << 7) | (1 << 6);
    for (set, kept) in [("CapPrm:", kept), ("CapEff:", awake), ("CapInh:", 0), ("CapAmb:", 0)] {
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

/// A detached job of a user that does not end by itself; its id.
fn long_job_of(world: &World, user: u32, group: u32) -> String {
    let submitted = world.ask_as(user, group, ["sum", "0..1e15", "--detach"]);
    assert_eq!(submitted.code(), 0, "{}", submitted.stderr);
    submitted.stdout.trim().to_owned()
}

/// The ids that `tally jobs` shows a user.
fn jobs_of(world: &World, user: u32, group: u32) -> Vec<String> {
    let listed = world.ask_as(user, group, ["jobs", "--json"]).json();
    let jobs = listed["jobs"].as_array().unwrap_or_else(|| panic!("{listed}"));
    let mut ids: Vec<String> =
        jobs.iter().map(|job| job["job"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn a_stranger_who_may_connect_has_its_own_jobs_and_no_others() {
    if !is_root() {
        return;
    }
    let world = world();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666"]);
    assert_eq!(world.ask(["sum", "0..1e15", "--detach"]).stdout, "j1\n");
    let own = long_job_of(&world, STRANGER, GROUP);
    let neighbours = long_job_of(&world, STRANGER + 1, GROUP);

    // What is somebody else's is not there, whatever is asked of it, and one that never was looks the same.
    for job in ["j1", &neighbours, "j99"] {
        let why = format!("there is no job {job}\n");
        for command in ["show", "explain", "wait", "result", "follow", "cancel", "pause", "resume", "retry"] {
            let asked = world.ask_as(STRANGER, GROUP, [command, job]);
            assert!(asked.stderr.contains(&why), "{command}: {}", asked.stderr);
            assert_eq!((asked.code(), asked.stdout.as_str()), (7, ""), "{command} {job}");
        }
    }
    // One of somebody else's among its own spoils the whole request.
    assert_eq!(world.ask_as(STRANGER, GROUP, ["cancel", &own, "j1"]).code(), 7);
    assert_eq!(jobs_of(&world, STRANGER, GROUP), [own.as_str()]);
    let workers = world.ask_as(STRANGER, GROUP, ["workers", "--json"]).stdout;
    assert!(!workers.contains("\"j1\""), "{workers}");

    // What is its own it can see, change and end.
    assert_eq!(world.ask_as(STRANGER, GROUP, ["show", &own, "--json"]).json()["uid"], json!(STRANGER));
    for command in ["pause", "resume", "cancel", "retry"] {
        let asked = world.ask_as(STRANGER, GROUP, [command, &own]);
        assert_eq!(asked.code(), 0, "{command}: {}", asked.stderr);
    }
    assert_eq!(world.ask_as(STRANGER, GROUP, ["cancel", "--all"]).code(), 0);
    assert_eq!(jobs_of(&world, STRANGER, GROUP), [""; 0]);
    // All of its own, and nobody else's; root sees everybody's.
    assert_eq!(jobs_of(&world, 0, 0), ["j1", &neighbours]);

    assert_eq!(world.ask(["cancel", "j1", &neighbours]).code(), 0);
    daemon.stop();
    world.finish();
}

#[test]
fn what_is_the_daemons_is_for_operators() {
    if !is_root() {
        return;
    }
    let world = world();
    let readers = GROUP.to_string();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666", "--reader-groups", &readers]);
    for group in [GROUP, OTHER_GROUP] {
        for command in ["stop", "drain", "reload", "upgrade", "dump"] {
            let asked = world.ask_as(STRANGER, group, [command]);
            assert_eq!(asked.code(), 6, "{command}: {}{}", asked.stdout, asked.stderr);
            assert!(asked.stderr.contains("not permitted: "), "{command}: {}", asked.stderr);
        }
    }
    // It still runs, as it was.
    world.ask(["sum", "0..1000"]).answered("499500\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_reader_sees_and_may_not_touch() {
    if !is_root() {
        return;
    }
    let world = world();
    let readers = GROUP.to_string();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666", "--reader-groups", &readers]);
    let others = long_job_of(&world, STRANGER, OTHER_GROUP);
    let own = long_job_of(&world, STRANGER + 1, GROUP);
    assert_eq!(jobs_of(&world, STRANGER + 1, GROUP), [others.as_str(), own.as_str()]);
    for command in ["show", "explain"] {
        assert_eq!(world.ask_as(STRANGER + 1, GROUP, [command, &others]).code(), 0, "{command}");
    }
    let why = format!("not permitted: {others} is a job of user {STRANGER}, you are user {}\n", STRANGER + 1);
    for command in ["cancel", "pause", "resume", "retry"] {
        let asked = world.ask_as(STRANGER + 1, GROUP, [command, &others]);
        assert_eq!(asked.code(), 6, "{command}");
        assert!(asked.stderr.contains(&why), "{command}: {}", asked.stderr);
    }
    // All that it may cancel are its own.
    assert_eq!(world.ask_as(STRANGER + 1, GROUP, ["cancel", "--all"]).code(), 0);
    assert_eq!(jobs_of(&world, 0, 0), [others.as_str()]);
    assert_eq!(world.ask_as(STRANGER, OTHER_GROUP, ["cancel", &others]).code(), 0);
    daemon.stop();
    world.finish();
}

#[test]
fn one_user_cannot_fill_the_queue() {
    if !is_root() {
        return;
    }
    let world = world();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666", "--jobs-open-per-user", "2"]);
    let first = long_job_of(&world, STRANGER, GROUP);
    let second = long_job_of(&world, STRANGER, GROUP);
    let why = format!("could not take one more job of user {STRANGER}: 2 are open, the most is 2");
    let refused = world.ask_as(STRANGER, GROUP, ["sum", "0..10"]);
    assert!(refused.code() != 0 && refused.stderr.contains(&why), "{}", refused.stderr);
    let told = world.ask(["status", "--json"]).json();
    let limits = told["limits"].as_array().expect("a list");
    let fullest = limits.iter().find(|limit| limit["name"] == "user-open-jobs");
    assert_eq!(fullest, Some(&json!({ "name": "user-open-jobs", "used": 2, "most": 2, "near": true })));
    assert!(limits.iter().any(|limit| limit["name"] == "user-memory-bytes"), "{told}");
    // Others, and root, are not affected.
    let others = long_job_of(&world, STRANGER + 1, GROUP);
    for _ in 0..3 {
        assert_eq!(world.ask(["sum", "0..1e15", "--detach"]).code(), 0);
    }
    // An ended one makes room, and begun again it takes it.
    assert_eq!(world.ask_as(STRANGER, GROUP, ["cancel", &first]).code(), 0);
    let third = long_job_of(&world, STRANGER, GROUP);
    let refused = world.ask_as(STRANGER, GROUP, ["retry", &first]);
    assert!(refused.code() != 0 && refused.stderr.contains(&why), "{}", refused.stderr);
    assert_eq!(jobs_of(&world, STRANGER, GROUP), [second, third]);
    assert_eq!(world.ask_as(STRANGER + 1, GROUP, ["cancel", &others]).code(), 0);
    assert_eq!(world.ask(["cancel", "--all"]).code(), 0);
    daemon.stop();
    world.finish();
}

/// Answers, states and files without a name of one user are counted together; root is not bound.
#[test]
fn one_user_cannot_fill_the_memory() {
    if !is_root() {
        return;
    }
    let world = world();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666", "--memory-per-user-mib", "1"]);
    let file = world.path().join("groups.csv");
    let rows: String = (0..4_000).map(|key| format!("k{key},1\n")).collect();
    fs::write(&file, format!("key,value\n{rows}")).expect("it can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let many = ["sum", file.to_str().expect("text"), "--of", "value", "--by", "key"];
    let failed = world.ask_as(STRANGER, GROUP, many);
    let line = failed.stderr.lines().next().unwrap_or("");
    assert!(
        failed.code() == 1
            && line.starts_with("tally: could not go on with j1: ")
            && line.ends_with(&format!(
                "the jobs of user {STRANGER} have so far takes more than 1 MiB of memory"
            )),
        "{}",
        failed.stderr
    );
    assert_eq!(world.ask(many).stdout.lines().count(), 4_000);
    // A file that lives in memory only.
    let mut client = world.client(["sum", "-"]);
    client.current_dir("/").uid(STRANGER).gid(GROUP);
    let text: String = (0..300_000).map(|number| format!("{number}\n")).collect();
    // Through a pipe: what is redirected from a file is read where it is.
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    client.stdin(reader);
    let feeding = std::thread::spawn(move || std::io::Write::write_all(&mut writer, text.as_bytes()));
    let refused = tally_tests::Running::start(client).finish();
    feeding.join().expect("no panic").expect("all of it is read");
    let why = format!("could not take one more job of user {STRANGER}: ");
    assert!(refused.code() == 1 && refused.stderr.contains(&why), "{}", refused.stderr);
    world.ask_as(STRANGER, GROUP, ["sum", "0..10"]).answered("45\n");
    daemon.stop();
    world.finish();
}

/// A file that only root can read is not read for anybody else by root's daemon, and by no daemon for a client that does
/// not hand it over open for reading, root included.
#[test]
fn a_file_that_its_submitter_cannot_read_is_not_read() {
    if !is_root() {
        return;
    }
    let world = world();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666"]);
    let file = world.path().join("numbers.txt");
    fs::write(&file, "1000\n2000\n").expect("it can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let name = file.to_str().expect("the path is text");
    world.ask(["sum", name]).answered("3000\n");
    let line = format!("tally: could not open {name}: permission denied");
    world.ask_as(NOBODY, NOBODY, ["sum", name]).failed(6, &line);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is ours");
    world.ask_as(NOBODY, NOBODY, ["sum", name]).answered("3000\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");

    // By hand: the name alone, then descriptors that do not let anybody read.
    let request = json!({ "reductions": ["sum"], "sources": [name], "files": true });
    let mut client = daemon.client();
    client.ask("io.tally.Submit", &json!({ "request": request }), false);
    let reply = client.hear().expect("a reply");
    let why = "could not read the job: it names 1 files and 0 descriptors came with it";
    assert_eq!(reply["parameters"]["message"], why, "{reply}");
    let call = json!({ "method": "io.tally.Submit", "parameters": { "request": request } });
    let call = format!("{call}\0");
    let by_path =
        fs::File::options().read(true).custom_flags(O_PATH).open(&file).expect("no right is needed");
    let to_write = fs::File::options().append(true).open(&file).expect("it is ours");
    for (how, fd) in [("by path", by_path), ("to write", to_write)] {
        let sent = passed::pass(&client.stream, call.as_bytes(), &[fd.as_fd()]).expect("the daemon reads");
        assert_eq!(sent, call.len());
        let reply = client.hear().expect("a reply");
        let why = "could not take a descriptor: it is not open for reading";
        assert_eq!(reply["parameters"]["message"], why, "{how}: {reply}");
        assert!(!reply.to_string().contains("3000"), "{how}: {reply}");
    }
    // The same call with a descriptor that is open for reading is answered.
    let to_read = fs::File::open(&file).expect("it is ours");
    passed::pass(&client.stream, call.as_bytes(), &[to_read.as_fd()]).expect("the daemon reads");
    let reply = client.hear().expect("a reply");
    assert_eq!(reply["parameters"]["job"]["results"][0]["value"], "3000", "{reply}");
    // The same behind a call that takes none, in one piece.
    let ahead = format!("{{\"method\":\"io.tally.Ping\",\"parameters\":{{}}}}\0{call}");
    passed::pass(&client.stream, ahead.as_bytes(), &[to_read.as_fd()]).expect("the daemon reads");
    assert!(client.hear().expect("a reply").get("error").is_none());
    let reply = client.hear().expect("a reply");
    assert_eq!(reply["parameters"]["job"]["results"][0]["value"], "3000", "{reply}");
    daemon.stop();
    world.finish();
}

/// A place that the user may not write into is refused as every other thing is that a user may not.
#[test]
fn what_may_not_be_written_is_not_permitted() {
    if !is_root() {
        return;
    }
    let world = World::new(BINARY);
    world.open_to_others();
    let closed = world.path().join("closed");
    fs::create_dir(&closed).expect("a directory of ours");
    let within = |name: &str| closed.join(name).to_str().expect("text").to_owned();
    for (arguments, path) in [
        (["compare", "0..1000", "--plot"], within("x.svg")),
        (["debug", "bundle", "--output"], within("b.tar.gz")),
        (["-q", "man", "--install"], within("man1/tally.1")),
    ] {
        let named = path.strip_suffix("man1/tally.1").unwrap_or(&path).to_owned();
        let arguments = arguments.map(str::to_owned).into_iter().chain([named]);
        let told = world.ask_as(STRANGER, OTHER_GROUP, arguments);
        told.failed(6, &format!("tally: could not write {path}: permission denied"));
    }
    world.finish();
}
