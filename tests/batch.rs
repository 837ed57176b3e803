//! `tally batch`: many jobs over one connection, answers as they come, and what happens when something dies meanwhile.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};
use tally_sys::signal::Signal;
use tally_tests::run::send;
use tally_tests::{Client, Running, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A job that never ends by itself, on one worker.
const ENDLESS: &str = "sum 0..2**63 --of 'i xor 1' --workers 1";

/// A batch that is spoken with.
struct Talk {
    child: std::process::Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Talk {
    fn begin(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.client(["batch", "-"].iter().chain(arguments));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (say, hear) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, say, hear }
    }

    fn say(&mut self, line: &str) {
        if let Err(why) = writeln!(self.say, "{line}") {
            let mut told = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("{why}: {told}");
        }
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.hear.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The most memory it has had, in KiB.
    fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Its exit code and what it told on standard error.
    fn end(self) -> (Option<i32>, String) {
        drop(self.say);
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn status(client: &mut Client, key: &str) -> u64 {
    client.call("io.tally.Status", &json!({}))["status"][key].as_u64().unwrap()
}

fn file(world: &World, name: &str, text: &str) -> String {
    std::fs::write(world.path().join(name), text).unwrap();
    name.to_owned()
}

#[test]
fn each_line_has_its_answer_and_fails_alone() {
    let world = World::new(BINARY);
    let lines = "sum 0..10\nsum 0..x\n# squares\n\nsum 0..4 --of 'i * i'\nmin 5..5\nreduce sum,max 0..3\n";
    let name = file(&world, "jobs.txt", lines);
    let ended = world.run(["batch", &name, "--ordered"]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (1, "1\t45\n5\t14\n7\tsum\t3\n7\tmax\t2\n"));
    assert_eq!(
        ended.stderr,
        "tally: could not answer line 2: could not read the range '0..x': 'x' is not an integer\n\
         tally: could not answer line 6: could not compute the minimum: there are no elements\n\
         tally: 2 of 5 lines failed\n"
    );
    let good = world.run(["batch", &file(&world, "good.txt", "sum 0..10\ncount 0..10\n"), "--ordered"]);
    good.answered("1\t45\n2\t10\n");
    world.run(["batch", &file(&world, "none.txt", "")]).answered("");
    let told = world.run(["batch", &file(&world, "one.txt", "sum 0..10\r\n"), "--verbose", "--workers", "1"]);
    assert_eq!((told.code(), told.stdout.as_str()), (0, "1\t45\n"));
    assert!(
        told.stderr.starts_with("line 1\nworker") && told.stderr.contains(" total=45\n"),
        "{}",
        told.stderr
    );
    let why = "tally: could not open missing.txt: no such file or directory";
    world.run(["batch", "missing.txt"]).failed(2, why);
    let vain = world.run(["batch", &name, "--socket", "nowhere.sock"]);
    assert_eq!((vain.code(), vain.stdout.as_str()), (3, ""));
    world.finish();
}

#[test]
fn json_goes_in_and_comes_out() {
    let world = World::new(BINARY);
    let lines = r#"{"reductions": ["sum"], "sources": ["0..10"], "of": "i * i"}
{"reductions": ["sum"], "sources": ["0..10"], "wrokers": 3}
{"reductions": ["min", "max"], "sources": ["1..4"]}
"#;
    let ended = world.run(["batch", &file(&world, "jobs.jsonl", lines), "--json", "--ordered"]);
    assert_eq!((ended.code(), ended.stderr.as_str()), (1, "tally: 1 of 3 lines failed\n"));
    let jobs: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(ended.stdout.starts_with("{\"schema\":\"tally.batch/1\",\"line\":1,"), "{}", ended.stdout);
    assert_eq!(jobs[0]["results"][0]["value"], "285");
    assert_eq!((&jobs[1]["line"], &jobs[1]["error"]["code"]), (&json!(2), &json!("bad-usage")));
    assert!(jobs[1]["error"]["message"].as_str().unwrap().contains("wrokers"), "{}", jobs[1]);
    assert_eq!(
        jobs[2]["results"][1],
        json!({"reduction": "max", "type": "integer", "value": "3", "index": "3"})
    );
    world.finish();
}

#[test]
fn answers_come_while_the_input_is_written() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    let mut talk = Talk::begin(&world, &[]);
    talk.say(ENDLESS);
    until("the endless job", || (status(&mut client, "running") == 1).then_some(()));
    for line in 2..5 {
        talk.say(&format!("sum 0..{line}"));
        assert_eq!(talk.hear(), format!("{line}\t{}", line * (line - 1) / 2));
    }
    assert_eq!(status(&mut client, "clients"), 2, "one connection has them all");
    client.call("io.tally.Cancel", &json!({ "jobs": ["j1"] }));
    let told = "tally: could not answer line 1: it was cancelled: a client asked for it\n\
                tally: 1 of 4 lines failed\n";
    assert_eq!(talk.end(), (Some(1), told.to_owned()));
    daemon.stop();
    world.finish();
}

#[test]
fn no_more_jobs_are_under_way_than_wanted() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    let mut talk = Talk::begin(&world, &["--in-flight", "2", "--ordered"]);
    for _ in 0..3 {
        talk.say(ENDLESS);
    }
    talk.say("sum 0..10");
    let open = |client: &mut Client| status(client, "running") + status(client, "queued");
    until("two jobs", || (open(&mut client) == 2).then_some(()));
    client.call("io.tally.Cancel", &json!({ "jobs": ["j2"] }));
    // In order, the second line is answered after the first: no further one is taken in.
    client.call("io.tally.Ping", &json!({}));
    assert_eq!(open(&mut client), 1);
    client.call("io.tally.Cancel", &json!({ "jobs": ["j1"] }));
    until("the third job", || (open(&mut client) >= 1).then_some(()));
    client.call("io.tally.Cancel", &json!({ "jobs": ["j3"] }));
    assert_eq!(talk.hear(), "4\t45");
    let (code, told) = talk.end();
    assert_eq!((code, told.lines().count()), (Some(1), 4), "{told}");
    daemon.stop();
    world.finish();
}

#[test]
fn any_number_of_lines_takes_the_same_memory() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut talk = Talk::begin(&world, &["--ordered"]);
    let mut hundreds = |count: u64| {
        for hundred in 0..count {
            let lines: String = (0..100).map(|_| format!("sum 0..{hundred}\n")).collect();
            talk.say(lines.trim_end());
            for _ in 0..100 {
                assert!(talk.hear().ends_with(&format!("\t{}", hundred * hundred.saturating_sub(1) / 2)));
            }
        }
        talk.peak_kib()
    };
    let before = hundreds(10);
    let after = hundreds(60);
    assert!(after < before + 1_024, "6,000 more lines took {} KiB more", after - before);
    assert_eq!(talk.end(), (Some(0), String::new()));
    daemon.stop();
    world.finish();
}

#[test]
fn a_daemon_with_little_room_is_not_pressed() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1", "--jobs-open-max", "3"]);
    let lines: String = (1..=200).map(|n| format!("sum 0..{n}\n")).collect();
    let ended = world.ask(["batch", &file(&world, "jobs.txt", &lines), "--in-flight", "50", "--ordered"]);
    let expected: String = (1..=200).map(|n| format!("{n}\t{}\n", n * (n - 1) / 2)).collect();
    ended.answered(&expected);
    daemon.stop();
    world.finish();
}

