//! What the commands print and how they end, of each kind; what is wrong is told in one line.

use super::*;

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
    assert_eq!(scene.world.client(["value", "b", "get"]).output().expect("it runs").stdout, b"\0\xff\n");

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
fn what_cannot_be_done_is_told_in_whole_sentences() {
    let scene = Scene::new();
    for (line, doing) in [
        ("dict x items", "list the items of dict x"),
        ("dict x keys", "list the keys of dict x"),
        ("dict x len", "count the keys of dict x"),
        ("dict x del k", "delete from dict x"),
        ("list x all", "list the elements of list x"),
        ("list x len", "count the elements of list x"),
        ("list x pop", "pop from list x"),
        ("list x set 0 1", "set in list x"),
        ("queue x size", "count the items of queue x"),
        ("queue x empty", "count the items of queue x"),
        ("queue x dead", "list the dead items of queue x"),
        ("queue x revive", "revive the dead items of queue x"),
        ("barrier x reset", "reset barrier x"),
        ("stats x get", "get stats x"),
    ] {
        scene.fails(line, 7, &format!("tally: could not {doing}: there is no object x"));
    }
    scene.says("stats s add 1", "");
    scene.fails("dict s items", 1, "tally: could not read s: it is statistics, not a dict");
    scene.end();
}

#[test]
fn who_compares_in_vain_hears_of_a_conflict_whatever_is_there() {
    let scene = Scene::new();
    scene.says("dict d set other 1", "");
    scene.says("value v set 5", "");
    for (line, why) in [
        ("value none cas a b", "value none: it is not there"),
        ("dict none cas k a b", "dict none: it is not there"),
        ("dict d cas k a b", "dict d: there is no key 'k'"),
        ("dict d cas other 2 3", "dict d: 'other' is '1', not '2'"),
        ("value v cas 2 3", "value v: it is '5', not '2'"),
    ] {
        scene.fails(line, 1, &format!("tally: could not swap {why}"));
    }
    scene.end();
}

#[test]
fn what_is_too_long_is_bad_usage() {
    let scene = Scene::new();
    let (name, key) = ("n".repeat(256), "k".repeat(4_097));
    let codes = [
        scene.world.ask(["value", &name, "set", "1"]).code(),
        scene.world.ask(["dict", "d", "set", &key, "1"]).code(),
        scene.fed("value v set -", &[b'v'; 600_000]).code(),
        scene.fed("list l push -", &[b'v'; 600_000]).code(),
    ];
    assert_eq!(codes, [2; 4]);
    scene.end();
}

#[test]
fn each_of_many_is_one_line_and_one_alone_is_every_byte() {
    let scene = Scene::new();
    let odd = "two\nlines\t\u{1b}[2J";
    assert_eq!(scene.world.ask(["dict", "d", "set", "a\tb", odd]).code(), 0);
    assert_eq!(scene.world.ask(["dict", "d", "set", "\"q\"", "plain text"]).code(), 0);
    assert_eq!(scene.world.ask(["list", "l", "push", odd, "7", "back\\slash"]).code(), 0);
    let cell = r#""two\nlines\t\u001b[2J""#;
    let quoted = r#""\"q\"""#;
    scene.says("dict d items", &format!("{quoted}\tplain text\n\"a\\tb\"\t{cell}\n"));
    scene.says("dict d keys", &format!("{quoted}\n\"a\\tb\"\n"));
    scene.says("list l all", &format!("{cell}\n7\nback\\slash\n"));
    scene.says("list l get 0", &format!("{odd}\n"));
    assert_eq!(scene.world.ask(["queue", "q", "put", "--deliveries", "1", "--", odd]).code(), 0);
    assert_eq!(scene.world.ask(["queue", "q", "get", "--hold", "--", "false"]).code(), 1);
    scene.says("queue q dead", &format!("{cell}\n"));
    scene.end();
}
