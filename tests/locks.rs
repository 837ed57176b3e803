//! Named locks and semaphores with real processes: what is held, by whom, for how long, and who is next when one dies.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips, and how often it killed")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tally_sys::process;
use tally_sys::signal::Signal;
use tally_tests::run::send;
use tally_tests::{Client, Daemon, Finished, Running, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// Holders that are killed one after the other.
const KILLS: usize = 1_000;
/// Those that wait meanwhile.
const WAITING: usize = 3;
/// The same with whole commands.
const COMMANDS_KILLED: usize = 150;

fn begin(world: &World, arguments: &[&str]) -> Running {
    let mut command = world.command(arguments);
    command.env("TALLY_SOCKET", world.socket());
    Running::start(command)
}

/// A script that finds the daemon and the binary.
fn script(world: &World, text: &str) -> Running {
    let mut command = world.script(text);
    command.env("TALLY_SOCKET", world.socket());
    Running::start(command)
}

fn locks(world: &World) -> Value {
    let finished = world.ask(["locks", "--json"]);
    let text: Value =
        serde_json::from_str(&finished.stdout).unwrap_or_else(|why| panic!("{why}: {finished:?}"));
    assert_eq!(text["schema"], "tally.locks/1");
    text["locks"].clone()
}

/// Waits until a lock has so many holders and waiters.
fn await_counts(world: &World, name: &str, holders: usize, waiters: usize) {
    let mut client = Client::connect(&world.socket());
    until(&format!("{holders} holders and {waiters} waiters of {name}"), || {
        let reply = client.call("io.tally.Locks", &json!({}));
        let all = reply["locks"].as_array().cloned().unwrap_or_default();
        let found = all.iter().find(|lock| lock["name"] == name);
        let count = |what: &str| found.map_or(0, |lock| lock[what].as_array().map_or(0, Vec::len));
        ((count("holders"), count("waiters")) == (holders, waiters)).then_some(())
    });
}

fn acquire(client: &mut Client, name: &str) -> u64 {
    let grant = client.call("io.tally.Acquire", &json!({ "name": name }));
    grant["grant"]["fence"].as_u64().expect("a number")
}

/// A file that holds up whoever reads it until somebody writes.
fn make_gate(world: &World, name: &str) -> PathBuf {
    let path = world.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    path
}

/// Lets the one who reads it go on. Never waits: it stays open as long as the returned file does.
fn open_gate(path: &Path) -> fs::File {
    let mut gate = fs::File::options().read(true).write(true).open(path).expect("the gate is there");
    gate.write_all(b"go\n").expect("there is room");
    gate
}

fn code_and_line(finished: &Finished) -> (i32, &str) {
    (finished.code(), finished.stderr.lines().next().unwrap_or(""))
}

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
        let running = begin(&world, &["lock", "a", "--", "sh", "-c", text]);
        running.await_line("ready");
        running.signal(signal);
        assert_eq!(running.finish().code(), code, "{signal}");
    }
    let running = begin(&world, &["lock", "a", "--", "sh", "-c", "echo ready >&2; exec sleep 1000"]);
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
    let holder = begin(&world, &["lock", "a", "--", "sleep", "1000"]);
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
        (0..2).map(|_| begin(&world, &["lock", "r", "--shared", "--", "sleep", "1000"])).collect();
    await_counts(&world, "r", 2, 0);
    assert_eq!(world.ask(["lock", "r", "--nonblock", "--", "true"]).code(), 8);
    world.ask(["lock", "r", "--shared", "--nonblock", "--", "echo", "too"]).answered("too\n");
    let writer = begin(&world, &["lock", "r", "--", "echo", "written"]);
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
        (0..3).map(|_| begin(&world, &["semaphore", "s", "--permits", "3", "--", "sleep", "1000"])).collect();
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
    let waiter = begin(&world, &["lock", "a", "--", "echo", "no"]);
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
fn a_command_keeps_its_lock_when_the_one_who_took_it_is_killed() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let gate = make_gate(&world, "gate");
    let wrapper =
        begin(&world, &["lock", "a", "--", "sh", "-c", "echo ready >&2; read line < gate; echo done > mark"]);
    wrapper.await_line("ready");
    let shell = world.await_named("sh", 1)[0].pid;
    wrapper.signal(Signal::Kill);
    let waiter = begin(&world, &["lock", "a", "--", "cat", "mark"]);
    await_counts(&world, "a", 1, 1);
    assert!(proc::look(shell).is_some(), "the command lives");
    let _open = open_gate(&gate);
    waiter.finish().answered("done\n");
    drop(wrapper.finish());
    // What a command leaves running has it, too.
    world.ask(["lock", "b", "--", "sh", "-c", "sleep 1000 > /dev/null 2>&1 &"]).answered("");
    await_counts(&world, "b", 1, 0);
    for sleep in world.named("sleep") {
        send(sleep.pid, Signal::Kill);
    }
    world.ask(["lock", "b", "--", "echo", "free"]).answered("free\n");
    daemon.stop();
    world.finish();
}

