//! Nothing is left of what a command has started, whoever ends it or is killed.

use super::*;

#[test]
fn nothing_is_left_of_a_cancelled_job_and_others_go_on() {
    let world = World::new(BINARY);
    // Only what is done at once can pass.
    let daemon = world.daemon(&["--workers", "2", "--grace-ms", "60000"]);
    let job = detach(&world, &["sum", "0..1000"], BREEDER);
    let brood = await_brood(&world);
    assert_eq!(world.ask(["cancel", &job]).code(), 0);
    brood.await_end();
    world.ask(["sum", "0..1000"]).answered("499500\n");
    world.ask(["sum", "0..1000", "--command", LIVES_ON]).answered("499500\n");
    daemon.stop();
    world.finish();
}

#[test]
fn nothing_is_left_of_a_job_whose_client_is_interrupted() {
    let world = World::new(BINARY);
    let client = world.start(["sum", "0..1000", "--local", "--workers", "2", "--command", BREEDER]);
    let brood = await_brood(&world);
    client.signal(Signal::Int);
    assert_eq!(client.finish().code(), 130);
    brood.await_end();
    world.finish();
}

#[test]
fn nothing_is_left_when_the_daemon_is_killed() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    detach(&world, &["sum", "0..1000"], BREEDER);
    let brood = await_brood(&world);
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
    brood.await_end();
    world.await_nobody();
}

#[test]
fn nothing_is_left_of_a_warden_that_is_killed_and_its_job_goes_on() {
    survives_the_end_of("tally-warden");
}

#[test]
fn nothing_is_left_of_a_guard_that_is_killed_and_its_job_goes_on() {
    survives_the_end_of("tally-guard");
}

/// Processes between the daemon and the command are killed: what the command has started ends, the job does not.
fn survives_the_end_of(struck: &str) {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    // The first attempts breed and hang, later ones answer.
    let body = "[ $a = 1 ] && { setsid sleep 7001 & (setsid sh -c \"sleep 7002 & sleep 7003\" &); sleep 7004; }; echo $((e - s))";
    let client = world.begin(["sum", "0..1000", "--partitions", "2", "--command", &reader(body)]);
    let brood = await_brood(&world);
    for one in world.await_named(struck, 2) {
        send(one.pid, Signal::Kill);
    }
    brood.await_end();
    client.finish().answered("1000\n");
    daemon.stop();
    world.finish();
}

#[test]
fn nothing_is_left_of_a_job_that_fails_with_its_wardens() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let job = detach(&world, &["sum", "0..1000", "--retries", "0"], BREEDER);
    let brood = await_brood(&world);
    // Once one is gone the daemon ends the other.
    for warden in world.await_named("tally-warden", 2) {
        send_if_there(warden.pid, Signal::Kill);
    }
    brood.await_end();
    let ended = world.ask(["wait", &job]);
    // A guard ends as its warden did.
    assert!(ended.code() == 1 && ended.stderr.contains(": killed by SIGKILL"), "{ended:?}");
    assert_eq!(strangers(&world), []);
    daemon.stop();
    world.finish();
}

#[test]
fn nothing_is_left_when_two_of_those_who_would_see_to_it_are_killed_in_one_moment() {
    for others in ["tally-warden", "tally-guard"] {
        let world = World::new(BINARY);
        let daemon = world.daemon(&["--workers", "2"]);
        detach(&world, &["sum", "0..1000"], BREEDER);
        let brood = await_brood(&world);
        let struck = world.await_named(others, 2);
        // Nobody does anything between the first blow and the last.
        daemon.signal(Signal::Stop);
        struck.iter().for_each(|one| send(one.pid, Signal::Stop));
        daemon.signal(Signal::Kill);
        struck.iter().for_each(|one| send_if_there(one.pid, Signal::Kill));
        assert_eq!(daemon.finish().code(), 137);
        brood.await_end();
        world.await_nobody();
    }
}
