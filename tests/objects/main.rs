//! Hosted objects with real processes: what the commands print, who waits for how long, what survives whose death.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it found, and what it skips")]

mod answers;
mod batch;
mod deaths;
mod held;
mod rights;
mod waits;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tally_sys::process;
use tally_sys::signal::Signal;
use tally_tests::run::send;
use tally_tests::{Client, Daemon, Finished, Random, Running, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A world with a daemon, and commands as one types them.
struct Scene {
    world: World,
    daemon: Daemon,
}

impl Scene {
    fn new() -> Self {
        let world = World::new(BINARY);
        let daemon = world.daemon(&["--workers", "1"]);
        Self { world, daemon }
    }

    fn run(&self, line: &str) -> Finished {
        self.world.ask(line.split_whitespace())
    }

    /// A command that answers with exactly this.
    #[track_caller]
    fn says(&self, line: &str, text: &str) {
        self.run(line).answered(text);
    }

    /// A command that fails with this code, and this first line.
    #[track_caller]
    fn fails(&self, line: &str, code: i32, text: &str) {
        self.run(line).failed(code, text);
    }

    /// A command with something on its standard input.
    fn fed(&self, line: &str, input: &[u8]) -> Finished {
        fed(self.world.client(line.split_whitespace()), input)
    }

    /// A command that goes on by itself.
    fn begin(&self, line: &str) -> Running {
        self.begin_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn begin_words(&self, words: &[&str]) -> Running {
        self.world.begin(words)
    }

    /// Waits until so many wait for an object.
    fn await_waiting(&self, name: &str, count: u64) {
        until(&format!("{count} who wait for {name}"), || {
            (self.listed(name)?["waiting"] == count).then_some(())
        });
    }

    /// What the list says of an object.
    fn listed(&self, name: &str) -> Option<Value> {
        let listed = self.json("objects --json");
        listed["objects"].as_array()?.iter().find(|one| one["object"] == name).cloned()
    }

    fn json(&self, line: &str) -> Value {
        json_of(&self.world, line)
    }

    fn end(self) {
        self.daemon.stop();
        self.world.finish();
    }
}

fn json_of(world: &World, line: &str) -> Value {
    world.ask(line.split_whitespace()).json()
}

fn fed(mut command: Command, input: &[u8]) -> Finished {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    command.stdin(Stdio::from(reader));
    let running = Running::start(command);
    // Small enough for any pipe, or the reader reads.
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(writer.write_all(&input)));
    let finished = running.finish();
    writer.join().expect("a writer does not panic");
    finished
}

fn operation(client: &mut Client, operation: &Value) -> Value {
    client.call("io.tally.Operate", &json!({ "operation": operation }))["result"].take()
}

fn put(queue: &str, value: &Value) -> Value {
    json!({ "object": queue, "kind": "queue", "operation": "put", "value": value })
}
