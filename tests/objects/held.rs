//! Items of a queue that a command works on: `get --hold` and `--each`.

use tally_tests::gate::{make_gate, open_gate};

use super::*;

#[test]
fn each_runs_its_command_until_the_queue_is_closed() {
    let scene = Scene::new();
    scene.says("queue q put one two", "");
    scene.says("queue q close", "");
    let text = "echo \"{} $(cat) $TALLY_DELIVERY\"";
    scene
        .world
        .ask(["queue", "q", "get", "--each", "--", "/bin/sh", "-c", text])
        .answered("one one 1\ntwo two 1\n");
    scene.says("queue other put bad --deliveries 2", "");
    for code in [3, 3] {
        let text = format!("exit {code}");
        let told = scene.world.ask(["queue", "other", "get", "--hold", "--", "/bin/sh", "-c", &text]);
        assert_eq!(told.code(), code);
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

/// A command that says that it runs, waits for the gate and ends with a code; its wrapper.
fn hold(scene: &Scene, queue: &str, gate: &str, code: u8) -> Running {
    let text = format!("echo ready >&2; read line < {gate}; exit {code}");
    let wrapper = scene.begin_words(&["queue", queue, "get", "--hold", "--", "sh", "-c", &text]);
    wrapper.await_line("ready");
    wrapper
}

/// Waits until nobody has an item of a queue.
fn await_free(scene: &Scene, queue: &str) {
    until(&format!("no item of {queue} is leased"), || (scene.listed(queue)?["leased"] == 0).then_some(()));
}

#[test]
fn an_item_is_acknowledged_once_though_the_one_who_took_it_is_killed() {
    let scene = Scene::new();
    scene.says("queue q put one two", "");
    let gate = make_gate(&scene.world, "gate");
    let wrapper = hold(&scene, "q", "gate", 0);
    wrapper.signal(Signal::Kill);
    scene.says("queue q get", "two\n");
    scene.fails("queue q get --nonblock", 5, "tally: could not get from queue q: it is empty");
    let open = open_gate(&gate);
    await_free(&scene, "q");
    drop(wrapper.finish());
    scene.says("queue q size", "0\n");
    drop(open);
    // One whose command fails comes back, as the next delivery.
    scene.says("queue q put bad", "");
    let wrapper = hold(&scene, "q", "gate", 3);
    wrapper.signal(Signal::Kill);
    let open = open_gate(&gate);
    await_free(&scene, "q");
    drop((wrapper.finish(), open));
    assert_eq!(scene.json("queue q get --json")["deliveries"], 2);
    scene.end();
}

#[test]
fn an_item_stays_with_its_command_over_an_upgrade() {
    let scene = Scene::new();
    for (queue, kill) in [("q", false), ("kept", false), ("q", true)] {
        scene.run(&format!("queue {queue} put item {}", if queue == "kept" { "--persistent" } else { "" }));
        let gate = make_gate(&scene.world, &format!("{queue}-{kill}"));
        let wrapper = hold(&scene, queue, &format!("{queue}-{kill}"), 0);
        if kill {
            wrapper.signal(Signal::Kill);
        }
        for _ in 0..2 {
            assert_eq!(scene.run("upgrade").code(), 0);
        }
        let empty = format!("tally: could not get from queue {queue}: it is empty");
        scene.fails(&format!("queue {queue} get --nonblock"), 5, &empty);
        assert_eq!(scene.listed(queue).expect("it is there")["leased"], 1);
        let open = open_gate(&gate);
        await_free(&scene, queue);
        let finished = wrapper.finish();
        assert!(kill || (finished.code(), finished.stderr.as_str()) == (0, "ready\n"), "{finished:?}");
        scene.says(&format!("queue {queue} size"), "0\n");
        drop(open);
    }
    scene.end();
}

#[test]
fn who_is_stopped_holds_no_item_up() {
    let scene = Scene::new();
    scene.says("queue q put one", "");
    let gate = make_gate(&scene.world, "gate");
    let wrapper = hold(&scene, "q", "gate", 0);
    wrapper.signal(Signal::Stop);
    let _open = open_gate(&gate);
    await_free(&scene, "q");
    scene.says("queue q size", "0\n");
    tally_tests::run::go_on(wrapper.pid());
    let finished = wrapper.finish();
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, "ready\n"));
    scene.end();
}

#[test]
fn a_held_command_has_what_its_starter_has() {
    let scene = Scene::new();
    scene.says("queue q put one two three", "");
    let text = "exec 3> side; trap '' HUP; $TALLY queue q get --hold -- sh -c 'echo {} >&3; kill -HUP $$; echo alive'; cat side";
    let mut command = scene.world.script(text);
    command.env("TALLY_SOCKET", scene.world.socket()).env("TALLY", BINARY);
    Running::start(command).finish().answered("alive\none\n");
    // A signal is the command's, and its end is that of the one who waits for it.
    // What a shell has just forked still has its trap, and loses a signal that it could catch.
    let text = "trap 'kill -KILL $!; exit 7' TERM; sleep 1000 & echo ready >&2; wait";
    let wrapper = scene.begin_words(&["queue", "q", "get", "--each", "--", "sh", "-c", text]);
    wrapper.await_line("ready");
    wrapper.signal(Signal::Term);
    assert_eq!(wrapper.finish().code(), 7);
    scene.says("queue q get", "two\n");
    // Without its keeper the item stays with the command, and comes back then.
    let gate = make_gate(&scene.world, "gate");
    let wrapper = hold(&scene, "q", "gate", 0);
    let keeper = scene.world.await_named("tally-keeper", 1)[0].pid;
    send(keeper, Signal::Kill);
    wrapper.await_line(&format!("could not learn how the command ended from its keeper, process {keeper}"));
    scene.fails("queue q get --nonblock", 5, "tally: could not get from queue q: it is empty");
    let _open = open_gate(&gate);
    scene.says("queue q get", "three\n");
    assert_eq!(wrapper.finish().code(), 1);
    scene.end();
}
