//! Every command answers `--json` with what its schema in `docs/schema` says, and every schema is answered by some command.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tally_tests::{Finished, Running, Schemas, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

/// Commands for a daemon, as a shell reads them, in an order in which they make sense, with the schemas of what they print.
/// `tally` is the program with `--json`.
const BESIDE_A_DAEMON: &[(&str, &[&str])] = &[
    ("tally status", &["status"]),
    ("tally workers", &["workers"]),
    ("tally ping", &["ping"]),
    ("tally sum 0..1e6 --detach", &["job"]),
    ("tally sum 0..10 --of '1 // (i - 5)' --detach", &["job"]),
    ("tally sum 0..1e15 --of 'i * i % 7' --detach", &["job"]),
    ("tally sum 0..1000 --by i", &["error"]),
    ("tally sum 0..1e6 --progress json", &["progress", "result"]),
    ("tally reduce sum,mean table.csv --of price --by name --on-bad skip", &["result"]),
    ("tally sum table.csv --of prise", &["error"]),
    ("tally min 0..10 --of 'abs(i - 5)'; tally sum table.csv --of price --on-bad nan", &["result"]),
    ("tally mean table.csv --of price", &["error", "result"]),
    ("tally variance 0..1", &["error", "result"]),
    ("tally wait j1; tally wait j2", &["error", "jobs"]),
    ("tally show j1 --history", &["job"]),
    ("tally jobs --all", &["jobs"]),
    ("tally show j1; tally show table.csv; tally show j999", &["error", "job"]),
    ("tally result j1", &["result"]),
    ("tally follow j1 --progress json", &["progress", "result"]),
    ("tally explain j1", &["explain"]),
    ("tally pause j3; tally resume j3", &["job"]),
    ("tally cancel j3; tally cancel --all", &["jobs"]),
    ("tally retry j3; tally cancel j3", &["job", "jobs"]),
    ("printf 'sum 0..10\\nsum 0..x\\n' | tally batch -", &["batch"]),
    ("printf '3\\n4\\n' | tally running sum,mean -", &["running"]),
    ("tally value hits add 1; tally value hits get", &["value"]),
    (
        "tally dict prices set apple 0.5; tally dict prices items; tally dict prices get pear",
        &["dict", "error"],
    ),
    ("printf 'a\\t1\\nb\\t2\\n' | tally dict prices set -", &["fill"]),
    ("tally list steps push one 2 0.5; tally list steps all; tally list steps len", &["list"]),
    (
        "tally queue work put a b; tally queue work get; tally queue work size; tally queue work close",
        &["queue"],
    ),
    ("tally event ready set; tally event ready wait", &["event"]),
    ("tally barrier start wait --parties 1", &["barrier"]),
    ("tally stats latency add 12.5 13; tally stats latency get", &["stats"]),
    ("tally watch hits --count 0", &["watch"]),
    ("tally objects; tally objects rm hits", &["objects"]),
    ("printf 'value a add 1\\n' | tally objects batch - --atomic", &["value"]),
    ("tally lock door -- tally top --all", &["top"]),
    (
        "printf 'value a add 1\\nvalue none get\\n' | tally objects batch -; tally status",
        &["error", "status", "value"],
    ),
    ("tally lock door -- tally locks; tally semaphore net --permits 2 -- tally locks", &["locks"]),
    ("tally lock door -- tally lock door -- true", &["error"]),
    ("tally deadlocks", &["deadlocks"]),
    ("tally metrics", &["metrics"]),
    (
        "tally config show; tally config check; tally config default",
        &["config", "config-check", "config-default"],
    ),
    ("tally reload", &["reload"]),
    ("tally dump", &["dump"]),
    (
        "tally help; tally help json; tally sum --help; tally completion bash; tally man; tally man sum",
        &["help"],
    ),
    ("tally --version", &["version"]),
    ("tally lab race --processes 2 --count 100 --lock ticket", &["lab"]),
    ("tally compare 0..1000", &["compare"]),
    (
        "tally factorial 5; tally product 1..3; tally min 1..3; tally max 1..3; tally count 1..3; tally stddev 1..3",
        &["result"],
    ),
    ("tally upgrade", &["upgrade"]),
    ("tally self-test", &["self-test"]),
    ("tally debug bundle --output b.tar.gz", &["debug-bundle"]),
    ("tally daemon --check --workers 0", &["error"]),
    ("tally sum 0..10 --wrokers 3; tally smu; tally; tally show; tally debug", &["error"]),
    ("tally stop", &["stop"]),
    ("tally ping", &["error"]),
];

