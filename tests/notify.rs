//! What the daemon tells a service manager, word by word, to a manager that is this test.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tally_sys::signal::Signal;
use tally_tests::{PATIENCE_NS, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A manager that wants a sign of life every 400 ms.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    /// With the world whose daemons it manages.
    fn new() -> (Self, World) {
        let world = World::new(BINARY);
        let path = world.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket can be made");
        socket.set_read_timeout(Some(Duration::from_nanos(PATIENCE_NS))).expect("a timeout can be set");
        let world = world.with("NOTIFY_SOCKET", path.to_str().expect("text")).with("WATCHDOG_USEC", "400000");
        (Self { socket, path }, world)
    }

    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).expect("the daemon reports");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// The next message that begins like this.
    fn hear(&self, begin: &str) -> String {
        loop {
            let message = self.next();
            if message.starts_with(begin) {
                return message;
            }
        }
    }

    /// All that is left, without waiting.
    fn rest(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).expect("a socket need not wait");
        let mut bytes = [0; 4096];
        let mut all = Vec::new();
        while let Ok(count) = self.socket.recv(&mut bytes) {
            all.push(String::from_utf8_lossy(&bytes[..count]).into_owned());
        }
        all
    }
}

/// A number of a line of a message.
fn number(message: &str, name: &str) -> u64 {
    let value = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {message}"))
}

#[test]
fn ready_alive_reloading_stopping() {
    let (manager, world) = Manager::new();
    let daemon = world.daemon(&["--workers", "1", "--start", "spawn", "--drain-ms", "60000"]);
    assert_eq!(number(&manager.hear("READY=1"), "MAINPID"), u64::from(daemon.pid()));
    manager.hear("STATUS=1 of 1 workers ready, 0 jobs running, 0 queued");
    // Idle, it is alive: half of what the manager allows lies between two signs.
    let begun = tally_sys::clock::monotonic_ns();
    (0..4).for_each(|_| drop(manager.hear("WATCHDOG=1")));
    let took = tally_sys::clock::monotonic_ns() - begun;
    assert!(took > 400_000_000, "four signs of life within {took} ns");
    // Nobody else speaks in its name.
    for worker in world.await_named("tally-worker", 1) {
        let environment = fs::read(format!("/proc/{}/environ", worker.pid)).expect("it lives");
        assert!(!String::from_utf8_lossy(&environment).contains("NOTIFY_SOCKET"));
    }

    let before = tally_sys::clock::monotonic_ns() / 1_000;
    daemon.signal(Signal::Hup);
    let reloading = number(&manager.hear("RELOADING=1"), "MONOTONIC_USEC");
    assert!((before..=tally_sys::clock::monotonic_ns() / 1_000).contains(&reloading), "{before} {reloading}");
    manager.hear("READY=1");

    // It drains for longer than the manager would give it, and asks for more time again and again.
    let mut client = daemon.client();
    client.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e15"] }), true);
    daemon.signal(Signal::Term);
    let stopping = manager.hear("STOPPING=1");
    assert_eq!(number(&stopping, "EXTEND_TIMEOUT_USEC"), 15_000_000);
    manager.hear("STATUS=draining: ");
    let more = manager.hear("EXTEND_TIMEOUT_USEC=");
    assert_eq!(number(&more, "EXTEND_TIMEOUT_USEC"), 15_000_000);
    // And it is alive all the while.
    manager.hear("WATCHDOG=1");
    daemon.signal(Signal::Term);
    assert_eq!(daemon.finish().code(), 0);
    assert!(manager.rest().iter().all(|message| !message.starts_with("READY=1")));
    fs::remove_file(&manager.path).expect("it is there");
    world.finish();
}

/// To the manager an upgrade is a reload: the service never stopped.
#[test]
fn an_upgrade_is_a_reload() {
    let (manager, world) = Manager::new();
    let daemon = world.daemon(&["--workers", "1"]);
    manager.hear("READY=1");
    assert_eq!(world.ask(["upgrade"]).code(), 0);
    let told: Vec<String> = std::iter::from_fn(|| Some(manager.next()))
        .take_while(|message| !message.starts_with("READY=1"))
        .filter(|message| !message.starts_with("STATUS=") && message != "WATCHDOG=1")
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{told:?}");
    manager.hear("WATCHDOG=1");
    daemon.stop();
    world.finish();
}

/// What the next start cannot open again is kept by the manager, as long as the job is open.
#[test]
fn files_of_detached_jobs_are_stored_until_they_end() {
    let (manager, world) = Manager::new();
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(world.ask(["sum", "0..1e15", "--detach"]).code(), 0);
    let file = world.path().join("numbers.csv");
    fs::write(&file, "n\n1\n2\n").expect("it can be written");
    let path = file.to_str().expect("text");
    world.ask(["sum", path, "--priority", "-1", "--detach"]).answered("j2\n");
    manager.hear("FDSTORE=1\nFDNAME=job-file-j2");
    assert_eq!(world.ask(["cancel", "j2"]).code(), 0);
    manager.hear("FDSTOREREMOVE=1\nFDNAME=job-file-j2");
    world.ask(["sum", path, "--priority", "-1", "--detach"]).answered("j3\n");
    manager.hear("FDSTORE=1\nFDNAME=job-file-j3");
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
    let daemon = world.daemon(&["--workers", "1"]);
    manager.hear("FDSTORE=1\nFDNAME=job-file-j3");
    assert_eq!(world.ask(["cancel", "j1"]).code(), 0);
    manager.hear("FDSTOREREMOVE=1\nFDNAME=job-file-j3");
    // Its end is on the disk by then.
    world.ask(["result", "j3"]).answered("3\n");
    // Attached jobs end with their daemon.
    world.ask(["sum", path]).answered("3\n");
    daemon.stop();
    let rest = manager.rest();
    assert!(rest.iter().all(|message| !message.starts_with("FDSTORE")), "{rest:?}");
    world.finish();
}
