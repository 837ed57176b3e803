//! Many operations at once: `objects batch`, and calls that are sent ahead.

use super::*;

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
fn a_batch_says_what_it_takes_and_has_nothing_but_json_with_json() {
    let scene = Scene::new();
    let lines = "\u{feff}value a set 1\nbarrier b wait\n--help\ntally value a get\n";
    let finished = scene.fed("objects batch -", lines.as_bytes());
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, "1\n"), "{}", finished.stderr);
    let takes = "a batch takes value, dict, list, queue, event, stats";
    let told: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("tally: ")).collect();
    assert_eq!(told[0], format!("tally: could not read 'barrier b wait': {takes} (line 2)"));
    assert_eq!(told[1], format!("tally: could not read '--help': {takes} (line 3)"));
    assert_eq!(told[2], "tally: 2 of 4 lines failed");
    let finished = scene.fed("objects batch - --json", lines.as_bytes());
    assert_eq!((finished.code(), finished.stderr.as_str()), (1, "tally: 2 of 4 lines failed\n"));
    for line in finished.stdout.lines() {
        let document: Value = serde_json::from_str(line).expect("JSON");
        assert!(document["schema"].is_string(), "{line}");
    }
    scene.end();
}
