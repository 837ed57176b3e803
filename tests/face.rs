//! How the commands show themselves: closed pipes, pipes, a C locale, terminals that are narrow or dumb, templates, lists that
//! are watched.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use tally_sys::signal::Signal;
use tally_tests::run::send;
use tally_tests::{Running, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const TERMINAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/terminal.py");

/// A line for every command that prints something, in an order in which they make sense.
const LINES: &[&str] = &[
    "status",
    "workers",
    "top --once",
    "ping",
    "jobs --all",
    "show j1",
    "result j1 --verbose",
    "follow j1",
    "explain j1",
    "wait j1",
    "sum 0..1000",
    "sum 0..1e6 --verbose --progress always",
    "reduce sum,mean 0..10",
    "product 1..9",
    "min 1..9",
    "max 1..9",
    "count 1..9",
    "mean 1..9",
    "variance 1..9",
    "stddev 1..9",
    "factorial 100",
    "batch jobs.txt",
    "running sum numbers.txt",
    "compare 0..100",
    "lab race --processes 2 --count 100 --lock ticket",
    "value hits add 1",
    "dict prices items",
    "dict prices set a 1",
    "list steps push 1",
    "queue work put 1",
    "queue work get",
    "event ready set",
    "barrier start wait --parties 1",
    "stats latency add 1",
    "stats latency get",
    "objects",
    "watch hits --count 0",
    "locks",
    "lock door -- tally locks",
    "semaphore net --permits 2 -- tally locks",
    "deadlocks",
    "metrics",
    "config show",
    "config check",
    "config default",
    "reload",
    "dump",
    "help",
    "help json",
    "help json jobs",
    "help expressions",
    "sum --help",
    "-h",
    "--help",
    "--version",
    "completion bash",
    "man",
    "man sum",
    "smu 0..10",
    "sum",
    "sum no.csv",
    "sum 0..10 --of 1//(i-5)",
    "sum table.csv --of prise",
    "show j999",
    "cancel j999",
    "pause j1",
    "resume j1",
    "retry j1",
    "upgrade --binary /no",
];

fn scene() -> World {
    let world = World::new(BINARY);
    fs::write(world.path().join("jobs.txt"), "sum 0..10\nsum 0..x\n").expect("a file of ours");
    fs::write(world.path().join("numbers.txt"), "1\n2\n").expect("a file of ours");
    fs::write(world.path().join("table.csv"), "name,price\nx,1\n").expect("a file of ours");
    world
}

fn command(world: &World, line: &str) -> Command {
    let mut command = world.client(line.split_whitespace());
    command.env("PATH", format!("{}:/usr/bin:/bin", world.programs().display()));
    command
}

#[test]
fn a_closed_pipe_ends_every_command_quietly() {
    let world = scene();
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(world.ask(["sum", "0..10", "--detach"]).code(), 0);
    assert_eq!(world.ask(["wait", "j1"]).code(), 0);
    for line in LINES {
        for json in ["", " --json"] {
            if line.contains(" -- ") && !json.is_empty() {
                continue;
            }
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let mut command = command(&world, &format!("{line}{json}"));
            command.stdout(Stdio::from(writer)).stderr(Stdio::piped());
            let output = command.output().expect("it can be started");
            let told = String::from_utf8_lossy(&output.stderr);
            let code = output.status.code().unwrap_or_else(|| panic!("{line} died: {}", output.status));
            assert!(code < 100, "{line}{json}: {code}: {told}");
            for word in ["panicked", "roken pipe", "could not write"] {
                assert!(!told.contains(word), "{line}{json}: {told}");
            }
        }
    }
    daemon.stop();
    world.finish();
}

#[test]
fn an_interrupt_waits_for_nobody_who_does_not_read_or_write() {
    let world = scene();
    for line in ["factorial 60000 --mode inline", "running sum -", "sum -"] {
        // Nobody reads from the one, and nobody writes into the other.
        let (output, full) = std::io::pipe().expect("a pipe");
        let (empty, input) = std::io::pipe().expect("a pipe");
        let mut command = command(&world, line);
        command.stdin(Stdio::from(empty)).stdout(Stdio::from(full)).stderr(Stdio::piped());
        let child = command.spawn().expect("it can be started");
        drop(command);
        until("a process that waits in a pipe", || {
            let call = fs::read_to_string(format!("/proc/{}/syscall", child.id())).ok()?;
            let (number, rest) = call.split_once(' ')?;
            let waits = match number {
                // read and write, by their numbers on x86-64
                "0" => !rest.starts_with("0x1 "),
                "1" => rest.starts_with("0x1 "),
                // splice, which a pipe may be spooled by
                _ => number == "275",
            };
            waits.then_some(())
        });
        send(child.id(), Signal::Int);
        let output_of = child.wait_with_output().expect("it can be waited for");
        assert_eq!(output_of.status.code(), Some(130), "{line}");
        assert_eq!(
            String::from_utf8_lossy(&output_of.stderr),
            "tally: could not finish: interrupted\n",
            "{line}"
        );
        drop((output, input));
    }
    world.finish();
}

#[test]
fn what_cannot_be_folded_with_a_range_is_not_read_first() {
    let world = scene();
    // Nobody writes into it, and nobody closes it.
    let (empty, input) = std::io::pipe().expect("a pipe");
    let mut command = command(&world, "sum 0..10 -");
    let output = command.stdin(Stdio::from(empty)).output().expect("it can be started");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("some are ranges and some are files"), "{told}");
    drop(input);
    world.finish();
}

