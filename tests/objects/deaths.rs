//! What survives whose death: daemons, producers and consumers are killed.

use super::*;

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

const PRODUCERS: u64 = 4;

const CONSUMERS: u64 = 4;

const ITEMS: u64 = 12;

/// Puts items 1 to `ITEMS` in, with its progress in the same transaction, and is killed now and then: the next one goes
/// on from there.
fn produce(world: &World, producer: u64) {
    let mut dice = Random::of(producer + 77, &[]);
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
        let mut command = world.client(["objects", "batch", "--atomic"]);
        command.arg(&file);
        let running = Running::start(command);
        if dice.below(4) == 0 {
            send(running.pid(), Signal::Kill);
        }
        drop(running.finish());
    }
}

/// Takes items one by one and makes a file for each, and is killed now and then. How often it was.
fn consume(world: &World, consumer: u64) -> u64 {
    let mut dice = Random::of(consumer + 7_777, &[]);
    let mut killed = 0;
    loop {
        let text = "mkdir -p done && : > done/{}";
        let running = world.begin(["queue", "work", "get", "--hold", "--", "/bin/sh", "-c", text]);
        if dice.below(3) == 0 {
            for _ in 0..dice.below(40) {
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
