//! Waits that could never end are refused, with every edge.

use super::*;

#[test]
fn two_scripts_crosswise_are_refused_with_both_edges() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    make_gate(&world, "one");
    make_gate(&world, "other");
    let one = script(
        &world,
        "exec \"$TALLY\" lock a -- sh -c 'echo ready >&2; read go < one; exec \"$TALLY\" lock b -- echo both'",
    );
    let other = script(
        &world,
        "exec \"$TALLY\" lock b -- sh -c 'echo ready >&2; read go < other; exec \"$TALLY\" lock a -- echo never'",
    );
    one.await_line("ready");
    other.await_line("ready");
    let _one = open_gate(&world.path().join("one"));
    await_counts(&world, "b", 1, 1);
    let _other = open_gate(&world.path().join("other"));
    let refused = other.finish();
    assert_eq!(refused.code(), 9, "{}", refused.stderr);
    let text: Vec<&str> = refused.stderr.lines().filter(|line| *line != "ready").collect();
    assert!(
        text[0].starts_with("tally: could not take lock 'a': a deadlock of 2 waits: process "),
        "{text:?}"
    );
    assert!(text[0].ends_with("(echo both) has it and waits for lock 'b'"), "{text:?}");
    assert_eq!(text.len(), 3, "a line for each wait: {text:?}");
    for (line, holds, wants, command) in
        [(text[1], "lock 'b'", "lock 'a'", "echo never"), (text[2], "lock 'a'", "lock 'b'", "echo both")]
    {
        assert!(line.contains(&format!(" holds {holds} through process ")), "{line}");
        assert!(line.contains(&format!(" and waits for {wants} for ")), "{line}");
        assert!(line.contains(&format!(": {command}, under sh -c ")), "{line}");
    }
    // It has gone with what it held, so the other one goes on, and knows what could have been.
    let one = one.finish();
    assert_eq!((one.code(), one.stdout.as_str()), (0, "both\n"), "{}", one.stderr);
    let told = world.ask(["deadlocks"]);
    assert!(
        told.stdout.contains("lock 'a' was refused, as it would have closed a deadlock of 2 waits"),
        "{told:?}"
    );
    let told = world.ask(["deadlocks", "--json"]).json();
    assert_eq!(told["schema"], "tally.deadlocks/1");
    assert_eq!(told["deadlocks"][0]["edges"].as_array().map(Vec::len), Some(2));
    // Taken in that order once more, nobody in the way: a warning, and it runs.
    let warned = script(&world, "exec \"$TALLY\" lock b -- \"$TALLY\" lock a -- echo fine").finish();
    assert_eq!((warned.code(), warned.stdout.as_str()), (0, "fine\n"));
    assert!(warned.stderr.starts_with("tally: warning: lock 'a' is taken here while lock 'b' is held, and elsewhere lock 'b' while lock 'a' is held"), "{}", warned.stderr);
    let told = world.ask(["locks"]);
    assert!(told.stderr.contains("lock 'a' before lock 'b' before lock 'a'"), "{told:?}");
    // A lock within itself would wait for ever.
    let itself = script(&world, "exec \"$TALLY\" lock a -- \"$TALLY\" lock a -- echo never").finish();
    let line = "tally: could not take lock 'a': a deadlock of 1 wait: it would wait for itself for ever";
    assert_eq!(code_and_line(&itself), (9, line));
    daemon.stop();
    world.finish();
}

#[test]
fn a_cycle_of_fifty_is_refused_as_a_whole() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut clients: Vec<Client> = (0..50).map(|_| daemon.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        acquire(client, &format!("l{number}"));
    }
    for (number, client) in clients.iter_mut().enumerate().take(49) {
        let next = format!("l{}", number + 1);
        client.ask("io.tally.Acquire", &json!({ "name": next, "command": format!("c{number}") }), false);
        await_counts(&world, &next, 1, 1);
    }
    clients[49].ask("io.tally.Acquire", &json!({ "name": "l0" }), false);
    let reply = clients[49].hear().expect("a reply");
    assert_eq!(reply["error"], "io.tally.Deadlock", "{reply}");
    let edges = reply["parameters"]["deadlock"]["edges"].as_array().expect("edges");
    assert_eq!(edges.len(), 50);
    for (at, edge) in edges.iter().enumerate() {
        assert_eq!(edge["wants"]["name"], edges[(at + 1) % 50]["holds"][0]["name"]);
        assert_eq!(edge["pid"], std::process::id());
    }
    // The last one goes: one after the other gets what it waits for.
    drop(clients.pop());
    for client in clients.iter_mut().rev() {
        assert!(client.hear().expect("a reply")["parameters"]["grant"]["fence"].is_u64());
        client.call("io.tally.Locks", &json!({}));
        client.stream.shutdown(std::net::Shutdown::Both).expect("it is open");
    }
    daemon.stop();
    world.finish();
}
