//! Kernels of the user's own: both forms, whatever they answer, however they fail, and that nothing of them stays.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

mod answers;
mod failures;
mod groups;
mod jobs;
mod limits;
mod lines;
mod processes;
mod refusals;
mod surroundings;
mod trees;
mod users;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tally_sys::process;
use tally_sys::signal::Signal;
use tally_tests::brood::{BREEDER, await_brood, await_no_strangers, strangers};
use tally_tests::run::{send, send_if_there};
use tally_tests::{Client, Daemon, Finished, Running, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A process that lives on and adds up in closed form.
const LIVES_ON: &str = "sh -c 'while read -r s e p a; do echo $(( (e - s) * (s + e - 1) / 2 )); done'";

/// The same in a process for each partition.
const EACH: &str = "sh -c 'echo $(( ({end} - {start}) * ({start} + {end} - 1) / 2 ))'";

/// A job under a private supervisor of two workers.
fn run(world: &World, arguments: &[&str], command: &str) -> Finished {
    let fixed = ["--local", "--workers", "2", "--command", command];
    // What is asked for here comes last, which counts.
    let (verb, rest) = arguments.split_first().expect("a verb");
    world.run([verb].into_iter().chain(&fixed).chain(rest).copied())
}

/// A detached job beside a daemon; its id.
fn detach(world: &World, arguments: &[&str], command: &str) -> String {
    let asked = world.ask(arguments.iter().chain(&["--detach", "--command", command]));
    assert_eq!(asked.code(), 0, "{asked:?}");
    asked.stdout.trim().to_owned()
}

/// A loop of a shell that reads partitions, with this body; `$s $e $p $a` are what it was told.
fn reader(body: &str) -> String {
    format!("sh -c 'while read -r s e p a; do {body}; done'")
}

fn sum_below(count: u64) -> String {
    format!("{}\n", u128::from(count) * u128::from(count - 1) / 2)
}
