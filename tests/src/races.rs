//! Daemons that start at the same moment: exactly one may win, whatever the last one left behind.

use std::path::Path;

use tally_sys::signal::Signal;

use crate::run::{Running, send};
use crate::{Client, World, until};

/// How the winner of a race ends, and so what the next one finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Nothing is left.
    Stopped,
    /// SIGKILL: its socket, its lock files and its pid file are left, locked by nobody.
    Killed,
}

/// Starts daemons in the background, all at once, and checks that one of them and no other runs and serves; then ends
/// it. Returns its pid.
pub fn race(world: &World, daemons: usize, leaving: Leaving) -> u32 {
    let paths = ["run/tally.sock", "run/tally.pid", "race.log"].map(|name| world.path().join(name));
    let [socket, pid_file, log] = paths.each_ref().map(|path| path.to_str().expect("the path is text"));
    let arguments = [
        "daemon",
        "--daemonize",
        "--socket",
        socket,
        "--pid-file",
        pid_file,
        "--log-file",
        log,
        "--workers",
        "1",
        "--start",
        "spawn",
    ];
    let started: Vec<Running> = (0..daemons).map(|_| world.start(arguments)).collect();
    let mut winners = 0;
    for one in started {
        let finished = one.finish();
        match finished.code() {
            0 => winners += 1,
            1 => assert!(finished.stderr.contains("a daemon is running already"), "{}", finished.stderr),
            other => panic!("exit code {other}: {}", finished.stderr),
        }
    }
    assert_eq!(winners, 1, "of {daemons} daemons");
    let pid = serves(&paths[0]);
    assert_eq!(written(&paths[1]), Some(pid), "the pid file names the one that serves");
    // A loser has told why before it is gone, and a worker has this name until it takes its own.
    until("one daemon alone", || {
        let mut daemons = world.named("tally").into_iter().filter(|one| one.parent != pid);
        (daemons.next()?.pid == pid && daemons.next().is_none()).then_some(())
    });
    match leaving {
        Leaving::Stopped => send(pid, Signal::Term),
        Leaving::Killed => send(pid, Signal::Kill),
    }
    until("the end of the winner", || world.processes().is_empty().then_some(()));
    assert_eq!(paths[1].exists(), leaving == Leaving::Killed, "the pid file");
    pid
}

/// The pid of the daemon that answers at a socket.
pub fn serves(socket: &Path) -> u32 {
    let status = Client::connect(socket).call("io.tally.Status", &serde_json::json!({}));
    let pid = status["status"]["pid"].as_u64().expect("a daemon tells its pid");
    u32::try_from(pid).expect("a pid")
}

/// The pid that a pid file names.
#[must_use]
pub fn written(pid_file: &Path) -> Option<u32> {
    std::fs::read_to_string(pid_file).ok()?.lines().next()?.parse().ok()
}
