//! What `tally top` costs over 64 workers and 10,000 jobs: processor time of the view and, beside what it has to do
//! anyway, of the daemon.

use std::time::Duration;

use tally_sys::poll::Poll;
use tally_sys::{clock, usage};
use tally_tests::{Terminal, World, until};

use crate::crowd::{endless, in_turns};

const JOBS: usize = 10_000;
const WORKERS: &str = "64";
/// Seconds of each measurement; a look a second.
const SECONDS: u64 = 20;

/// Connections that ask for them. On one connection each waits for the answer to the one before, and that for a disk and for
/// turns beside 64 busy workers: ten thousand such waits took longer than anybody has patience.
const CONNECTIONS: usize = 100;

pub(crate) fn a_busy_daemon(binary: &str) {
    let world = World::new(binary).with("LANG", "C.UTF-8");
    let most = (2 * JOBS).to_string();
    let daemon =
        world.daemon(&["--workers", WORKERS, "--jobs-open-max", &most, "--jobs-open-per-user", &most]);
    println!("{JOBS} detached jobs for {WORKERS} workers ...");
    let begun = clock::monotonic_ns();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| daemon.client()).collect();
    in_turns(&mut clients, JOBS, "io.tally.Submit", endless);
    drop(clients);
    println!("are there after {:.1} s", (clock::monotonic_ns() - begun) as f64 / 1e9);
    let mut pause = Poll::new().expect("a poll can be made");
    let mut wait =
        |seconds| pause.wait(Some(Duration::from_secs(seconds)), &mut Vec::new()).expect("a poll can wait");
    let used = |pid| usage::of_process(pid).map_or(0, |process| process.processor_ms);
    wait(2);
    let alone = used(daemon.pid());
    wait(SECONDS);
    let alone = used(daemon.pid()) - alone;
    println!("the daemon alone: {:.2} % of a core", percent(alone));
    for (columns, rows) in [(80, 24), (200, 60)] {
        let Some(terminal) = Terminal::open(&world, columns, rows) else { break };
        terminal.line("exec \"$TALLY\" top");
        // A narrow screen has no room for how many there are.
        terminal.await_text("the jobs", |text| {
            text.contains(">j") && (columns < 100 || text.contains("of 10,000"))
        });
        let view = until("the process of the view", || {
            world.processes().into_iter().find(|process| is_view(process.pid))
        });
        wait(2);
        let before = (used(view.pid), used(daemon.pid()));
        wait(SECONDS);
        let (view_ms, daemon_ms) = (used(view.pid) - before.0, used(daemon.pid()) - before.1);
        println!(
            "{columns}x{rows}: the view {:.2} % of a core (goal under 2), {:.2} ms for each look (goal under 16); the daemon {:.2} %",
            percent(view_ms),
            view_ms as f64 / SECONDS as f64,
            percent(daemon_ms)
        );
        drop(terminal);
    }
    drop(world.ask(["cancel", "--all", "-q"]));
    daemon.stop();
    world.finish();
}

fn percent(ms: u64) -> f64 {
    ms as f64 / (SECONDS as f64 * 10.0)
}

fn is_view(pid: u32) -> bool {
    let args = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    args.split(|&byte| byte == 0).nth(1) == Some(b"top")
}
