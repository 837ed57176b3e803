//! What the system refuses: descriptors, message queues, shared memory, file sizes. One clear line or the right answer,
//! never a panic, a death or a leftover.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use tally_tests::{Daemon, Finished, Running, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const SUM: &str = "499999500000\n";

fn shell(world: &World, text: &str) -> Finished {
    Running::start(world.script(text)).finish()
}

/// Right, or refused in one line of the usual form.
fn right_or_refused(finished: &Finished, what: &str) {
    let line = finished.stderr.lines().find(|line| !line.starts_with("tally: note: ")).unwrap_or("");
    let refused = finished.code() == 1 && finished.stdout.is_empty() && line.starts_with("tally: could not ");
    let right = finished.code() == 0 && finished.stdout == SUM;
    assert!(right || refused, "{what}: {finished:?}");
    assert!(!finished.stderr.contains("os error"), "{what}: {finished:?}");
    if line.ends_with("too many open files") {
        assert!(finished.stderr.contains("\n         'ulimit -n' tells"), "{what}: {finished:?}");
    }
}

#[test]
fn few_descriptors_are_no_panic_on_any_transport() {
    for transport in ["shm", "shm-named", "pipe", "mqueue", "channel"] {
        for files in [12, 16, 20, 23, 24, 25, 26, 28, 30, 34, 40] {
            let world = World::new(BINARY);
            let text =
                format!("ulimit -n {files}; exec $TALLY sum 0..1e6 --workers 4 --transport {transport}");
            right_or_refused(&shell(&world, &text), &text);
            world.finish();
        }
    }
}

#[test]
fn idle_connections_never_take_the_descriptors_of_workers() {
    let world = World::new(BINARY);
    let socket = world.socket();
    let text = format!("ulimit -n 128; exec $TALLY daemon --workers 2 --socket {}", socket.display());
    let daemon = Daemon::over(Running::start(world.script(&text)), socket);
    let silent: Vec<_> = (0..300).filter_map(|_| UnixStream::connect(daemon.socket()).ok()).collect();
    assert_eq!(world.ask(["ping"]).code(), 0);
    let worker = world.named("tally-worker")[0].pid;
    tally_tests::run::send(worker, tally_sys::signal::Signal::Kill);
    // Other workers than the daemon's own: started while all those clients are connected.
    world.ask(["sum", "0..1000000", "--transport", "pipe"]).answered(SUM);
    drop(silent);
    daemon.stop();
    world.finish();
}

#[test]
fn without_message_queues_a_pipe_serves_and_a_note_says_so() {
    let world = World::new(BINARY);
    let finished = shell(&world, "ulimit -q 0; exec $TALLY sum 0..1e6 --workers 3 --transport mqueue");
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, SUM), "{}", finished.stderr);
    assert!(finished.stderr.starts_with("tally: note: "), "{}", finished.stderr);
    assert!(finished.stderr.contains("a pipe serves instead"), "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().count(), 1, "told once: {}", finished.stderr);
    world.finish();
}

#[test]
fn a_full_dev_shm_kills_nobody() {
    let world = World::new(BINARY);
    let mount = "mount -t tmpfs -o size=SIZE none /dev/shm";
    if shell(&world, "unshare --mount true").code() != 0 {
        println!("skipped: a private /dev/shm needs root");
        return;
    }
    for size in ["4k", "16k", "300k", "700k"] {
        let mount = mount.replace("SIZE", size);
        let text = format!(
            "exec unshare --mount bash -c '{mount} && $TALLY sum 0..1e6 --workers 4 --transport shm-named; code=$?; ls /dev/shm >&2; exit $code'"
        );
        let finished = shell(&world, &text);
        assert_eq!((finished.code(), finished.stdout.as_str()), (0, SUM), "{size}: {}", finished.stderr);
        assert!(finished.stderr.contains("/dev/shm is full"), "{size}: {}", finished.stderr);
        assert!(!finished.stderr.contains("tally-"), "{size} leaves a segment: {}", finished.stderr);
    }
    world.finish();
}

#[test]
fn a_limit_on_file_sizes_is_told() {
    let world = World::new(BINARY);
    right_or_refused(&shell(&world, "ulimit -f 0; exec $TALLY sum 0..1e6"), "ulimit -f 0");
    world.finish();
}

/// A list of jobs leaves out answers of thousands of digits; the job itself has them.
#[test]
fn a_list_of_jobs_stays_short() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    let request = json!({ "reductions": ["product", "count"], "sources": ["1..3001"] });
    let digits = |job: &Value| job["results"][0]["value"].as_str().map_or(0, str::len);
    assert_eq!(digits(&client.submit(&request, false)), 9_131);
    let listed = client.call("io.tally.Jobs", &json!({ "all": true }))["jobs"][0].take();
    assert_eq!(listed["results"], json!([{ "reduction": "count", "type": "integer", "value": "3000" }]));
    assert_eq!(digits(&client.call("io.tally.Show", &json!({ "job": "j1" }))["job"]), 9_131);
    daemon.stop();
    world.finish();
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_reason() {
    let world = World::new(BINARY);
    let finished = world.run(["sum", "0..10", "--local", "--memory-limit", "11M"]);
    finished.failed(
        2,
        "tally: could not read --memory-limit '11M': it can be 12M to 128T: a worker needs some, and no process has more",
    );
    world.run(["sum", "0..10", "--mode", "threads", "--socket", "/nowhere"]).failed(
        2,
        "tally: could not use the daemon of --socket: --mode threads computes in this very process",
    );
    world.finish();
}