#[test]
fn jobs_under_way_go_to_the_next_daemon() {
    let world = World::new(BINARY);
    let flags = ["--workers", "2", "--drain-ms", "0"];
    for signal in [Signal::Kill, Signal::Term, Signal::Quit] {
        let first = world.daemon(&flags);
        let mut client = first.client();
        let mut talk = Talk::begin(&world, &[]);
        talk.say("sum 0..8e8");
        talk.say("sum 0..9e8");
        until("both jobs", || (status(&mut client, "running") == 2).then_some(()));
        first.signal(signal);
        drop(first.finish());
        let second = world.daemon(&flags);
        talk.say("sum 0..10");
        let answers = BTreeSet::from([talk.hear(), talk.hear(), talk.hear()]);
        let expected = ["1\t319999999600000000", "2\t404999999550000000", "3\t45"];
        assert_eq!(answers, expected.map(str::to_owned).into(), "{signal}");
        let (code, told) = talk.end();
        assert_eq!(code, Some(0), "{signal}: {told}");
        assert!(told.contains("went away; waiting for the next"), "{signal}: {told}");
        second.stop();
    }
    world.finish();
}

#[test]
fn the_jobs_end_with_the_batch() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    for (signal, code) in [(Signal::Int, Some(130)), (Signal::Term, Some(143)), (Signal::Kill, None)] {
        let mut talk = Talk::begin(&world, &[]);
        talk.say(ENDLESS);
        talk.say(ENDLESS);
        until("its jobs", || {
            (status(&mut client, "running") + status(&mut client, "queued") == 2).then_some(())
        });
        send(talk.child.id(), signal);
        let (ended, told) = talk.end();
        assert_eq!(ended, code, "{signal}: {told}");
        until("the end of its jobs", || {
            (status(&mut client, "running") + status(&mut client, "queued") == 0).then_some(())
        });
    }
    daemon.stop();
    let private = world.command(["batch", "jobs.txt"]);
    file(&world, "jobs.txt", &format!("{ENDLESS}\n"));
    let running = Running::start(private);
    until("its worker", || (!world.named("tally-worker").is_empty()).then_some(()));
    running.signal(Signal::Kill);
    assert_eq!(running.finish().code(), 137);
    world.finish();
}

