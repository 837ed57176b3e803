//! Hosted objects with real processes: what the commands print, who waits for how long, what survives whose death.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it found, and what it skips")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tally_sys::process;
use tally_sys::signal::Signal;
use tally_tests::run::send;
use tally_tests::{Client, Daemon, Finished, Running, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A user that need not be in any list.
const STRANGER: u32 = 61_001;

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
        let mut command = self.world.command(line.split_whitespace());
        command.env("TALLY_SOCKET", self.world.socket());
        fed(command, input)
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
    let finished = world.ask(line.split_whitespace());
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|why| panic!("{line}: {why}: {}{}", finished.stdout, finished.stderr))
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

#[test]
fn values_dicts_and_lists_answer_plainly() {
    let scene = Scene::new();
    scene.fails("value x get", 7, "tally: could not get value x: there is no object x");
    scene.says("value x set 5", "");
    scene.says("value x add -7", "-2\n");
    scene.says("value x get", "-2\n");
    scene.says("value x cas -2 9", "");
    scene.fails("value x cas -2 9", 1, "tally: could not swap value x: it is '9', not '-2'");
    scene.says("value big set 123456789012345678901234567890", "");
    scene.says("value big add 1", "123456789012345678901234567891\n");
    scene.says("value f add 1e100", "1e+100\n");
    scene.says("value f add 1", "1e+100\n");
    scene.says("value f add -1e100", "1.0\n");
    scene.says("value t set 7 --as text", "");
    let line = "tally: could not add to value t: it holds text, to which nothing can be added";
    scene.fails("value t add 1", 1, line);
    scene.fed("value b set -", b"\0\xff\n").answered("");
    let mut command = scene.world.command(["value", "b", "get"]);
    command.env("TALLY_SOCKET", scene.world.socket());
    assert_eq!(command.output().expect("it runs").stdout, b"\0\xff\n");

    scene.says("dict d set k 1", "");
    scene.fed("dict d set -", b"b\ttwo words\na\t2.5\n").answered("");
    scene.says("dict d items", "a\t2.5\nb\ttwo words\nk\t1\n");
    scene.says("dict d keys", "a\nb\nk\n");
    scene.says("dict d get b", "two words\n");
    scene.says("dict d add k 2", "3\n");
    scene.says("dict d del k", "");
    scene.says("dict d len", "2\n");
    scene.fails("dict d get k", 7, "tally: could not read dict d: there is no key 'k'");
    scene.fails("dict x get k", 1, "tally: could not read x: it is a value, not a dict");
    let line = "tally: could not read line 2 of standard input: a line is KEY, a tab, VALUE";
    scene.fed("dict d set -", b"z\t1\nnothing\n").failed(2, line);

    scene.says("list l push 1 2 3", "");
    scene.says("list l push --front 0", "");
    scene.says("list l all", "0\n1\n2\n3\n");
    scene.says("list l pop", "3\n");
    scene.says("list l pop --front", "0\n");
    scene.says("list l get -1", "2\n");
    scene.says("list l set 0 one", "");
    scene.fed("list l push -", b"x\ny\n").answered("");
    scene.says("list l len", "4\n");
    scene.fails("list l get 9", 7, "tally: could not read list l: there is no element 9, it has 4");

    scene.says("stats s add 1 2 3.5", "");
    scene.says("stats s get", "count\t3\nsum\t6.5\nmin\t1\nmax\t3.5\nmean\t2.1666666666666665\n");
    scene.end();
}

