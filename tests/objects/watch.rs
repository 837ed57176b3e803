//! Who is told of changes, and that nobody is woken without any.

use super::*;

#[test]
fn a_watch_prints_changes_as_they_come() {
    let scene = Scene::new();
    let watch = scene.world.begin(["watch", "d", "--count", "3"]);
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
