//! What becomes of locks when the daemon crashes, is replaced, or drains.

use super::*;

/// Kills a daemon and starts the next one.
fn replace(world: &World, daemon: Daemon) -> Daemon {
    daemon.signal(Signal::Kill);
    drop(daemon.finish());
    world.daemon(&["--workers", "1"])
}

#[test]
fn numbers_grow_over_a_crash_and_waits_go_on() {
    let world = World::new(BINARY);
    let mut daemon = world.daemon(&["--workers", "1"]);
    let gate = make_gate(&world, "gate");
    let mut last = 0;
    for _ in 0..3 {
        let holder =
            world.begin(["lock", "a", "--", "sh", "-c", "echo $TALLY_FENCE; echo ready >&2; read go < gate"]);
        holder.await_line("ready");
        let waiter = world.begin(["lock", "a", "--", "sh", "-c", "echo $TALLY_FENCE"]);
        await_counts(&world, "a", 1, 1);
        daemon = replace(&world, daemon);
        holder.await_line("lock 'a' is held no more: the daemon went away; the command goes on with fence");
        // The lock is gone with its daemon, and the next one gives it to who waited.
        let waited = waiter.finish();
        assert_eq!(waited.code(), 0, "{}", waited.stderr);
        assert!(waited.stderr.contains("went away; waiting for the next"), "{}", waited.stderr);
        let _open = open_gate(&gate);
        let held = holder.finish();
        assert_eq!(held.code(), 0, "{}", held.stderr);
        for text in [&held.stdout, &waited.stdout] {
            let fence: u64 = text.trim().parse().expect("a number");
            assert!(fence > last, "{fence} came after {last}");
            last = fence;
        }
    }
    daemon.stop();
    world.finish();
}

#[test]
fn an_upgrade_loses_no_lock_and_no_place_in_a_queue() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let pid = daemon.pid();
    let gate = make_gate(&world, "gate");
    let holder =
        world.begin(["lock", "a", "--", "sh", "-c", "echo ready >&2; read go < gate; echo $TALLY_FENCE"]);
    holder.await_line("ready");
    let waiters: Vec<Running> = (1..=3)
        .map(|number| {
            let text = format!("echo {number} $TALLY_FENCE >> order");
            let waiter = world.begin(["lock", "a", "--", "sh", "-c", &text]);
            await_counts(&world, "a", 1, number);
            waiter
        })
        .collect();
    // A program that has sent half a request, and one that holds nothing.
    let mut half = daemon.client();
    let held = acquire(&mut half, "half");
    let release = json!({ "method": "io.tally.Release", "parameters": { "fence": held } }).to_string();
    let (front, back) = release.split_at(20);
    half.send(front.as_bytes());
    await_counts(&world, "half", 1, 0);
    let mut idle = daemon.client();
    idle.call("io.tally.Ping", &json!({}));
    for _ in 0..2 {
        assert_eq!(world.ask(["upgrade"]).code(), 0);
        await_counts(&world, "a", 1, 3);
    }
    assert_eq!(daemon.pid(), pid);
    assert!(idle.hear().is_none(), "who holds nothing connects again");
    // The next program knows in which order names were taken.
    script(&world, "$TALLY lock x -- $TALLY lock y -- true").finish().answered("");
    assert_eq!(world.ask(["upgrade"]).code(), 0);
    let warned = script(&world, "$TALLY lock y -- $TALLY lock x -- true").finish();
    assert!(warned.stderr.starts_with("tally: warning: lock 'x' is taken here while"), "{}", warned.stderr);
    half.send(back.as_bytes());
    half.send(b"\0");
    assert!(half.hear().expect("a reply").get("error").is_none());
    assert_eq!(world.ask(["lock", "a", "--nonblock", "--", "true"]).code(), 8);
    let _open = open_gate(&gate);
    let first = holder.finish();
    assert_eq!(first.stderr, "ready\n", "it never noticed");
    for waiter in waiters {
        waiter.finish().answered("");
    }
    let order = fs::read_to_string(world.path().join("order")).expect("they wrote");
    let order: Vec<(u64, u64)> = order
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(number, fence)| (number.parse().expect("a number"), fence.parse().expect("a number")))
        .collect();
    assert!(order.iter().map(|one| one.0).eq(1..=3), "{order:?}");
    let mut last: u64 = first.stdout.trim().parse().expect("a number");
    for (_, fence) in order {
        assert!(fence > last);
        last = fence;
    }
    daemon.stop();
    world.finish();
}

/// A drain waits for jobs: locks go on meanwhile, and do not hold it up.
#[test]
fn a_drain_does_not_wait_for_locks() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut owner = daemon.client();
    owner.submit(&json!({ "reductions": ["sum"], "sources": ["0..1e15"] }), true);
    let gate = make_gate(&world, "gate");
    let holder = world.begin(["lock", "a", "--", "sh", "-c", "echo ready >&2; read line < gate"]);
    holder.await_line("ready");
    daemon.signal(Signal::Term);
    until("the drain", || {
        let phase = daemon.client().call("io.tally.Status", &json!({}))["status"]["phase"].take();
        (phase == "draining").then_some(())
    });
    world.ask(["lock", "b", "--", "echo", "given"]).answered("given\n");
    assert_eq!(world.ask(["lock", "a", "--nonblock", "--", "true"]).code(), 8);
    // The job ends with its client, and the daemon with the job.
    drop(owner);
    assert_eq!(daemon.finish().code(), 0);
    holder.await_line("lock 'a' is held no more: the daemon went away");
    let _open = open_gate(&gate);
    assert_eq!(holder.finish().code(), 0, "the command goes on");
    world.finish();
}
