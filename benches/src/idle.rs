//! A minute of an idle daemon with two idle workers: wake-ups and memory.

use std::time::Duration;

use tally_sys::poll::Poll;
use tally_tests::{World, proc};

pub(crate) fn a_minute(binary: &str) {
    let world = World::new(binary);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    client.await_idle(2);
    drop(client);
    let wakes =
        || -> u64 { world.processes().iter().filter_map(|one| proc::voluntary_switches(one.pid)).sum() };
    let mut pause = Poll::new().expect("a poll can be made");
    let mut wait =
        |seconds| pause.wait(Some(Duration::from_secs(seconds)), &mut Vec::new()).expect("a poll can wait");
    wait(1);
    let before = wakes();
    wait(60);
    println!("wake-ups of daemon, forkserver and workers in 60 s: {} (goal 0)", wakes() - before);
    for process in world.processes() {
        let resident = proc::resident_bytes(process.pid).unwrap_or(0) as f64 / f64::from(1 << 20);
        println!("{} {}: {resident:.1} MiB resident", process.name, process.pid);
    }
    println!("goal: the daemon under 10 MB");
    daemon.stop();
    world.finish();
}