#[test]
fn what_looks_like_a_number_is_one_or_keeps_its_form() {
    let scene = Scene::new();
    let beyond = "tally: could not run 'tally value v set': '1e400' cannot be kept as a number: it is beyond the range of floats (--as text keeps it as it is)";
    scene.fails("value v set 1e400", 2, beyond);
    let beyond = beyond.replace("value v set", "stats s add");
    scene.fails("stats s add 1e400", 2, &beyond);
    let line = "tally: could not run 'tally value v set': could not read '1e400' as float: it is beyond the range of floats";
    scene.fails("value v set 1e400 --as float", 2, line);
    scene.says("value v set 1e400 --as text", "");
    scene.says("value v get", "1e400\n");
    scene.says("value v set 007", "");
    scene.says("value v add 1.50", "8.5\n");
    for word in ["12e4567", "007", "1.50", "+5", "1e3", "-0"] {
        let kept = format!("{word}\n");
        scene.says(&format!("queue q put {word}"), "");
        scene.says("queue q get", &kept);
        scene.says(&format!("dict d set k {word}"), "");
        scene.says("dict d get k", &kept);
        scene.says(&format!("list l push {word}"), "");
        scene.says("list l pop", &kept);
    }
    scene.fed("list l push -", b"007\n1.5\n").answered("");
    scene.says("list l all", "007\n1.5\n");
    scene.says("dict d set n 1.5", "");
    scene.says("dict d add n 01", "2.5\n");
    scene.says("value five set 5", "");
    let line = "tally: could not swap value five: it is the integer '5', not the text '5'";
    scene.fails("value five cas 5 5 --as text", 1, line);
    // What begins with a hyphen.
    scene.says("queue q put -- -rf --each -", "");
    scene.says("queue q get", "-rf\n");
    scene.says("queue q get", "--each\n");
    scene.says("list l push -- -x", "");
    scene.says("list l pop", "-x\n");
    // JSON numbers that no reader of JSON reads exactly.
    let mut client = scene.daemon.client();
    for number in ["18446744073709551616", "-9223372036854775809", "1e300"] {
        let call = format!(
            r#"{{"method":"io.tally.Operate","parameters":{{"operation":{{"object":"big","kind":"value","operation":"set","value":{number}}}}}}}"#
        );
        client.send(call.as_bytes());
        client.send(b"\0");
        let reply = client.hear().expect("a reply");
        assert_eq!(reply["error"], "io.tally.BadUsage", "{reply}");
        let message = reply["parameters"]["message"].as_str().expect("a message");
        assert!(message.starts_with("could not read a JSON number beyond 64 bits exactly"), "{message}");
    }
    scene.fails("value big get", 7, "tally: could not get value big: there is no object big");
    scene.end();
}

#[test]
fn statistics_leave_out_what_is_not_finite_and_begin_anew() {
    let scene = Scene::new();
    scene.says("stats s add 1 3", "");
    scene.says("stats s add nan inf --as float", "");
    scene.fed("stats s add - --as float", b"-inf\n").answered("");
    scene.says("stats s get", "count\t2\nsum\t4\nmin\t1\nmax\t3\nmean\t2.0\nskipped\t3\n");
    scene.says("stats s reset", "");
    scene.says("stats s add 5", "");
    scene.says("stats s get", "count\t1\nsum\t5\nmin\t5\nmax\t5\nmean\t5.0\n");
    scene.end();
}

#[test]
fn names_do_not_steer_what_shows_them() {
    let scene = Scene::new();
    let name = "a\u{202e}b";
    let finished = scene.world.ask(["value", name, "set", "1"]);
    let line = "tally: could not use 'a b' as the name of an object: it has control characters in it, or marks that turn the direction of writing";
    finished.failed(2, line);
    assert_eq!(scene.world.ask(["lock", name, "--", "true"]).code(), 2);
    scene.end();
}

#[test]
fn what_a_wait_has_made_persistent_stays() {
    let scene = Scene::new();
    let line = "tally: could not wait for event e: timed out";
    scene.fails("event e wait --persistent --timeout 1ms", 5, line);
    let line = "tally: could not wait for an item of queue q: timed out";
    scene.fails("queue q get --persistent --capacity 3 --timeout 1ms", 5, line);
    let Scene { world, daemon } = scene;
    daemon.signal(Signal::Kill);
    drop(daemon.finish());
    let scene = Scene { daemon: world.daemon(&["--workers", "1"]), world };
    let objects = scene.json("objects --json")["objects"].clone();
    let found: Vec<_> = objects
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["object"].clone(), one["lifetime"].clone()))
        .collect();
    let persistent = |name: &str| (json!(name), json!("persistent"));
    assert_eq!(found, [persistent("e"), persistent("q")]);
    assert_eq!(objects[1]["capacity"], 3);
    // What was only waited for goes with the wait.
    scene.fails("event brief wait --timeout 1ms", 5, "tally: could not wait for event brief: timed out");
    scene.fails("event brief get", 7, "tally: could not get event brief: there is no object brief");
    scene.end();
}

