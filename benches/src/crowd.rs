//! Many clients at once, and many jobs that wait: what each costs those who ask meanwhile, and the daemon in memory.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tally_tests::run::Daemon;
use tally_tests::{Client, Running, World, proc};

use crate::measure::{median, quantile, seconds};

/// Clients that are connected, each with one request at a time.
const CLIENTS: [usize; 3] = [1, 100, 1_000];
/// Small jobs of all clients together.
const JOBS: usize = 20_000;
/// Jobs that wait.
const QUEUED: [usize; 3] = [1_000, 10_000, 100_000];
/// Connections over which these are handed in.
const HANDS: usize = 64;
/// Pings of one measurement.
const PINGS: usize = 2_000;

pub(crate) fn many(binary: &str) {
    println!("| clients | jobs a second | ping p50, p99 meanwhile, ms | daemon, MiB |");
    println!("|---|---|---|---|");
    for count in CLIENTS {
        connected(binary, count);
    }
    println!(
        "\n| jobs that wait | handed in a second | daemon, MiB | for each, bytes | ping p50, p99, ms | `jobs`, s | `jobs --all`, s | `cancel --all`, s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for count in QUEUED {
        queued(binary, count);
    }
}

fn ping(client: &mut Client) -> f64 {
    seconds(|| drop(client.call("io.tally.Ping", &json!({})))) * 1e3
}

fn resident(daemon: &Daemon) -> u64 {
    proc::resident_bytes(daemon.pid()).unwrap_or(0)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Asks the same of every client, then hears all answers, until there were so many.
pub(crate) fn in_turns(
    clients: &mut [Client],
    total: usize,
    method: &str,
    mut request: impl FnMut(usize) -> Value,
) {
    let mut asked = 0;
    while asked < total {
        let many = clients.len().min(total - asked);
        for client in &mut clients[..many] {
            client.ask(method, &request(asked), false);
            asked += 1;
        }
        for client in &mut clients[..many] {
            client.skip(1);
        }
    }
}

/// A detached job that does not end.
pub(crate) fn endless(number: usize) -> Value {
    let source = format!("0..{}", 1_000_000_000_000_000 + number as u64);
    json!({ "request": { "reductions": ["sum"], "sources": [source], "of": "i * i % 7", "detach": true } })
}

/// Small jobs of so many clients; somebody else pings.
fn connected(binary: &str, count: usize) {
    let world = World::new(binary);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut clients: Vec<Client> = (0..count).map(|_| daemon.client()).collect();
    let mut other = daemon.client();
    let over = AtomicBool::new(false);
    let (took, mut pings) = std::thread::scope(|scope| {
        let pings = scope.spawn(|| {
            let mut pings = Vec::new();
            while !over.load(Ordering::Relaxed) {
                pings.push(ping(&mut other));
            }
            pings
        });
        let small = |number| json!({ "request": { "reductions": ["sum"], "sources": [format!("0..{}", number + 1)] } });
        let took = seconds(|| in_turns(&mut clients, JOBS, "io.tally.Submit", small));
        over.store(true, Ordering::Relaxed);
        (took, pings.join().expect("pings do not panic"))
    });
    println!(
        "| {count} | {:.0} | {:.2}, {:.2} | {:.1} |",
        JOBS as f64 / took,
        median(&mut pings),
        quantile(&mut pings, 0.99),
        mib(resident(&daemon)),
    );
    drop((clients, other));
    daemon.stop();
    world.finish();
}

/// So many detached jobs, of which two run and none ends.
fn queued(binary: &str, count: usize) {
    let world = World::new(binary);
    let most = (count + 1_000).to_string();
    let daemon = world.daemon(&["--workers", "2", "--jobs-open-max", &most]);
    let mut clients: Vec<Client> = (0..HANDS).map(|_| daemon.client()).collect();
    let fresh = resident(&daemon);
    let handed = seconds(|| in_turns(&mut clients, count, "io.tally.Submit", endless));
    let full = resident(&daemon);
    let mut pings: Vec<f64> = (0..PINGS).map(|_| ping(&mut clients[0])).collect();
    let command = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("TALLY_SOCKET", daemon.socket());
        seconds(|| assert_eq!(Running::start(command).finish_in(10).code(), 0, "{arguments:?}"))
    };
    let (some, all) = (command(&["jobs"]), command(&["jobs", "--all"]));
    let cancelled = command(&["cancel", "--all", "-q"]);
    println!(
        "| {count} | {:.0} | {:.1} | {} | {:.2}, {:.2} | {some:.2} | {all:.2} | {cancelled:.2} |",
        count as f64 / handed,
        mib(full),
        full.saturating_sub(fresh) / count as u64,
        median(&mut pings),
        quantile(&mut pings, 0.99),
    );
    drop(clients);
    daemon.stop();
    world.finish();
}
