//! A command that holds a lock: its status, its streams, how long it waits, what is refused.

use super::*;

#[test]
fn a_commands_status_streams_and_signals_are_its_own() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let told = script(&world, "echo hello | \"$TALLY\" lock 'my lock' -- sh -c 'cat; echo \"$TALLY_LOCK\"'")
        .finish();
    told.answered("hello\nmy lock\n");
    for (command, code, line) in [
        (&["sh", "-c", "exit 3"][..], 3, ""),
        (&["sh", "-c", "kill -9 $$"], 137, ""),
        (&["./nowhere"], 127, "tally: could not run './nowhere': no such file or directory"),
        (&["/etc/passwd"], 126, "tally: could not run '/etc/passwd': permission denied"),
        // Codes of its own that mean something else here.
        (&["sh", "-c", "exit 8"], 8, ""),
    ] {
        let finished = world.ask([&["lock", "a", "--"], command].concat());
        assert_eq!(code_and_line(&finished), (code, line), "{command:?}");
        let finished = world.ask([&["semaphore", "a", "--permits", "2", "--"], command].concat());
        assert_eq!(code_and_line(&finished), (code, line), "{command:?}");
    }
    // A file without a first line that says what runs it is run by the shell.
    let file = world.path().join("plain");
    fs::write(&file, "echo plain $1\n").expect("it can be written");
    let told = script(&world, "chmod +x plain; \"$TALLY\" lock a -- ./plain text").finish();
    told.answered("plain text\n");
    // Signals reach the command, and what it makes of them is its own.
    for (signal, code) in [(Signal::Term, 40), (Signal::Int, 41), (Signal::Usr1, 42)] {
        let text = "trap 'exit 40' TERM; trap 'exit 41' INT; trap 'exit 42' USR1; echo ready >&2; while :; do sleep 0.01; done";
        let running = world.begin(["lock", "a", "--", "sh", "-c", text]);
        running.await_line("ready");
        running.signal(signal);
        assert_eq!(running.finish().code(), code, "{signal}");
    }
    let running = world.begin(["lock", "a", "--", "sh", "-c", "echo ready >&2; exec sleep 1000"]);
    running.await_line("ready");
    running.signal(Signal::Term);
    assert_eq!(running.finish().code(), 143);
    // What whoever started it had ignored stays so.
    let text = "trap '' INT HUP; exec \"$TALLY\" lock a -- sh -c 'kill -INT $$; kill -HUP $$; echo alive'";
    script(&world, text).finish().answered("alive\n");
    // Descriptors of whoever started it are the command's, too.
    fs::write(world.path().join("input"), "through\n").expect("it can be written");
    let told =
        script(&world, "exec 7<input; \"$TALLY\" lock a -- \"$TALLY\" lock b -- sh -c 'cat <&7'").finish();
    told.answered("through\n");
    daemon.stop();
    world.finish();
}