#[test]
fn lines_read_files() {
    let world = World::new(BINARY);
    for n in 0..300 {
        file(&world, &format!("{n}.csv"), &format!("price,n\n{n},2\n1,3\n"));
    }
    let lines: String = (0..300).map(|n| format!("sum {n}.csv --of 'price * n'\n")).collect();
    let ended = world.run(["batch", &file(&world, "jobs.txt", &lines), "--ordered"]);
    let expected: String = (0..300).map(|n| format!("{}\t{}\n", n + 1, 2 * n + 3)).collect();
    ended.answered(&expected);
    file(&world, "odd.csv", "n\n1\nx\n2\n");
    let odd = file(&world, "odd.txt", "sum odd.csv --of n --on-bad skip\n");
    let ended = world.run(["batch", &odd]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (0, "1\t3\n"));
    assert_eq!(ended.stderr, "note: line 1: 1 row was left out\n");
    let daemon = world.daemon(&["--workers", "1"]);
    let lines = "sum 7.csv --of price\nsum none.csv\nsum '?.csv' --of n\nsum -\n";
    let ended = world.ask(["batch", &file(&world, "jobs.txt", lines), "--ordered", "-q"]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (1, "1\t8\n3\t50\n"));
    let told: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("tally: ")).collect();
    assert_eq!(
        told,
        [
            "tally: could not answer line 2: could not open none.csv: no such file or directory",
            "tally: could not answer line 4: could not read '-': standard input is the batch's own"
        ]
    );
    daemon.stop();
    world.finish();
}

#[test]
fn a_reader_that_has_had_enough_ends_it() {
    let world = World::new(BINARY);
    let output = world.script("yes 'sum 0..10' | \"$TALLY\" batch - --ordered | head -2").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\t45\n2\t45\n");
    world.finish();
}