#[test]
fn who_is_stopped_keeps_no_lock_of_a_command_that_has_ended() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let gate = make_gate(&world, "gate");
    let wrapper = begin(&world, &["lock", "a", "--", "sh", "-c", "echo ready >&2; read line < gate"]);
    wrapper.await_line("ready");
    let _keeper = world.await_named("tally-keeper", 1);
    wrapper.signal(Signal::Stop);
    let _open = open_gate(&gate);
    world.ask(["lock", "a", "--", "echo", "free"]).answered("free\n");
    tally_tests::run::go_on(wrapper.pid());
    let finished = wrapper.finish();
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, "ready\n"));
    // A command that closes what it does not know has its lock nevertheless.
    let text = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; echo ready >&2; read line < gate";
    let careless = begin(&world, &["lock", "b", "--", "bash", "-c", text]);
    careless.await_line("ready");
    let _keeper = world.await_named("tally-keeper", 1);
    careless.signal(Signal::Kill);
    assert_eq!(world.ask(["lock", "b", "--nonblock", "--", "true"]).code(), 8);
    let _open = open_gate(&gate);
    world.ask(["lock", "b", "--", "echo", "free"]).answered("free\n");
    drop(careless.finish());
    daemon.stop();
    world.finish();
}

/// A small process that has the only copy of a connection.
struct Holder {
    child: Child,
    fence: u64,
}

impl Holder {
    /// Waits for the grant, then hands the connection to a process that writes the number down and lives on.
    fn of(world: &World, mut client: Client) -> Self {
        let reply = client.hear().expect("a reply");
        let fence = reply["parameters"]["grant"]["fence"].as_u64().unwrap_or_else(|| panic!("{reply}"));
        let connection = OwnedFd::from(client.stream);
        let mut child = world
            .script(&format!("echo {fence} >> fences; echo ready; exec sleep 1000"))
            .stdin(Stdio::from(connection))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the shell writes");
        assert_eq!(line, "ready\n");
        Self { child, fence }
    }

    fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it ends");
    }
}