#[test]
fn json_begins_with_its_schema() {
    let scene = Scene::new();
    scene.run("value x set 5");
    for (line, schema) in [
        ("value x get", "tally.value/1"),
        ("dict d set k v", "tally.dict/1"),
        ("list l push 1", "tally.list/1"),
        ("queue q put 1", "tally.queue/1"),
        ("event e set", "tally.event/1"),
        ("barrier b wait --parties 1", "tally.barrier/1"),
        ("stats s add 1", "tally.stats/1"),
        ("objects", "tally.objects/1"),
        ("watch x --count 0", "tally.watch/1"),
    ] {
        let text = scene.run(&format!("{line} --json")).stdout;
        assert!(text.starts_with(&format!("{{\"schema\":\"{schema}\"")), "{line}: {text}");
        assert_eq!(text.lines().count(), 1, "{line}");
    }
    let told = scene.json("value x get --json");
    assert_eq!(told["value"], json!({ "type": "integer", "value": "5" }));
    let listed = scene.json("objects --json");
    assert_eq!(listed["objects"].as_array().map(Vec::len), Some(7));
    scene.end();
}

#[test]
fn bad_words_are_told_in_one_line() {
    let scene = Scene::new();
    for (line, text) in [
        ("value x", "tally: could not run 'tally value': OPERATION is missing"),
        (
            "value x gte",
            "tally: could not run 'tally value x': there is no 'gte' for a value; did you mean 'get'?",
        ),
        ("value x set", "tally: could not run 'tally value x set': VALUE is missing"),
        ("value x set 1 2", "tally: could not run 'tally value x set': it takes no '2'"),
        (
            "value x set y --as integer",
            "tally: could not run 'tally value x set': could not read 'y' as integer: it is no integer",
        ),
        ("list l get one", "tally: could not run 'tally list l get': 'one' is no index"),
        ("barrier b wait", "tally: could not run 'tally barrier b wait': --parties is missing"),
        (
            "queue q get --hold",
            "tally: could not run 'tally queue q get': the command is missing: get --hold -- CMD",
        ),
        (
            "objects rn x",
            "tally: could not run 'tally objects rn': there is no such operation; did you mean 'rm'?",
        ),
    ] {
        scene.fails(line, 2, text);
    }
    scene.fails(
        "queue q put 1 --capacity 0",
        2,
        "tally: could not bound a queue so: its capacity is 1 to 1000000",
    );
    scene.fails("objects rm x", 7, "tally: could not remove x: there is no object x");
    let mut client = scene.daemon.client();
    for bad in [json!({}), json!({ "object": "x", "operation": "get" }), json!({ "object": 5 })] {
        let error = client.call_in_vain("io.tally.Operate", &json!({ "operation": bad }));
        assert_eq!(error, "org.varlink.service.InvalidParameter");
    }
    let long = json!({ "object": "x", "kind": "value", "operation": "set", "value": "v".repeat(600_000) });
    assert_eq!(client.call_in_vain("io.tally.Operate", &json!({ "operation": long })), "io.tally.BadUsage");
    scene.says("objects --json", "{\"schema\":\"tally.objects/1\",\"objects\":[]}\n");
    scene.end();
}