struct Scene {
    world: World,
    schemas: Schemas,
}

impl Scene {
    fn new() -> Self {
        let world = World::new(BINARY);
        fs::write(world.path().join("table.csv"), "name,price\na,1\nb,2.5\na,x\n").expect("a file of ours");
        Self { world, schemas: Schemas::read(&directory()) }
    }

    /// Runs a line of a shell in which `tally` is the program with `--json`.
    fn run(&self, line: &str) -> Finished {
        self.world.typed(line)
    }

    /// The schemas of all that a line prints; everything it prints has one.
    fn schemas_of(&self, line: &str) -> BTreeSet<String> {
        let finished = self.run(line);
        // Beside an answer there may be a note for people.
        let answered = !finished.stdout.is_empty();
        let told = finished.stderr.lines().filter(|line| !(answered && line.starts_with("tally: ")));
        let documents = finished.stdout.lines().chain(told).map(|text| {
            let document: Value = serde_json::from_str(text)
                .unwrap_or_else(|why| panic!("{line}: {why}: {text}\n{finished:?}"));
            let checked = self.schemas.check(&document);
            checked.unwrap_or_else(|why| panic!("{line}: {why}\n{text}"))
        });
        documents.collect()
    }
}

#[test]
fn every_command_prints_what_its_schema_says() {
    let scene = Scene::new();
    let program = "mkdir bin; printf '#!/bin/sh\\nexec \"%s\" --json \"$@\"\\n' \"$TALLY\" > bin/tally; chmod +x bin/tally";
    assert_eq!(Running::start(scene.world.script(program)).finish().code(), 0);
    let daemon = scene.world.daemon(&["--workers", "1"]);
    let mut seen: BTreeSet<String> = ["parts".to_owned(), "drain".to_owned()].into();
    for (line, wanted) in BESIDE_A_DAEMON {
        let found = scene.schemas_of(line);
        assert_eq!(found, wanted.iter().map(|name| (*name).to_owned()).collect(), "{line}");
        seen.extend(found);
    }
    assert_eq!(daemon.finish().code(), 0);
    let all: BTreeSet<String> = scene.schemas.names().map(str::to_owned).collect();
    assert_eq!(seen, all, "every schema is printed by a command of the list");
    scene.world.finish();
}

#[test]
fn a_drain_says_so_as_json() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let finished = world.ask(["drain", "--json"]);
    let document = finished.json();
    assert_eq!(Schemas::read(&directory()).check(&document).as_deref(), Ok("drain"));
    assert_eq!(daemon.finish().code(), 0);
    world.finish();
}

/// The commands of the short help are all in the list above, so that a new one cannot come without.
#[test]
fn no_command_is_left_out() {
    let world = World::new(BINARY);
    let short = world.run(["-h"]).stdout;
    let commands =
        short.lines().skip_while(|line| !line.starts_with("Compute")).take_while(|line| !line.is_empty());
    let words: Vec<&str> = commands.flat_map(str::split_whitespace).collect();
    assert!(words.contains(&"sum") && words.contains(&"locks"), "{words:?}");
    for word in words.iter().filter(|word| word.starts_with(char::is_lowercase)) {
        let there = |(line, _): &(&str, &[&str])| {
            *word == "drain" || line.split("tally ").any(|rest| rest.split([' ', ';']).next() == Some(*word))
        };
        assert!(BESIDE_A_DAEMON.iter().any(there), "'tally {word} --json' is tried nowhere");
    }
    world.finish();
}

/// A page about JSON that names another set of schemas would be wrong.
#[test]
fn the_topic_names_every_schema() {
    let world = World::new(BINARY);
    let topic = world.run(["help", "json"]).stdout;
    for name in Schemas::read(&directory()).names().filter(|name| *name != "parts") {
        let kinds = ["dict", "list", "queue", "event", "barrier", "stats"];
        assert!(topic.contains(&format!("tally.{name}/1")) || kinds.contains(&name), "{name}");
    }
    world.finish();
}