/// Never two holders: each number is written once it is granted and before its holder is killed, so numbers that only
/// grow show that none was granted while an earlier one was held. No waiter is skipped: each one's turn comes in order.
#[test]
fn a_thousand_holders_are_killed_and_the_next_has_it_each_time() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let ask = || {
        let mut client = daemon.client();
        client.ask("io.tally.Acquire", &json!({ "name": "k" }), false);
        client
    };
    let mut queue = std::collections::VecDeque::new();
    let mut holder = Holder::of(&world, ask());
    // In the order in which the daemon has them.
    let enter = |queue: &mut std::collections::VecDeque<Client>| {
        queue.push_back(ask());
        await_counts(&world, "k", 1, queue.len());
    };
    (0..WAITING).for_each(|_| enter(&mut queue));
    let mut expected = vec![holder.fence];
    for _ in 0..KILLS {
        holder.kill();
        let next = Holder::of(&world, queue.pop_front().expect("somebody waits"));
        expected.push(next.fence);
        holder = next;
        enter(&mut queue);
    }
    holder.kill();
    println!("killed {} holders", KILLS + 1);
    let written = fs::read_to_string(world.path().join("fences")).expect("they wrote");
    let written: Vec<u64> = written.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(written, expected);
    assert!(written.is_sorted_by(|one, next| one < next), "a number went back, or came twice");
    drop(queue);
    await_counts(&world, "k", 0, 0);
    daemon.stop();
    world.finish();
}

/// The same with whole commands: whoever took the lock and what runs under it are killed together.
#[test]
fn killed_commands_are_followed_in_the_order_of_the_queue() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let start = |number: usize| {
        let text = format!("echo {number} $TALLY_FENCE >> order; exec sleep 1000");
        let mut command = world.command(["lock", "k", "--", "sh", "-c", &text]);
        command.env("TALLY_SOCKET", world.socket()).process_group(0);
        Running::start(command)
    };
    let lines = || fs::read_to_string(world.path().join("order")).unwrap_or_default();
    let mut queue = std::collections::VecDeque::new();
    for number in 0..3 {
        queue.push_back(start(number));
        await_counts(&world, "k", 1, number);
    }
    for number in 0..COMMANDS_KILLED {
        until("the turn of the next", || (lines().lines().count() == number + 1).then_some(()));
        let holder = queue.pop_front().expect("somebody holds");
        let group = i32::try_from(holder.pid()).ok().and_then(process::Pid::from_raw).expect("a pid");
        process::send_to_group(group, Signal::Kill).expect("it is ours");
        assert_eq!(holder.finish().code(), 137);
        queue.push_back(start(number + 3));
        await_counts(&world, "k", 1, 2);
    }
    let text = lines();
    let written: Vec<(usize, u64)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(number, fence)| (number.parse().expect("a number"), fence.parse().expect("a number")))
        .collect();
    assert!(written.iter().map(|one| one.0).eq(0..written.len()), "somebody was skipped: {text}");
    assert!(written.is_sorted_by(|one, next| one.1 < next.1), "{text}");
    for running in queue {
        drop(running);
    }
    for sleep in world.named("sleep") {
        send(sleep.pid, Signal::Kill);
    }
    daemon.stop();
    world.finish();
}

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
    let told: Value = serde_json::from_str(&world.ask(["deadlocks", "--json"]).stdout).expect("JSON");
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
    let holder = begin(&world, &["lock", "a", "--", "sh", "-c", "echo ready >&2; exec sleep 1000", "secret"]);
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
        let holder = begin(
            &world,
            &["lock", "a", "--", "sh", "-c", "echo $TALLY_FENCE; echo ready >&2; read go < gate"],
        );
        holder.await_line("ready");
        let waiter = begin(&world, &["lock", "a", "--", "sh", "-c", "echo $TALLY_FENCE"]);
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
        begin(&world, &["lock", "a", "--", "sh", "-c", "echo ready >&2; read go < gate; echo $TALLY_FENCE"]);
    holder.await_line("ready");
    let waiters: Vec<Running> = (1..=3)
        .map(|number| {
            let text = format!("echo {number} $TALLY_FENCE >> order");
            let waiter = begin(&world, &["lock", "a", "--", "sh", "-c", &text]);
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
    let holder = begin(&world, &["lock", "a", "--", "sh", "-c", "echo ready >&2; read line < gate"]);
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

#[test]
fn a_time_to_live_lets_others_in_and_is_told() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let holder =
        begin(&world, &["lock", "a", "--ttl", "50ms", "--", "sh", "-c", "echo ready >&2; exec sleep 1000"]);
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
