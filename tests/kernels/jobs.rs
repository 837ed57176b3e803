//! Jobs with a command beside a daemon: what holds them up, what they outlive, what is told of them.

use tally_tests::gate::{make_gate, open_gate};

use super::*;

#[test]
fn a_command_that_hangs_keeps_nobody_from_being_answered() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let job = detach(&world, &["sum", "0..2", "--partitions", "2"], "sleep 7005; echo {start}");
    until("two sleepers", || {
        (strangers(&world).iter().filter(|one| one.name == "sleep").count() == 2).then_some(())
    });
    world.ask(["sum", "0..1000"]).answered("499500\n");
    world.ask(["sum", "0..1000", "--command", LIVES_ON]).answered("499500\n");
    assert_eq!(world.ask(["cancel", &job]).code(), 0);
    await_no_strangers(&world);
    daemon.stop();
    world.finish();
}

#[test]
fn a_worker_that_ran_a_command_serves_no_other_job() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let pid = || {
        let mut client = daemon.client();
        client.call("io.tally.Workers", &json!({}))["workers"][0]["pid"].as_u64()
    };
    let before = until("a worker", pid);
    world.ask(["sum", "0..100", "--command", LIVES_ON]).answered("4950\n");
    world.ask(["sum", "0..100"]).answered("4950\n");
    let after = until("a worker", pid);
    assert_ne!(before, after);
    assert_eq!(world.named("tally-warden"), []);
    assert_eq!(world.named("tally-guard"), []);
    daemon.stop();
    world.finish();
}

#[test]
fn a_forkserver_that_is_killed_again_and_again_costs_no_job() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2", "--restart-intensity", "1000"]);
    let pid_of = |world: &World| world.named("tally-forkserve").first().map(|one| one.pid);
    // Stopped, so that what it is asked for is not made, and then killed: more often than failed starts fail a job.
    let mut before = None;
    send(until("a forkserver", || pid_of(&world)), Signal::Stop);
    let client = world.begin(["sum", "0..1000", "--command", LIVES_ON]);
    let mut asker = daemon.client();
    for _ in 0..25 {
        let ended = |asker: &mut Client| asker.call("io.tally.Status", &json!({}))["status"]["ended"] == 1;
        // One that could make its workers before it was struck is asked for no more.
        let next = until("another forkserver", || {
            let next = pid_of(&world).filter(|pid| before != Some(*pid));
            if next.is_none() && !ended(&mut asker) { None } else { Some(next) }
        });
        let Some(pid) = next else { break };
        before = Some(pid);
        send(pid, Signal::Kill);
    }
    client.finish().answered("499500\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_failed_attempt_is_told_while_its_job_is_followed() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let gate = make_gate(&world, "gate");
    let body = "[ $a = 1 ] && { echo some words >&2; exit 3; }; : < gate; echo $((e - s))";
    let job = detach(&world, &["sum", "0..4", "--partitions", "1"], &reader(body));
    let follower = world.begin(["follow", &job]);
    follower.await_line("some words");
    let _open = open_gate(&gate);
    let finished = follower.finish();
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, "4\n"), "{}", finished.stderr);
    assert_eq!(finished.stderr, "tally: attempt 1 at 0..4: exited with status 3\n  some words\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_long_search_for_a_line_is_no_silence() {
    let world = World::new(BINARY);
    let file = fs::File::create(world.path().join("one-line")).expect("a file can be made");
    // A hole, which is read as zeros.
    file.set_len(3 << 30).expect("a file can be that long");
    let daemon = world.daemon(&["--workers", "2", "--lease-ms", "1000"]);
    let asked =
        ["sum", "--lines", "one-line", "--partitions", "2", "--command", "head -c 1 | wc -c", "--json"];
    let job = world.ask(asked).json();
    assert_eq!((&job["results"][0]["value"], &job["retries"]), (&Value::from("1"), &Value::from(0)), "{job}");
    daemon.stop();
    world.finish();
}

#[test]
fn a_detached_command_goes_on_after_the_daemon_was_killed() {
    let world = World::new(BINARY).with("STEP", "1");
    let daemon = world.daemon(&["--workers", "2"]);
    let gate = make_gate(&world, "gate");
    let body = "[ $s -lt 500 ] || : < gate; echo $(((e - s) * STEP))";
    let job = detach(&world, &["sum", "0..1000", "--partitions", "10"], &reader(body));
    let shown = || world.ask(["show", &job, "--json"]).json();
    until("the first half", || (shown()["partitions"]["done"] == 5).then_some(()));
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
    world.await_nobody();
    let _open = open_gate(&gate);
    let daemon = world.daemon(&["--workers", "2"]);
    assert_eq!(world.ask(["wait", &job]).code(), 0);
    world.ask(["result", &job]).answered("1000\n");
    daemon.stop();
    world.finish();
}
