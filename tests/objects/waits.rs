//! Who waits, for how long, and what becomes of it when the daemon goes away.

use super::*;

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

    let (start, waits) =
        (|line: &str| scene.begin(line), |name: &str, count| scene.await_waiting(name, count));
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
fn a_barrier_breaks_with_its_daemon_and_goes_on_over_an_upgrade() {
    let scene = Scene::new();
    let party = scene.begin("barrier b wait --parties 2");
    scene.await_waiting("b", 1);
    assert_eq!(scene.run("upgrade").code(), 0);
    scene.await_waiting("b", 1);
    scene.says("barrier b wait --parties 2", "1\n");
    party.finish().answered("0\n");

    let parties = [0, 1].map(|_| scene.begin("barrier b wait --parties 3"));
    scene.await_waiting("b", 2);
    let Scene { world, daemon } = scene;
    daemon.signal(Signal::Kill);
    drop(daemon.finish());
    for party in parties {
        let line =
            "tally: could not wait at barrier b: it is broken: the daemon went away before all were told";
        party.finish().failed(1, line);
    }
    let scene = Scene { daemon: world.daemon(&["--workers", "1"]), world };
    let first = scene.begin("barrier b wait --parties 2");
    scene.await_waiting("b", 1);
    scene.says("barrier b wait --parties 2", "1\n");
    first.finish().answered("0\n");
    scene.end();
}

#[test]
fn what_nobody_knows_of_is_told_with_the_name_of_the_object() {
    let scene = Scene::new();
    scene.says("queue q put 1 --capacity 1", "");
    let producer = scene.begin("queue q put 2");
    scene.await_waiting("q", 1);
    let Scene { world, daemon } = scene;
    daemon.signal(Signal::Kill);
    drop(daemon.finish());
    let finished = producer.finish();
    let line = finished.stderr.lines().next().unwrap_or_default();
    assert_eq!(finished.code(), 1, "{line}");
    assert!(line.starts_with("tally: could not put into queue q: the daemon at "), "{line}");
    let scene = Scene { daemon: world.daemon(&["--workers", "1"]), world };
    scene.end();
}