#[test]
fn without_a_daemon_there_is_nothing_to_share() {
    let world = World::new(BINARY);
    for line in ["value x get", "dict d keys", "queue q get", "event e wait", "objects", "watch x"] {
        let finished = world.ask(line.split_whitespace());
        let text =
            format!("tally: could not reach the daemon at {}: nobody listens", world.socket().display());
        finished.failed(3, &text);
        assert!(finished.stderr.contains("tally daemon"), "{}", finished.stderr);
        let finished = world.run(line.split_whitespace());
        assert_eq!(finished.code(), 3, "{line}: no private supervisor is started for it");
    }
    world.finish();
}

#[test]
fn who_waits_is_served_times_out_or_hears_of_the_end() {
    let scene = Scene::new();
    scene.fails("queue q get --timeout 20ms", 5, "tally: could not wait for an item of queue q: timed out");
    scene.fails("queue q get --nonblock", 5, "tally: could not get from queue q: it is empty");
    scene.fails("event e wait --timeout 20ms", 5, "tally: could not wait for event e: timed out");
    scene.fails(
        "barrier b wait --parties 2 --timeout 20ms",
        5,
        "tally: could not wait at barrier b: timed out",
    );
    scene.fails(
        "barrier b wait --parties 2",
        1,
        "tally: could not wait at barrier b: it is broken: a party died, or did not wait long enough",
    );
    scene.says("barrier b reset", "");
    scene.says("queue q put 1 2 --capacity 2", "");
    scene.fails("queue q put 3 --timeout 20ms", 5, "tally: could not wait for room in queue q: timed out");
    scene.says("queue q size", "2\n");
    scene.says("queue q empty", "false\n");

    let start = |line: &str| {
        let mut command = scene.world.command(line.split_whitespace());
        command.env("TALLY_SOCKET", scene.world.socket());
        Running::start(command)
    };
    let waits = |name: &str, count: u64| {
        until(&format!("{count} who wait for {name}"), || {
            let listed = scene.json("objects --json");
            let objects = listed["objects"].as_array()?;
            let found = objects.iter().find(|one| one["object"] == name)?;
            (found["waiting"] == count).then_some(())
        });
    };
    let putter = start("queue q put 3");
    waits("q", 1);
    scene.says("queue q get", "1\n");
    putter.finish().answered("");
    let waiter = start("event e wait");
    waits("e", 1);
    scene.says("event e set", "");
    waiter.finish().answered("");
    let party = start("barrier b wait --parties 2");
    waits("b", 1);
    scene.says("barrier b wait --parties 2", "1\n");
    party.finish().answered("0\n");

    scene.says("queue q close", "");
    scene.fails("queue q put 4", 7, "tally: could not put into queue q: it is closed");
    scene.says("queue q get", "2\n");
    scene.says("queue q get", "3\n");
    scene.fails("queue q get", 7, "tally: could not get from queue q: it is closed");
    let waiter = start("event other wait --reconnect 0");
    waits("other", 1);
    scene.daemon.signal(Signal::Term);
    waiter.finish().failed(1, "tally: could not wait: the daemon is stopping");
    assert_eq!(scene.daemon.finish().code(), 0);
    scene.world.finish();
}