#[test]
fn what_is_busy_is_waited_for_or_not() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let holder = world.begin(["lock", "a", "--", "sleep", "1000"]);
    await_counts(&world, "a", 1, 0);
    let who = format!("process {} (sleep 1000) has it", holder.pid());
    let busy = world.ask(["lock", "a", "--nonblock", "--", "echo", "no"]);
    busy.failed(8, &format!("tally: could not take lock 'a': {who}"));
    let busy = world.ask(["lock", "a", "--timeout", "50ms", "--", "echo", "no"]);
    busy.failed(5, &format!("tally: could not take lock 'a': it was not free within 50ms: {who}"));
    // The same name as a semaphore is another thing.
    world.ask(["semaphore", "a", "--permits", "1", "--", "echo", "yes"]).answered("yes\n");
    // Readers beside each other, and none beside a writer.
    let readers: Vec<Running> =
        (0..2).map(|_| world.begin(["lock", "r", "--shared", "--", "sleep", "1000"])).collect();
    await_counts(&world, "r", 2, 0);
    assert_eq!(world.ask(["lock", "r", "--nonblock", "--", "true"]).code(), 8);
    world.ask(["lock", "r", "--shared", "--nonblock", "--", "echo", "too"]).answered("too\n");
    let writer = world.begin(["lock", "r", "--", "echo", "written"]);
    await_counts(&world, "r", 2, 1);
    assert_eq!(
        world.ask(["lock", "r", "--shared", "--nonblock", "--", "true"]).code(),
        8,
        "behind the writer"
    );
    for reader in readers {
        reader.signal(Signal::Term);
        assert_eq!(reader.finish().code(), 143);
    }
    writer.finish().answered("written\n");
    // Permits.
    let users: Vec<Running> =
        (0..3).map(|_| world.begin(["semaphore", "s", "--permits", "3", "--", "sleep", "1000"])).collect();
    await_counts(&world, "s", 3, 0);
    assert_eq!(world.ask(["semaphore", "s", "--permits", "3", "--nonblock", "--", "true"]).code(), 8);
    let other = world.ask(["semaphore", "s", "--permits", "4", "--", "true"]);
    other.failed(2, "tally: could not take semaphore 's': it has 3 permits as long as it is in use, not 4");
    let listed = locks(&world);
    let semaphore =
        listed.as_array().and_then(|all| all.iter().find(|one| one["name"] == "s")).expect("it is listed");
    assert_eq!((semaphore["kind"].as_str(), semaphore["free"].as_u64()), (Some("semaphore"), Some(0)));
    for user in users {
        user.signal(Signal::Term);
        assert_eq!(user.finish().code(), 143);
    }
    // A wait can be interrupted.
    let waiter = world.begin(["lock", "a", "--", "echo", "no"]);
    await_counts(&world, "a", 1, 1);
    waiter.signal(Signal::Int);
    assert_eq!(waiter.finish().code(), 130);
    await_counts(&world, "a", 1, 0);
    holder.signal(Signal::Kill);
    until("its end", || proc::look(holder.pid()).is_none().then_some(()));
    // The sleep it left has it still.
    await_counts(&world, "a", 1, 0);
    for sleep in world.named("sleep") {
        send(sleep.pid, Signal::Kill);
    }
    assert_eq!(holder.finish().code(), 137);
    await_counts(&world, "a", 0, 0);
    assert_eq!(locks(&world), json!([]), "a name that nobody uses is not kept");
    daemon.stop();
    world.finish();
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let world = World::new(BINARY);
    let nobody = world.ask(["lock", "a", "--", "echo", "no"]);
    let socket = world.socket();
    nobody.failed(3, &format!("tally: could not reach the daemon at {}: nobody listens", socket.display()));
    assert!(
        nobody.stderr.contains("a lock is kept by a daemon: start one with 'tally daemon'"),
        "{nobody:?}"
    );
    let daemon = world.daemon(&["--workers", "1"]);
    let long = "x".repeat(256);
    for (arguments, line) in [
        (&["lock", "", "--", "true"][..], "could not read NAME '': a name has 1 to 255 bytes"),
        (&["lock", "a\nb", "--", "true"], "could not read NAME 'a b': a name has no control characters"),
        (
            &["lock", " a", "--", "true"],
            "could not read NAME ' a': a name neither begins nor ends with a space",
        ),
        (&["lock", "a"], "could not run 'tally lock': CMD is missing"),
        (&["lock", "--", "true"], "could not run 'tally lock': NAME is missing"),
        (&["lock", "a", "true"], "could not run 'tally lock': it takes no 'true'"),
        (
            &["lock", "a", "--nonblock", "--timeout", "1s", "--", "true"],
            "could not run 'tally lock': --nonblock and --timeout exclude each other",
        ),
        (&["semaphore", "a", "--", "true"], "could not run 'tally semaphore': --permits is missing"),
        (
            &["semaphore", "a", "--permits", "0", "--", "true"],
            "could not read --permits '0': it can be 1 to 1000000",
        ),
        (
            &["semaphore", "a", "--permits", "2", "--take", "3", "--", "true"],
            "could not take 3 of semaphore 'a': there are 2 permits",
        ),
    ] {
        world.ask(arguments).failed(2, &format!("tally: {line}"));
    }
    let finished = world.ask(["lock", &long, "--", "true"]);
    assert!(finished.code() == 2 && finished.stderr.contains("a name has 1 to 255 bytes"), "{finished:?}");
    let json = world.ask(["lock", "a", "--json", "--", "./nowhere"]);
    assert_eq!(json.code(), 127);
    let told: Value = serde_json::from_str(&json.stderr).expect("JSON");
    assert_eq!((told["schema"].as_str(), told["error"]["exit"].as_u64()), (Some("tally.error/1"), Some(127)));
    // What a command says is its own, and that it went well is told by its status.
    for words in [["lock", "a", "--json"], ["queue", "q", "get"]] {
        let own = ["sh", "-c", "echo own; exit 3"];
        if words[0] == "queue" {
            world.ask(["queue", "q", "put", "x"]).answered("");
        }
        let hold: &[&str] = if words[0] == "queue" { &["--hold", "--json", "--"] } else { &["--"] };
        let ran = world.ask(words.iter().chain(hold).chain(&own));
        assert_eq!((ran.code(), ran.stdout.as_str(), ran.stderr.as_str()), (3, "own\n", ""), "{words:?}");
    }
    let mut holder = daemon.client();
    acquire(&mut holder, "busy");
    let busy = world.ask(["lock", "busy", "--nonblock", "--json", "--", "true"]);
    assert_eq!((busy.code(), busy.stdout.as_str()), (8, ""));
    let told: Value = serde_json::from_str(&busy.stderr).expect("JSON");
    assert_eq!(told["error"]["code"], "busy");
    drop(holder);
    // And from programs.
    let mut client = daemon.client();
    for parameters in [
        json!({ "name": "" }),
        json!({ "name": "a", "permits": 2, "shared": true }),
        json!({ "name": "a", "permits": 2, "take": 3 }),
        json!({ "name": "a", "nonblock": true, "timeout_ms": 5 }),
    ] {
        assert_eq!(client.call_in_vain("io.tally.Acquire", &parameters), "io.tally.BadUsage");
    }
    for parameters in [json!({}), json!({ "name": 5 }), json!({ "name": "a", "within": "x" })] {
        assert_eq!(
            client.call_in_vain("io.tally.Acquire", &parameters),
            "org.varlink.service.InvalidParameter"
        );
    }
    assert_eq!(client.call_in_vain("io.tally.Release", &json!({ "fence": 5 })), "io.tally.WrongState");
    let fence = acquire(&mut client, "a");
    assert_eq!(
        daemon.client().call_in_vain("io.tally.Release", &json!({ "fence": fence })),
        "io.tally.WrongState"
    );
    client.call("io.tally.Release", &json!({ "fence": fence }));
    assert!(acquire(&mut client, "a") > fence);
    daemon.stop();
    world.finish();
}

