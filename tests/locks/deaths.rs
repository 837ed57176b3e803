//! Holders and those who took a lock for them are killed or stopped: who has it then, and who is next.

use super::*;

/// Holders that are killed one after the other.
const KILLS: usize = 1_000;

/// Those that wait meanwhile.
const WAITING: usize = 3;

/// The same with whole commands.
const COMMANDS_KILLED: usize = 150;

#[test]
fn a_command_keeps_its_lock_when_the_one_who_took_it_is_killed() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let gate = make_gate(&world, "gate");
    let wrapper =
        world.begin(["lock", "a", "--", "sh", "-c", "echo ready >&2; read line < gate; echo done > mark"]);
    wrapper.await_line("ready");
    let shell = world.await_named("sh", 1)[0].pid;
    wrapper.signal(Signal::Kill);
    let waiter = world.begin(["lock", "a", "--", "cat", "mark"]);
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
    let wrapper = world.begin(["lock", "a", "--", "sh", "-c", "echo ready >&2; read line < gate"]);
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
    let careless = world.begin(["lock", "b", "--", "bash", "-c", text]);
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
        let mut command = world.client(["lock", "k", "--", "sh", "-c", &text]);
        command.process_group(0);
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