#[test]
fn a_pipe_in_a_c_locale_gets_plain_ascii() {
    let world = scene();
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(world.ask(["sum", "0..10", "--detach"]).code(), 0);
    assert_eq!(world.ask(["wait", "j1"]).code(), 0);
    for line in LINES {
        let mut command = command(&world, line);
        command.env("LC_ALL", "C").env("TERM", "xterm-256color");
        let finished = Running::start(command).finish();
        for text in [&finished.stdout, &finished.stderr] {
            let odd = text.chars().find(|c| !c.is_ascii() || (c.is_control() && !matches!(c, '\n' | '\t')));
            assert_eq!(odd, None, "{line}: {text}");
        }
    }
    daemon.stop();
    world.finish();
}

/// What a command writes to a terminal of so many columns; `None` without python3.
fn on_terminal(world: &World, columns: u16, line: &str, variables: &[(&str, &str)]) -> Option<String> {
    if Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: there is no python3 for a terminal");
        return None;
    }
    let inner = command(world, "");
    let mut python = Command::new("python3");
    python.args([TERMINAL, &columns.to_string(), "run", BINARY]).args(line.split_whitespace());
    python.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    python.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").envs(variables.iter().copied());
    Some(Running::start(python).finish().stdout)
}

#[test]
fn a_terminal_is_written_to_as_it_can_read() {
    let world = scene();
    let daemon = world.daemon(&["--workers", "1"]);
    for line in [
        "-h",
        "--help",
        "help json",
        "help sources",
        "help expressions",
        "sum --help",
        "daemon -h",
        "workers",
        "locks",
    ] {
        let Some(text) = on_terminal(&world, 40, line, &[("TERM", "dumb")]) else { break };
        for row in text.lines() {
            // A word may be longer than that; a line of several is not.
            let is_word = !row.trim().contains(' ');
            assert!(row.chars().count() <= 40 || is_word, "{line}: {row}");
        }
        assert!(!text.contains('\u{1b}'), "{line}: {text:?}");
    }
    let coloured = |variables: &[(&str, &str)]| {
        on_terminal(&world, 100, "workers", variables).map(|text| text.contains("\u{1b}[1m"))
    };
    if let Some(bold) = coloured(&[]) {
        assert!(bold, "a terminal gets a bold header");
        assert_eq!(coloured(&[("NO_COLOR", "1")]), Some(false));
        assert_eq!(coloured(&[("TERM", "dumb")]), Some(false));
        assert_eq!(coloured(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), Some(false));
    }
    let mut forced = command(&world, "workers");
    forced.env("CLICOLOR_FORCE", "1");
    assert!(Running::start(forced).finish().stdout.contains("\u{1b}[1m"));
    daemon.stop();
    world.finish();
}

#[test]
fn lists_are_printed_by_a_template() {
    let world = scene();
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(world.ask(["sum", "0..10", "--detach"]).code(), 0);
    assert_eq!(world.ask(["wait", "j1"]).code(), 0);
    assert_eq!(world.ask(["value", "hits", "add", "1"]).code(), 0);
    let says = |words: &[&str], text: &str| world.ask(words).answered(text);
    says(&["jobs", "--all", "--format", "{job}\\t{state}\\t{sources}\\t{eta_ms}"], "j1\tdone\t0..10\t\n");
    says(&["workers", "--format", "{slot} {state}"], "0 idle\n");
    says(&["objects", "--format", "{object}={kind}"], "hits=value\n");
    says(&["locks", "--format", "{name}"], "");
    let held = "lock door -- tally locks --format {kind}:{name}";
    Running::start(command(&world, held)).finish().answered("lock:door\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_list_is_watched() {
    let world = scene();
    let daemon = world.daemon(&["--workers", "1"]);
    let watch = |words: &str, wanted: &str| {
        let line = format!(
            "mkfifo watched; {words} > watched & watcher=$!; exec 3< watched; rm watched; \
            hear() {{ read -r line <&3 && lines+=$line$'\\n'; }}; \
            hear; tally wait $(tally sum 0..10 --detach); until [[ $line == *'{wanted}'* ]]; do hear || exit; done; \
            kill -INT $watcher; wait $watcher; echo $?; printf %s \"$lines\"; cat <&3"
        );
        world.typed(&line)
    };
    let json = watch("tally jobs --all --watch --interval 100ms --json", "\"state\":\"done\"");
    let (code, lines) = json.stdout.split_once('\n').expect("a code and lines");
    assert_eq!(code, "130", "{json:?}");
    let lists: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
    assert!(lists.len() >= 2 && lists[0]["jobs"] == serde_json::json!([]), "{lines}");
    assert_eq!(lists[lists.len() - 1]["jobs"][0]["state"], "done");
    let plain = watch("tally jobs --all --watch --interval 100ms --format '{job} {state}'", "j2 done");
    assert!(plain.stdout.starts_with("130\nj1 done\n") && plain.stdout.ends_with("j2 done\n"), "{plain:?}");
    // Whoever stops reading ends it, though nothing changes any more.
    let text = "export TALLY_SOCKET=$PWD/run/tally.sock; $TALLY jobs --all --watch | head -1";
    let read = Running::start(world.script(text)).finish();
    assert!(read.stdout.starts_with("JOB") && read.stderr.is_empty(), "{read:?}");
    daemon.stop();
    world.finish();
}