#[test]
fn a_batch_is_done_line_by_line_or_as_a_whole() {
    let scene = Scene::new();
    let lines =
        b"# accounts\nvalue a set 100\nvalue b set 0\n\ndict\td\tset\ta key\tx y\ndict\td\tget\ta key\n";
    scene.fed("objects batch -", lines).answered("x y\n");
    scene.fed("objects batch - --atomic", b"value a add -30\nvalue b add 30\n").answered("70\n30\n");
    let line = "tally: could not add to value c: text cannot be added (operation 2 of 2; none is done)";
    scene.fed("objects batch - --atomic", b"value a add -1\nvalue c add x\n").failed(1, line);
    scene.says("value a get", "70\n");
    // What fails fails alone, and the end tells how many did.
    let lines = b"value a add 1\nvalue a frob\nvalue a add 1\nvalue none get\n";
    let finished = scene.fed("objects batch -", lines);
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, "71\n72\n"), "{}", finished.stderr);
    let told: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("tally: ")).collect();
    assert!(told[0].ends_with("did you mean 'get'? (line 2)") || told[0].ends_with("(line 2)"), "{told:?}");
    assert!(told[1].ends_with("there is no object none (line 4)"), "{told:?}");
    assert_eq!(told[2], "tally: 2 of 4 lines failed");
    let finished = scene.fed("objects batch - --json", b"value none get\nvalue a get\n");
    let documents: Vec<Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((finished.code(), documents.len()), (1, 2));
    assert_eq!((&documents[0]["schema"], &documents[0]["line"]), (&json!("tally.error/1"), &json!(1)));
    assert_eq!(documents[1]["value"]["value"], "72");
    let bad = b"value a add 1\nvalue a frob\n";
    let finished = scene.fed("objects batch - --atomic", bad);
    assert_eq!(finished.code(), 2);
    assert!(finished.stderr.lines().next().is_some_and(|line| line.ends_with("(line 2; none is done)")));
    let finished = scene.fed("objects batch - --atomic", "value a add 1\n".repeat(10_001).as_bytes());
    let line = "tally: could not do all lines as one: a transaction has 10,000 operations at most, line 10001 is one too many";
    finished.failed(2, line);
    scene.says("value a get", "72\n");
    let many: String = (0..20_000).map(|number| format!("k{number}\t{number}\n")).collect();
    scene.fed("dict many set -", many.as_bytes()).answered("");
    scene.says("dict many len", "20000\n");
    let adds = "value sum add 1\n".repeat(5_000);
    let finished = scene.fed("objects batch -", adds.as_bytes());
    assert_eq!(finished.stdout.lines().last(), Some("5000"));
    scene.end();
}

#[test]
fn a_watch_prints_changes_as_they_come() {
    let scene = Scene::new();
    let mut command = scene.world.command(["watch", "d", "--count", "3"]);
    command.env("TALLY_SOCKET", scene.world.socket());
    let watch = Running::start(command);
    let mut client = scene.daemon.client();
    // The one that the command has is there once it is told of: ask until it has begun.
    until("the watch", || {
        let dump = client.call("io.tally.Dump", &json!({}));
        dump["state"].as_str()?.contains("\"waits_for\":\"object\"").then_some(())
    });
    scene.says("dict d set k 1", "");
    scene.says("dict d add k 1", "2\n");
    scene.says("objects rm d", "");
    let finished = watch.finish();
    let shown: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!((finished.code(), shown.len(), shown[0]), (0, 4, "absent"));
    assert!(shown[1].ends_with("\tset\tk\t1") && shown[2].ends_with("\tadd\tk\t2"), "{shown:?}");
    assert_eq!(shown[3], "removed");
    let finished = scene.run("watch d --count 1 --timeout 20ms");
    assert_eq!((finished.code(), finished.stdout.as_str()), (5, "absent\n"), "{}", finished.stderr);
    scene.end();
}

#[test]
fn calls_of_a_pipeline_are_done_in_their_order() {
    let scene = Scene::new();
    let mut client = scene.daemon.client();
    let mut bytes = Vec::new();
    const COUNT: i64 = 20_000;
    for number in 0..COUNT {
        let call = json!({ "object": "l", "kind": "list", "operation": "push", "value": number });
        let call = json!({ "method": "io.tally.Operate", "parameters": { "operation": call } });
        bytes.extend(call.to_string().into_bytes());
        bytes.push(0);
    }
    let mut stream = client.stream.try_clone().expect("a second handle");
    let writer = std::thread::spawn(move || stream.write_all(&bytes).expect("the daemon reads"));
    for number in 1..=COUNT {
        assert_eq!(client.hear().expect("a reply")["parameters"]["result"]["length"], number);
    }
    writer.join().expect("all is written");
    // Waiting holds up those behind it, and no others.
    client.ask(
        "io.tally.Operate",
        &json!({ "operation": { "object": "q", "kind": "queue", "operation": "get", "take": true } }),
        false,
    );
    client.ask("io.tally.Ping", &json!({}), false);
    operation(&mut scene.daemon.client(), &put("q", &json!("x")));
    assert_eq!(client.hear().expect("a reply")["parameters"]["result"]["value"]["value"], "x");
    assert_eq!(client.hear().expect("a reply")["parameters"], json!({}));
    drop(client);
    scene.end();
}