#[test]
fn starts_and_ends_on_the_wire() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    assert_eq!(client.call_in_vain("io.tally.Next", &json!({})), "io.tally.WrongState");
    let request = |source: &str| json!({ "request": { "reductions": ["sum"], "sources": [source] } });
    let detached = json!({ "request": { "reductions": ["sum"], "sources": ["0..1"], "detach": true } });
    assert_eq!(client.call_in_vain("io.tally.Start", &detached), "io.tally.BadUsage");
    assert_eq!(client.call("io.tally.Start", &request("0..2**62")), json!({ "job": "j1" }));
    // A `Next` that nothing answers gives way to the call behind it; what was started there is heard of by the third.
    client.ask("io.tally.Next", &json!({}), false);
    client.ask("io.tally.Start", &request("0..10"), false);
    client.ask("io.tally.Next", &json!({}), false);
    assert_eq!(client.hear().unwrap()["parameters"], json!({ "jobs": [] }));
    assert_eq!(client.hear().unwrap()["parameters"], json!({ "job": "j2" }));
    daemon.client().call("io.tally.Cancel", &json!({ "jobs": ["j1"] }));
    let mut told = BTreeSet::new();
    while told.len() < 2 {
        let reply = client.hear().unwrap();
        for job in reply["parameters"]["jobs"].as_array().unwrap() {
            assert!(told.insert((job["job"].to_string(), job["state"].to_string())), "{job} is told twice");
        }
        if told.len() < 2 {
            client.ask("io.tally.Next", &json!({}), false);
        }
    }
    assert!(told.contains(&("\"j1\"".to_owned(), "\"cancelled\"".to_owned())), "{told:?}");
    assert_eq!(client.call_in_vain("io.tally.Next", &json!({})), "io.tally.WrongState");
    daemon.stop();
    world.finish();
}

/// The commands of docs/batch.md run as they are written there.
#[test]
fn the_documents_commands_run() {
    let world = World::new(BINARY);
    let text = include_str!("../docs/batch.md");
    let block = text.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let script = format!("set -e; tally() {{ \"$TALLY\" \"$@\"; }}\n{block}");
    let output = world.script(&script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[..3], ["1\t45", "2\t4", "3\t333332833333500000"]);
    assert!(lines[3].contains("\"line\":1"), "{}", lines[3]);
    assert_eq!(lines[4..], ["1000\t499500"]);
    world.finish();
}

/// Calls that are sent ahead keep the descriptors that came with each of them.
#[test]
fn files_of_calls_sent_ahead_are_not_mixed_up() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let (mut client, mut other) = (daemon.client(), daemon.client());
    let endless = json!({ "reductions": ["sum"], "sources": ["0..2**62"], "of": "i xor 1" });
    client.ask("io.tally.Submit", &json!({ "request": endless }), false);
    until("the endless job", || (status(&mut other, "running") == 1).then_some(()));
    for (name, text) in [("a.csv", "n\n1\n"), ("b.csv", "n\n20\n"), ("c.csv", "n\n300\n")] {
        file(&world, name, text);
        let opened = std::fs::File::open(world.path().join(name)).unwrap();
        let request = json!({ "reductions": ["sum"], "sources": [name], "files": true });
        let call = json!({ "method": "io.tally.Start", "parameters": { "request": request } });
        let bytes = [call.to_string().as_bytes(), b"\0"].concat();
        assert_eq!(tally_sys::passed::pass(&client.stream, &bytes, &[opened.as_fd()]).unwrap(), bytes.len());
    }
    // All of them are there before the first is looked at.
    for _ in 0..10 {
        other.call("io.tally.Ping", &json!({}));
    }
    other.call("io.tally.Cancel", &json!({ "jobs": ["j1"] }));
    assert_eq!(client.hear().unwrap()["parameters"]["job"]["state"], "cancelled");
    let started: Vec<Value> = (0..3).map(|_| client.hear().unwrap()["parameters"]["job"].take()).collect();
    assert_eq!(started, ["j2", "j3", "j4"]);
    let mut sums = BTreeSet::new();
    while sums.len() < 3 {
        for job in client.call("io.tally.Next", &json!({}))["jobs"].as_array().unwrap() {
            sums.insert((job["job"].to_string(), job["results"][0]["value"].to_string()));
        }
    }
    let expected = [("j2", "1"), ("j3", "20"), ("j4", "300")];
    let quoted = expected.map(|(job, sum)| (format!("\"{job}\""), format!("\"{sum}\"")));
    assert_eq!(sums, quoted.into());
    daemon.stop();
    world.finish();
}