#[test]
fn others_may_take_a_name_and_do_not_see_command_lines() {
    if process::own_uid() != 0 {
        println!("skipped: only root can start processes of other users");
        return;
    }
    const STRANGER: u32 = 61_001;
    let world = World::new(BINARY);
    world.open_to_others();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666"]);
    world.ask_as(STRANGER, STRANGER, ["lock", "a", "--", "echo", "mine"]).answered("mine\n");
    let holder = world.begin(["lock", "a", "--", "sh", "-c", "echo ready >&2; exec sleep 1000", "secret"]);
    holder.await_line("ready");
    let busy = world.ask_as(STRANGER, STRANGER, ["lock", "a", "--nonblock", "--", "true"]);
    busy.failed(8, &format!("tally: could not take lock 'a': process {} of user 0 has it", holder.pid()));
    let told = world.ask_as(STRANGER, STRANGER, ["locks", "--json"]);
    assert!(told.stdout.contains(&holder.pid().to_string()) && !told.stdout.contains("secret"), "{told:?}");
    assert!(world.ask(["locks"]).stdout.contains("secret"));
    holder.signal(Signal::Term);
    assert_eq!(holder.finish().code(), 143);
    daemon.stop();
    world.finish();
}

#[test]
fn a_time_to_live_lets_others_in_and_is_told() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let holder =
        world.begin(["lock", "a", "--ttl", "50ms", "--", "sh", "-c", "echo ready >&2; exec sleep 1000"]);
    holder.await_line("ready");
    world.ask(["lock", "a", "--", "echo", "next"]).answered("next\n");
    holder.await_line("lock 'a' is held no more: its time to live is over; the command goes on with fence");
    holder.signal(Signal::Term);
    assert_eq!(holder.finish().code(), 143);
    daemon.stop();
    world.finish();
}

/// A full house sends the quietest idle client away, but not one that holds something.
#[test]
fn who_holds_a_lock_makes_no_room_for_others() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1", "--clients-max", "8"]);
    let mut holder = daemon.client();
    let fence = acquire(&mut holder, "a");
    let mut idle = daemon.client();
    idle.call("io.tally.Ping", &json!({}));
    let crowd: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = daemon.client();
            client.call("io.tally.Ping", &json!({}));
            client
        })
        .collect();
    assert!(idle.hear().is_none(), "it was the quietest");
    holder.call("io.tally.Release", &json!({ "fence": fence }));
    drop(crowd);
    daemon.stop();
    world.finish();
}