#[test]
fn what_was_acknowledged_survives_a_killed_daemon() {
    let world = World::new(BINARY);
    let mut known = 0;
    for round in 0..4 {
        let daemon = world.daemon(&["--workers", "1"]);
        let mut client = daemon.client();
        if round > 0 {
            let all = operation(&mut client, &json!({ "object": "l", "kind": "list", "operation": "all" }));
            let all: Vec<i64> = all["values"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|one| one["value"].as_str().expect("text").parse().expect("a number"))
                .collect();
            let count = i64::try_from(all.len()).expect("few");
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "nothing is missing in the middle");
            assert!(count == known || count == known + 1, "{count} are there, {known} were acknowledged");
            let sum = operation(&mut client, &json!({ "object": "v", "kind": "value", "operation": "get" }));
            assert_eq!(sum["value"]["value"], (count * 2).to_string(), "both or none");
            known = count;
            // An item that was out with somebody is back.
            let item = json!({ "object": "q", "kind": "queue", "operation": "get" });
            assert_eq!(operation(&mut client, &item)["deliveries"], round + 1);
        }
        for _ in 0..20 + round * 7 {
            let push = json!({ "object": "l", "kind": "list", "operation": "push", "value": known, "lifetime": "persistent" });
            let add = json!({ "object": "v", "kind": "value", "operation": "add", "value": 2, "lifetime": "persistent" });
            client.call("io.tally.Transact", &json!({ "operations": [push, add] }));
            known += 1;
        }
        if round == 0 {
            let mut first = put("q", &json!("item"));
            first["lifetime"] = json!("persistent");
            operation(&mut client, &first);
            operation(&mut client, &json!({ "object": "q", "kind": "queue", "operation": "get" }));
            operation(
                &mut client,
                &json!({ "object": "fleeting", "kind": "value", "operation": "set", "value": 1 }),
            );
        } else {
            assert_eq!(
                client.call_in_vain(
                    "io.tally.Operate",
                    &json!({ "operation": { "object": "fleeting", "kind": "value", "operation": "get" } })
                ),
                "io.tally.NoSuchObject"
            );
        }
        // One more is on its way.
        let push = json!({ "object": "l", "kind": "list", "operation": "push", "value": known });
        let add = json!({ "object": "v", "kind": "value", "operation": "add", "value": 2 });
        client.ask("io.tally.Transact", &json!({ "operations": [push, add] }), false);
        daemon.signal(Signal::Kill);
        assert_eq!(daemon.finish().code(), 137);
        world.await_nobody();
    }
    world.daemon(&["--workers", "1"]).stop();
    world.finish();
}

/// Numbers that nobody depends on.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const PRODUCERS: u64 = 4;
const CONSUMERS: u64 = 4;
const ITEMS: u64 = 12;

