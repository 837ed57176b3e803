//! Named locks and semaphores with real processes: what is held, by whom, for how long, and who is next when one dies.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips, and how often it killed")]

mod commands;
mod daemons;
mod deadlock;
mod deaths;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tally_sys::process;
use tally_sys::signal::Signal;
use tally_tests::gate::{make_gate, open_gate};
use tally_tests::run::send;
use tally_tests::{Client, Daemon, Finished, Running, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A script that finds the daemon and the binary.
fn script(world: &World, text: &str) -> Running {
    let mut command = world.script(text);
    command.env("TALLY_SOCKET", world.socket());
    Running::start(command)
}

fn locks(world: &World) -> Value {
    let text = world.ask(["locks", "--json"]).json();
    assert_eq!(text["schema"], "tally.locks/1");
    text["locks"].clone()
}

/// Waits until a lock has so many holders and waiters.
fn await_counts(world: &World, name: &str, holders: usize, waiters: usize) {
    let mut client = Client::connect(&world.socket());
    until(&format!("{holders} holders and {waiters} waiters of {name}"), || {
        let reply = client.call("io.tally.Locks", &json!({}));
        let all = reply["locks"].as_array().cloned().unwrap_or_default();
        let found = all.iter().find(|lock| lock["name"] == name);
        let count = |what: &str| found.map_or(0, |lock| lock[what].as_array().map_or(0, Vec::len));
        ((count("holders"), count("waiters")) == (holders, waiters)).then_some(())
    });
}

fn acquire(client: &mut Client, name: &str) -> u64 {
    let grant = client.call("io.tally.Acquire", &json!({ "name": name }));
    grant["grant"]["fence"].as_u64().expect("a number")
}

fn code_and_line(finished: &Finished) -> (i32, &str) {
    (finished.code(), finished.stderr.lines().next().unwrap_or(""))
}