/// Puts items 1 to `ITEMS` in, with its progress in the same transaction, and is killed now and then: the next one goes
/// on from there.
fn produce(world: &World, producer: u64) {
    let mut dice = Dice(producer + 77);
    let progress = || {
        let told = json_of(world, &format!("dict progress get {producer} --json"));
        told["value"]["value"].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    loop {
        let done = progress();
        if done == ITEMS {
            return;
        }
        let lines = format!(
            "dict progress cas {producer} {done} {next}\nqueue work put {producer}-{next}\n",
            next = done + 1
        );
        let file = world.path().join(format!("lines-{producer}"));
        fs::write(&file, lines).expect("it can be written");
        let mut command = world.command(["objects", "batch", "--atomic"]);
        command.arg(&file).env("TALLY_SOCKET", world.socket());
        let running = Running::start(command);
        if dice.roll(4) == 0 {
            send(running.pid(), Signal::Kill);
        }
        drop(running.finish());
    }
}

/// Takes items one by one and makes a file for each, and is killed now and then. How often it was.
fn consume(world: &World, consumer: u64) -> u64 {
    let mut dice = Dice(consumer + 7_777);
    let mut killed = 0;
    loop {
        let mut command = world.command(["queue", "work", "get", "--hold", "--"]);
        command.args(["/bin/sh", "-c", "mkdir -p done && : > done/{}"]).env("TALLY_SOCKET", world.socket());
        let running = Running::start(command);
        if dice.roll(3) == 0 {
            for _ in 0..dice.roll(40) {
                drop(world.path().metadata());
                std::thread::yield_now();
            }
            send(running.pid(), Signal::Kill);
            killed += 1;
        }
        match running.finish().code() {
            7 => return killed,
            0 | 137 => {}
            other => panic!("a consumer ended with {other}"),
        }
    }
}

#[test]
fn nothing_is_lost_between_producers_and_consumers_that_are_killed() {
    let scene = Scene::new();
    for producer in 0..PRODUCERS {
        scene.says(&format!("dict progress set {producer} 0"), "");
    }
    let mut watcher = scene.daemon.client();
    watcher.ask("io.tally.WatchObject", &json!({ "object": "work" }), true);
    let killed = std::thread::scope(|threads| {
        let world = &scene.world;
        let producers: Vec<_> =
            (0..PRODUCERS).map(|one| threads.spawn(move || produce(world, one))).collect();
        let consumers: Vec<_> =
            (0..CONSUMERS).map(|one| threads.spawn(move || consume(world, one))).collect();
        producers.into_iter().for_each(|one| one.join().expect("a producer"));
        scene.says("queue work close", "");
        consumers.into_iter().map(|one| one.join().expect("a consumer")).sum::<u64>()
    });
    println!("{killed} consumers were killed");
    scene.says("queue work size", "0\n");
    let size = scene.json("queue work size --json");
    assert_eq!((&size["leased"], &size["dead"]), (&json!(0), &json!(0)), "{size}");
    // Whatever command still ran with an item has ended: its item would be leased.
    let done = fs::read_dir(scene.world.path().join("done")).expect("it is there").count() as u64;
    assert_eq!(done, PRODUCERS * ITEMS, "every item was worked on");

    scene.says("objects rm work", "");
    let (mut acknowledged, mut delivered, mut seen) = (0, 0, BTreeMap::<String, Vec<u64>>::new());
    loop {
        let change = watcher.hear().expect("a change")["parameters"]["change"].take();
        if change["what"] == "removed" {
            break;
        }
        match change["operation"].as_str() {
            Some("ack") => acknowledged += 1,
            Some("get") => {
                delivered += 1;
                let item = change["value"]["value"].as_str().expect("an item");
                let (producer, number) = item.split_once('-').expect("an item");
                let number = number.parse().expect("a number");
                let of = seen.entry(producer.to_owned()).or_default();
                if !of.contains(&number) {
                    of.push(number);
                }
            }
            _ => {}
        }
    }
    println!("{delivered} deliveries of {acknowledged} items");
    assert_eq!(acknowledged, PRODUCERS * ITEMS, "each is acknowledged once");
    for (producer, numbers) in seen {
        assert_eq!(numbers, (1..=ITEMS).collect::<Vec<_>>(), "the order of producer {producer}");
    }
    drop(watcher);
    fs::remove_dir_all(scene.world.path().join("done")).expect("it is ours");
    scene.end();
}

#[test]
fn each_runs_its_command_until_the_queue_is_closed() {
    let scene = Scene::new();
    scene.says("queue q put one two", "");
    scene.says("queue q close", "");
    let mut command = scene.world.command(["queue", "q", "get", "--each", "--", "/bin/sh", "-c"]);
    command.arg("echo \"{} $(cat) $TALLY_DELIVERY\"").env("TALLY_SOCKET", scene.world.socket());
    Running::start(command).finish().answered("one one 1\ntwo two 1\n");
    scene.says("queue other put bad --deliveries 2", "");
    for code in [3, 3] {
        let mut command = scene.world.command(["queue", "other", "get", "--hold", "--", "/bin/sh", "-c"]);
        command.arg(format!("exit {code}")).env("TALLY_SOCKET", scene.world.socket());
        assert_eq!(Running::start(command).finish().code(), code);
    }
    scene.says("queue other dead", "bad\n");
    scene.says("queue other revive", "1\n");
    scene.says("queue other get", "bad\n");
    let finished = scene.world.ask(["queue", "other", "get", "--hold", "--nonblock", "--", "/no/such"]);
    assert_eq!(finished.code(), 5, "there is no item for it");
    scene.says("queue other put x", "");
    assert_eq!(scene.world.ask(["queue", "other", "get", "--hold", "--", "/no/such"]).code(), 127);
    scene.says("queue other size", "1\n");
    scene.end();
}

#[test]
fn other_users_may_what_the_owner_lets_them() {
    if process::own_uid() != 0 {
        println!("skipped: only root can start processes of other users");
        return;
    }
    let world = World::new(BINARY);
    world.open_to_others();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666"]);
    world.ask(["value", "mine", "set", "1"]).answered("");
    world.ask(["value", "seen", "set", "1", "--others", "read"]).answered("");
    world.ask(["value", "shared", "set", "1", "--others", "write"]).answered("");
    let stranger = |line: &str| world.ask_as(STRANGER, STRANGER, line.split_whitespace());
    let why = format!("not permitted: mine is an object of user 0, you are user {STRANGER}");
    stranger("value mine get").failed(6, &format!("tally: could not read mine: {why}"));
    assert_eq!(stranger("value mine set 2").code(), 6);
    assert_eq!(stranger("watch mine --count 0").code(), 6);
    stranger("value seen get").answered("1\n");
    assert_eq!(stranger("value seen add 1").code(), 6);
    stranger("value shared add 1").answered("2\n");
    assert_eq!(stranger("objects rm shared").code(), 6);
    let listed = stranger("objects");
    assert!(!listed.stdout.contains("mine") && listed.stdout.contains("seen"), "{}", listed.stdout);
    stranger("value theirs set 5").answered("");
    world.ask(["value", "theirs", "get"]).answered("5\n");
    world.ask(["objects", "rm", "theirs"]).answered("");
    daemon.stop();
    world.finish();
}

#[test]
fn objects_do_not_wake_an_idle_daemon() {
    let scene = Scene::new();
    let mut client = scene.daemon.client();
    client.await_idle(1);
    let mut first = put("q", &json!("x"));
    first["lifetime"] = json!("persistent");
    operation(&mut client, &first);
    operation(
        &mut client,
        &json!({ "object": "q", "kind": "queue", "operation": "get", "lease_ms": 60_000 }),
    );
    let receipt = json!({ "object": "q", "kind": "queue", "operation": "ack", "receipt": "1.1" });
    operation(&mut client, &receipt);
    let mut waiter = scene.daemon.client();
    waiter.ask(
        "io.tally.Operate",
        &json!({ "operation": { "object": "e", "kind": "event", "operation": "wait" } }),
        false,
    );
    until("somebody who waits", || {
        let listed = client.call("io.tally.Objects", &json!({}));
        (listed["objects"].as_array()?.iter().any(|one| one["waiting"] == 1)).then_some(())
    });
    let asleep = || {
        let all = scene.world.processes();
        let wakes: Option<Vec<u64>> = all.iter().map(|one| proc::voluntary_switches(one.pid)).collect();
        wakes.filter(|_| all.iter().all(|one| one.state == 'S'))
    };
    let before = until("everybody to sleep", asleep);
    let other = Scene::new();
    other.says("sum 0..2e8", "19999999900000000\n");
    other.end();
    assert_eq!(until("everybody to sleep", asleep), before, "somebody woke");
    drop((client, waiter));
    scene.end();
}
