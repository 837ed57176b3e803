//! Kernels of the user's own: both forms, whatever they answer, however they fail, and that nothing of them stays.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;
use tally_sys::signal::Signal;
use tally_sys::{clock, process};
use tally_tests::booted::processes_in;
use tally_tests::client::Client;
use tally_tests::run::{send, send_if_there};
use tally_tests::{Daemon, Finished, Running, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
/// A user that needs not be in any list.
const STRANGER: u32 = 61_001;
/// Bytes that the daemon may have resident, whatever kernels do.
const DAEMON_BYTES_MAX: u64 = 50 << 20;

/// A process that lives on and adds up in closed form.
const LIVES_ON: &str = "sh -c 'while read -r s e p a; do echo $(( (e - s) * (s + e - 1) / 2 )); done'";
/// The same in a process for each partition.
const EACH: &str = "sh -c 'echo $(( ({end} - {start}) * ({start} + {end} - 1) / 2 ))'";
/// One that starts what leaves its session and its parent, and then says nothing for ever.
const BREEDER: &str = "sh -c 'while read -r line; do setsid sleep 7001 & (setsid sh -c \"sleep 7002 & sleep 7003\" &); \
                       sleep 7004; done'";

fn run(world: &World, arguments: &[&str], command: &str) -> Finished {
    let fixed = ["--local", "--workers", "2", "--command", command];
    // What is asked for here comes last, which counts.
    let (verb, rest) = arguments.split_first().expect("a verb");
    world.run([verb].into_iter().chain(&fixed).chain(rest).copied())
}

/// A loop of a shell that reads partitions, with this body; `$s $e $p $a` are what it was told.
fn reader(body: &str) -> String {
    format!("sh -c 'while read -r s e p a; do {body}; done'")
}

fn sum_below(count: u64) -> String {
    format!("{}\n", u128::from(count) * u128::from(count - 1) / 2)
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|why| panic!("{why}: {}{}", finished.stdout, finished.stderr))
}

/// Processes of commands: those that are not the program itself.
fn strangers(world: &World) -> Vec<proc::Process> {
    world.processes().into_iter().filter(|one| !one.name.starts_with("tally")).collect()
}

fn await_no_strangers(world: &World) {
    until("the end of what commands started", || strangers(world).is_empty().then_some(()));
}

/// Waits until a breeder has all its brood: four sleeps for each of two workers.
fn await_brood(world: &World) {
    until("the brood", || {
        (strangers(world).iter().filter(|one| one.name == "sleep").count() >= 8).then_some(())
    });
}

#[test]
fn both_forms_answer() {
    let world = World::new(BINARY);
    run(&world, &["sum", "0..100000"], LIVES_ON).answered(&sum_below(100_000));
    run(&world, &["sum", "0..100000"], EACH).answered(&sum_below(100_000));
    run(&world, &["sum", "0..100000", "--partitions", "50"], EACH).answered(&sum_below(100_000));
    run(&world, &["sum", "-5..=5"], LIVES_ON).answered("0\n");
    run(&world, &["sum", "5..5"], LIVES_ON).answered("0\n");
    // Beyond 64 bits, as text to text.
    let last = "python3 -c 'import sys\nfor line in sys.stdin: print(int(line.split()[1]) - 1, flush=True)'";
    run(&world, &["max", "1e30..1000000000000000000000000000100"], last)
        .answered("1000000000000000000000000000099\n");
    world.finish();
}

#[test]
fn every_link_and_start_carries_a_command() {
    let world = World::new(BINARY);
    for link in ["shm", "shm-named", "pipe", "mqueue", "channel"] {
        for command in [LIVES_ON, EACH] {
            let answer = run(&world, &["sum", "0..5000", "--transport", link, "-q"], command);
            assert_eq!((answer.code(), answer.stdout), (0, sum_below(5_000)), "{link}: {}", answer.stderr);
        }
    }
    for start in ["forkserver", "spawn", "fork"] {
        let answer = run(&world, &["sum", "0..5000", "--start", start], LIVES_ON);
        assert_eq!((answer.code(), answer.stdout), (0, sum_below(5_000)), "{start}: {}", answer.stderr);
    }
    world.finish();
}

#[test]
fn partials_are_numbers_of_any_kind_or_objects() {
    let world = World::new(BINARY);
    let long = "7".repeat(5_000);
    run(&world, &["max", "0..10"], &reader(&format!("echo {long}"))).answered(&format!("{long}\n"));
    run(&world, &["sum", "0..4", "--partitions", "4"], &reader("echo 0.1")).answered("0.4\n");
    run(&world, &["sum", "0..4"], &reader("echo nan")).answered("nan\n");
    run(
        &world,
        &["product", "1..=20"],
        &reader("x=1; i=$s; while [ $i -lt $e ]; do x=$((x * i)); i=$((i + 1)); done; echo $x"),
    )
    .answered("2432902008176640000\n");
    run(&world, &["count", "0..1000"], &reader("echo $((e - s))")).answered("1000\n");
    let all = reader(
        r#"printf "{\"sum\": %d, \"min\": %d, \"max\": %d, \"count\": %d, \"partition\": %d}\n" $s $s $e 1 $p"#,
    );
    run(&world, &["reduce", "min,max,count", "0..8", "--partitions", "4"], &all)
        .answered("min\t0\nmax\t8\ncount\t4\n");
    run(&world, &["mean", "0..8", "--partitions", "4"], &all).answered("3.0\n");
    world.finish();
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let world = World::new(BINARY);
    let line = |arguments: &[&str]| {
        let all = arguments.iter().chain(&["--command", "./k"]).copied();
        let finished = world.run(all);
        assert_eq!(finished.code(), 2, "{}", finished.stderr);
        finished.stderr.lines().next().unwrap_or("").to_owned()
    };
    assert!(line(&["variance", "0..9"]).contains("variances of parts do not add up"));
    assert!(line(&["sum", "0..9", "--mode", "inline"]).contains("--mode inline has no worker processes"));
    assert!(line(&["sum", "0..9", "--mode", "threads"]).contains("--mode threads has no worker processes"));
    assert!(line(&["sum", "0..9", "--of", "i"]).contains("could not use --of with a command"));
    assert!(line(&["sum", "0..9", "20..30"]).contains("it is told of one range"));
    assert!(line(&["sum", "0..9", "--step", "2"]).contains("--step"));
    assert_eq!(world.run(["sum", "0..9", "--max-files", "20"]).code(), 2);
    assert!(
        line(&["sum", "0..9", "--cpu-limit", "500ms"]).contains("500 ms: --cpu-limit is in whole seconds")
    );
    assert!(line(&["sum", "0..9", "--cpus", "0,1023"]).contains("on processor 1023: there is none"));
    assert!(line(&["sum", "0..9", "--accept-status", "0,1"]).contains("says nothing of a partition"));
    world.finish();
}

#[test]
fn a_command_that_cannot_be_run_fails_its_job_at_once() {
    let world = World::new(BINARY);
    run(&world, &["sum", "0..100"], "./none")
        .failed(1, "tally: could not run './none': there is no such program");
    run(&world, &["sum", "0..100"], "no-such-kernel {start}")
        .failed(1, "tally: could not run 'no-such-kernel': there is no such program");
    fs::write(world.path().join("plain"), "text").expect("a file can be written");
    let refused = run(&world, &["sum", "0..100"], "./plain");
    refused.failed(1, "tally: could not run './plain': it is not executable");
    assert!(refused.stderr.contains("chmod +x ./plain"), "{}", refused.stderr);
    let lost = run(&world, &["sum", "0..100", "--chdir", "/no/such/place"], LIVES_ON);
    lost.failed(1, "tally: could not run the command in /no/such/place: no such file or directory");
    // What only its shell looks for.
    let piped = run(&world, &["sum", "0..100"], "no-such-kernel | cat; exit 127");
    assert!(piped.stderr.contains("found no program to run"), "{}", piped.stderr);
    world.finish();
}

#[test]
fn a_shell_that_finds_no_program_is_charged_to_its_range() {
    let world = World::new(BINARY);
    let fails = |status: u8, words: &str| {
        let command = format!("[ {{start}} -ne 500 ] || exit {status}; echo 1");
        let all = ["sum", "0..1000", "--partitions", "4", "--retries", "0", "--workers", "1"];
        run(&world, &all, &command).failed(
            1,
            &format!(
                "tally: could not finish j1: the command failed once at range 500..750: \
                 exited with status {status}: the shell says so when it {words}"
            ),
        );
    };
    fails(126, "may not run a program");
    fails(127, "found no program to run");
    world.finish();
}

#[test]
fn a_directory_that_may_not_be_searched_is_named() {
    let world = World::new(BINARY);
    let hidden = world.path().join("hidden");
    fs::create_dir(&hidden).expect("a directory can be made");
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o000)).expect("it is this test's own");
    if fs::read_dir(&hidden).is_ok() {
        println!("skipped: root may search any directory");
        return world.finish();
    }
    let path = format!("PATH={}:/usr/bin:/bin", hidden.display());
    let first = format!(
        "tally: could not run 'no-such-kernel': permission to search {} is missing",
        hidden.display()
    );
    run(&world, &["sum", "0..9", "--env", &path], "no-such-kernel {start}").failed(1, &first);
    world.finish();
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    let world = World::new(BINARY);
    let script = world.path().join("script");
    fs::write(&script, "while read -r s e p a; do echo $((e - s)); done\n").expect("a file can be written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is this test's own");
    run(&world, &["sum", "0..1000"], "./script").answered("1000\n");
    world.finish();
}

#[test]
fn every_failure_is_named_as_what_it_is() {
    let world = World::new(BINARY);
    let fails = |options: &[&str], command: &str, words: &str| {
        let all: Vec<&str> =
            ["sum", "0..4", "--partitions", "1", "--retries", "0"].iter().chain(options).copied().collect();
        let finished = run(&world, &all, command);
        let line = finished.stderr.lines().next().unwrap_or("").to_owned();
        let expected = format!("tally: could not finish j1: the command failed once at range 0..4: {words}");
        assert_eq!((finished.code(), line), (1, expected), "{}", finished.stderr);
        finished
    };
    let told = fails(&[], &reader("echo some words >&2; exit 3"), "exited with status 3");
    assert!(told.stderr.contains("some words"), "{}", told.stderr);
    let unread = fails(&[], "sh -c 'echo last words >&2; exit 3'", "exited with status 3");
    assert!(unread.stderr.contains("last words"), "{}", unread.stderr);
    fails(&[], "sh -c 'kill -SEGV $$; : {start}'", "killed by SIGSEGV");
    fails(&[], "sh -c 'kill -KILL $$; : {start}'", "killed by SIGKILL");
    fails(&[], &reader("echo tea"), "it answered 'tea', which is no number");
    fails(&[], "sh -c 'exit 0; : {start}'", "it ended without an answer");
    fails(&[], "sh -c 'echo; : {start}'", "it ended without an answer");
    fails(&[], &reader("exit 0"), "it ended without an answer");
    fails(&[], &reader("exec >&-; sleep 1000"), "it closed its output without an answer");
    fails(&[], &reader("printf \"1\\n2\\n\""), "it answered '1' and then more");
    fails(&["--partition-timeout", "200ms"], &reader("sleep 1000"), "it gave no answer within 200 ms");
    fails(
        &["--cpu-limit", "1s"],
        &reader("while :; do :; done"),
        "killed by SIGXCPU: its limit of 1 s of processor time was reached",
    );
    fails(
        &["--cpu-limit", "1s"],
        &reader("trap \"\" XCPU; while :; do :; done"),
        "killed by SIGKILL: its limit of 1 s of processor time was reached",
    );
    fails(&[], &reader("echo 1e400"), "it answered '1e400', which is too large for a float");
    fails(
        &[],
        &reader("echo \"{\\\"sum\\\":null}\""),
        "it answered '{\"sum\":null}', whose \"sum\" is no number",
    );
    // It goes on after it, and waits: no answer can come of that any more.
    let endless = reader("head -c 3000000 /dev/zero");
    let long = run(&world, &["sum", "0..4", "--retries", "0"], &endless);
    assert!(long.code() == 1 && long.stderr.contains("a line without end"), "{}", long.stderr);
    let long = run(&world, &["sum", "0..4", "--retries", "0"], "head -c 3000000 /dev/zero");
    assert!(long.code() == 1 && long.stderr.contains("a line without end"), "{}", long.stderr);
    world.finish();
}

/// A kernel in Python that lives on: what it does first, and then with each `start end`.
fn python(world: &World, first: &str, body: &str) -> String {
    let text =
        format!("import sys\n{first}\nfor line in sys.stdin:\n s,e,p,a=map(int,line.split())\n {body}\n");
    fs::write(world.path().join("k.py"), text).expect("a file can be written");
    "python3 k.py".to_owned()
}

#[test]
fn a_line_too_many_is_never_taken_for_an_answer() {
    let world = World::new(BINARY);
    let right = "print(e-s,flush=True)";
    let kernels = [
        ("print(1,flush=True)", right),
        ("pass", "print(e-s,flush=True); print(e-s,flush=True)"),
        ("import atexit; atexit.register(print, 1)", right),
    ];
    for (first, body) in kernels {
        let command = python(&world, first, body);
        for partitions in ["2", "50", "500"] {
            let finished = run(&world, &["sum", "0..10000", "--partitions", partitions], &command);
            assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
            let line = finished.stderr.lines().next().unwrap_or("");
            let doubled = line.contains("it answered") && line.ends_with("and then more");
            let start = "tally: could not finish j1: the command answered more lines than it was asked: '";
            assert!(line.starts_with(start) || doubled, "{line}");
        }
    }
    let replaced = python(&world, "print(1,flush=True)", right);
    let finished = run(&world, &["sum", "0..1000", "--partitions", "9", "--recycle-after", "2"], &replaced);
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
    world.finish();
}

#[test]
fn who_has_not_read_has_not_answered() {
    let world = World::new(BINARY);
    for command in ["echo 3", "sh -c 'echo 3'", "sh -c 'while :; do echo 3; sleep 0.01; done'"] {
        for _ in 0..3 {
            let finished = run(&world, &["sum", "0..1000"], command);
            let first = "tally: could not finish j1: the command answered more lines than it was asked: \
                         '3' came before it had read its input";
            finished.failed(1, first);
            assert!(finished.stderr.contains("names {start} and {end}"), "{}", finished.stderr);
        }
    }
    world.finish();
}

#[test]
fn who_does_not_end_with_its_input_is_ended() {
    let world = World::new(BINARY);
    let stays = "sh -c 'while read -r s e p a; do echo $((e - s)); done; sleep 1000'";
    run(&world, &["sum", "0..1000"], stays).answered("1000\n");
    let fails = "sh -c 'while read -r s e p a; do echo $((e - s)); done; exit 7'";
    run(&world, &["sum", "0..1000"], fails).answered("1000\n");
    world.finish();
}

#[test]
fn only_the_guilty_range_is_blamed() {
    let world = World::new(BINARY);
    let body = "[ $s -le 777 ] && [ $e -gt 777 ] && exit 5; echo $((e - s))";
    let finished = run(&world, &["sum", "0..1000", "--json", "--retries", "2"], &reader(body));
    assert_eq!(finished.code(), 1);
    let job = json_of(&finished);
    assert_eq!(job["error"]["range"], "777..778", "{job}");
    assert_eq!(job["error"]["code"], "kernel-failed");
    world.finish();
}

#[test]
fn an_attempt_that_broke_is_made_again() {
    let world = World::new(BINARY);
    for first in ["exit 3", "kill -KILL $$", "echo tea", "exec >&-; exit 0", "printf \"1\\n2\\n\""] {
        let body = format!("[ $a = 1 ] && {{ {first}; }}; [ $a = 1 ] || echo $((e - s))");
        // One worker, as what another takes over before it began is its second attempt, too, and no retry.
        let words = ["sum", "0..1000", "--json", "--partitions", "4", "--workers", "1"];
        let finished = run(&world, &words, &reader(&body));
        let job = json_of(&finished);
        assert_eq!(job["results"][0]["value"], "1000", "{first}: {job}");
        assert_eq!(job["retries"], 4, "{first}: {job}");
    }
    world.finish();
}

#[test]
fn a_process_that_ends_after_its_answer_is_replaced_unblamed() {
    let world = World::new(BINARY);
    let once = "sh -c 'read -r s e p a; echo $((e - s))'";
    let job = json_of(&run(&world, &["sum", "0..1000", "--json", "--partitions", "20"], once));
    assert_eq!(
        (&job["results"][0]["value"], &job["retries"]),
        (&Value::from("1000"), &Value::from(0)),
        "{job}"
    );
    world.finish();
}

#[test]
fn processes_are_replaced_as_often_as_asked() {
    let world = World::new(BINARY);
    let pids = reader(r#"printf "{\"min\": %d, \"max\": %d}\n" $$ $$"#);
    let same = |options: &[&str]| {
        let fixed = [
            "reduce",
            "min,max",
            "0..40",
            "--partitions",
            "10",
            "--workers",
            "1",
            "--local",
            "--command",
            &pids,
        ];
        let finished = world.run(fixed.iter().chain(options).copied());
        let ends: Vec<&str> = finished.stdout.lines().filter_map(|line| line.split('\t').nth(1)).collect();
        assert_eq!(ends.len(), 2, "{}{}", finished.stdout, finished.stderr);
        ends[0] == ends[1]
    };
    assert!(same(&[]));
    assert!(!same(&["--recycle-after", "3"]));
    // No shell is that large; one that has swallowed as much is.
    assert!(same(&["--recycle-memory", "100M"]));
    world.finish();
}

#[test]
fn accepted_statuses_are_none_of_a_failure() {
    let world = World::new(BINARY);
    let grep = "sh -c 'seq {start} $(({end} - 1)) | grep -c 7'";
    run(&world, &["sum", "0..40", "--partitions", "8", "--accept-status", "0,1"], grep).answered("4\n");
    let refused = run(&world, &["sum", "0..40", "--partitions", "8", "--retries", "0"], grep);
    assert!(refused.stderr.contains("exited with status 1"), "{}", refused.stderr);
    world.finish();
}

#[test]
fn a_command_has_the_world_of_whoever_submits_it() {
    let world = World::new(BINARY).with("ANSWER", "5").with("TALLY_START", "spawn");
    let told = "sh -c 'test \"$TALLY_START-$TALLY_END-$TALLY_JOB-$TALLY_SLOT-$TALLY_ATTEMPT-$TALLY_PARTITION\" = \
                \"{start}-{end}-{job}-{slot}-{attempt}-{partition}\" && echo $((ANSWER + MORE))'";
    run(&world, &["sum", "0..4", "--partitions", "4", "--env", "MORE=2"], told).answered("28\n");
    let here = format!("test \"$PWD\" = \"{}\" && echo 1; : {{start}}", world.path().display());
    run(&world, &["sum", "0..4", "--partitions", "4"], &here).answered("4\n");
    run(&world, &["sum", "0..1", "--chdir", "/usr"], "test $PWD = /usr && echo 1; : {start}").answered("1\n");
    run(&world, &["sum", "0..1", "--umask", "027"], "test $(umask) = 0027 && echo 1; : {start}")
        .answered("1\n");
    run(&world, &["sum", "0..1", "--max-files", "33"], "ulimit -n; : {start}").answered("33\n");
    run(&world, &["sum", "0..1", "--nice", "7"], "nice; : {start}").answered("7\n");
    world.finish();
}

#[test]
fn a_kernel_can_call_tally() {
    let world = World::new(BINARY);
    let nested = format!("{BINARY} sum {{start}}..{{end}} --local");
    run(&world, &["sum", "0..100", "--partitions", "4"], &nested).answered("4950\n");
    world.finish();
}

#[test]
fn memory_and_processes_have_limits() {
    let world = World::new(BINARY);
    let eater = "python3 -c 'x = bytearray(1 << 30); print({start})'";
    let finished = run(&world, &["sum", "0..2", "--retries", "0", "--memory-limit", "64M"], eater);
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("likely out of memory (limit 64 MiB)"), "{}", finished.stderr);
    // Below the limit of each, above it together.
    let many = "for i in 1 2 3 4; do python3 -c 'import signal; x = bytearray(40 << 20); signal.pause()' & done; wait; : {start}";
    let finished = run(&world, &["sum", "0..2", "--retries", "0", "--memory-limit", "64M"], many);
    assert!(finished.stderr.contains("it ran out of memory (limit 64 MiB)"), "{}", finished.stderr);
    let forks = reader("for i in $(seq 100); do sleep 1000 & done; wait");
    let finished = run(&world, &["sum", "0..2", "--retries", "0", "--max-processes", "20"], &forks);
    assert!(finished.stderr.contains("processes (limit 20)"), "{}", finished.stderr);
    world.finish();
}

#[test]
fn a_flood_of_errors_costs_nothing_but_time() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let flood = reader("head -c 200000000 /dev/zero >&2; echo $((e - s))");
    world.ask(["sum", "0..4", "--partitions", "4", "--command", &flood]).answered("4\n");
    let used = proc::resident_bytes(daemon.pid()).expect("the daemon lives");
    assert!(used < DAEMON_BYTES_MAX, "the daemon has {used} bytes");
    daemon.stop();
    world.finish();
}

#[test]
fn nothing_is_left_of_a_cancelled_job_and_others_go_on() {
    let world = World::new(BINARY);
    // Only what is done at once can pass.
    let daemon = world.daemon(&["--workers", "2", "--grace-ms", "60000"]);
    let job = world.ask(["sum", "0..1000", "--detach", "--command", BREEDER]).stdout.trim().to_owned();
    await_brood(&world);
    assert_eq!(world.ask(["cancel", &job]).code(), 0);
    await_no_strangers(&world);
    world.ask(["sum", "0..1000"]).answered("499500\n");
    world.ask(["sum", "0..1000", "--command", LIVES_ON]).answered("499500\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_command_that_hangs_keeps_nobody_from_being_answered() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let hangs = ["sum", "0..2", "--partitions", "2", "--detach", "--command", "sleep 7005; echo {start}"];
    let job = world.ask(hangs).stdout.trim().to_owned();
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
fn nothing_is_left_of_a_job_whose_client_is_interrupted() {
    let world = World::new(BINARY);
    let client = world.start(["sum", "0..1000", "--local", "--workers", "2", "--command", BREEDER]);
    await_brood(&world);
    client.signal(Signal::Int);
    assert_eq!(client.finish().code(), 130);
    await_no_strangers(&world);
    world.finish();
}

#[test]
fn nothing_is_left_when_the_daemon_is_killed() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    assert_eq!(world.ask(["sum", "0..1000", "--detach", "--command", BREEDER]).code(), 0);
    await_brood(&world);
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
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

#[test]
fn a_killed_warden_is_told_as_killed() {
    let world = World::new(BINARY);
    let hangs =
        ["sum", "0..4", "--partitions", "1", "--workers", "1", "--retries", "0", "--local", "--command"];
    let client = world.start(hangs.iter().copied().chain(["sleep 7005; echo {start}"]));
    until("a sleeper", || strangers(&world).iter().any(|one| one.name == "sleep").then_some(()));
    world.await_named("tally-warden", 1).iter().for_each(|one| send(one.pid, Signal::Kill));
    client
        .finish()
        .failed(1, "tally: could not finish j1: the command failed once at range 0..4: killed by SIGKILL");
    await_no_strangers(&world);
    world.finish();
}

/// Processes between the daemon and the command are killed: what the command has started ends, the job does not.
fn survives_the_end_of(struck: &str) {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    // The first attempts breed and hang, later ones answer.
    let body = "[ $a = 1 ] && { setsid sleep 7001 & (setsid sh -c \"sleep 7002 & sleep 7003\" &); sleep 7004; }; echo $((e - s))";
    let client = world.start([
        "sum",
        "0..1000",
        "--partitions",
        "2",
        "--socket",
        world.socket().to_str().expect("text"),
        "--command",
        &reader(body),
    ]);
    await_brood(&world);
    let brood: Vec<u32> = strangers(&world).into_iter().map(|one| one.pid).collect();
    for warden in world.await_named(struck, 2) {
        send(warden.pid, Signal::Kill);
    }
    until("the end of the brood", || brood.iter().all(|&pid| proc::look(pid).is_none()).then_some(()));
    client.finish().answered("1000\n");
    daemon.stop();
    world.finish();
}

#[test]
fn nothing_is_left_when_two_of_those_who_would_see_to_it_are_killed_in_one_moment() {
    for others in ["tally-warden", "tally-guard"] {
        let world = World::new(BINARY);
        let daemon = world.daemon(&["--workers", "2"]);
        assert_eq!(world.ask(["sum", "0..1000", "--detach", "--command", BREEDER]).code(), 0);
        await_brood(&world);
        let struck = world.await_named(others, 2);
        // Nobody does anything between the first blow and the last.
        daemon.signal(Signal::Stop);
        struck.iter().for_each(|one| send(one.pid, Signal::Stop));
        daemon.signal(Signal::Kill);
        struck.iter().for_each(|one| send_if_there(one.pid, Signal::Kill));
        assert_eq!(daemon.finish().code(), 137);
        world.await_nobody();
    }
}

/// How long anything of a job may live on after its end.
const GONE_WITHIN_MS: u64 = 100;

#[test]
fn nothing_is_left_a_tenth_of_a_second_after_the_end_whoever_brings_it() {
    let mut took = Vec::new();
    for who in ["cancel", "daemon", "warden"] {
        let world = World::new(BINARY);
        let daemon = world.daemon(&["--workers", "2"]);
        let job = world.ask(["sum", "0..1000", "--detach", "--retries", "0", "--command", BREEDER]);
        let job = job.stdout.trim().to_owned();
        await_brood(&world);
        let brood: Vec<u32> = strangers(&world).into_iter().map(|one| one.pid).collect();
        let wardens = world.await_named("tally-warden", 2);
        let begun = clock::monotonic_ns();
        let begun = match who {
            "cancel" => {
                assert_eq!(world.ask(["cancel", &job]).code(), 0);
                // It has been acknowledged.
                clock::monotonic_ns()
            }
            "daemon" => {
                daemon.signal(Signal::Kill);
                begun
            }
            _ => {
                wardens.iter().for_each(|one| send(one.pid, Signal::Kill));
                begun
            }
        };
        until("the end of the brood", || brood.iter().all(|&pid| proc::look(pid).is_none()).then_some(()));
        took.push((who, (clock::monotonic_ns() - begun) / 1_000_000));
        if who == "daemon" {
            assert_eq!(daemon.finish().code(), 137);
            world.await_nobody();
        } else {
            daemon.stop();
            world.finish();
        }
    }
    println!("nothing was left after (ms): {took:?}");
    // A machine that has more to do than it can gives nobody a tenth of a second.
    if !is_crowded() {
        assert!(took.iter().all(|(_, ms)| *ms <= GONE_WITHIN_MS), "{took:?}");
    }
}

/// Whether more processes want to run here than there are processors.
fn is_crowded() -> bool {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = load.split(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::MAX);
    first
        > std::thread::available_parallelism()
            .map_or(1.0, |count| f64::from(u32::try_from(count.get()).unwrap_or(1)))
}

#[test]
fn a_forkserver_that_is_killed_again_and_again_costs_no_job() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2", "--restart-intensity", "1000"]);
    let pid_of = |world: &World| world.named("tally-forkserve").first().map(|one| one.pid);
    // Stopped, so that what it is asked for is not made, and then killed: more often than failed starts fail a job.
    let mut before = None;
    send(until("a forkserver", || pid_of(&world)), Signal::Stop);
    let client = world.start([
        "sum",
        "0..1000",
        "--socket",
        world.socket().to_str().expect("text"),
        "--command",
        LIVES_ON,
    ]);
    let mut asker = daemon.client();
    for _ in 0..25 {
        let ended = |asker: &mut Client| {
            asker.call("io.tally.Status", &serde_json::json!({}))["status"]["ended"] == 1
        };
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
    let body = "[ $a = 1 ] && { echo some words >&2; exit 3; }; while ! [ -e go ]; do sleep 0.1; done; echo $((e - s))";
    let asked = ["sum", "0..4", "--partitions", "1", "--detach", "--command", &reader(body)];
    let job = world.ask(asked).stdout.trim().to_owned();
    let shown = || json_of(&world.ask(["show", &job, "--json"]));
    until("the failure", || (shown()["retries"] == 1).then_some(()));
    let follower = world.start(["follow", &job, "--socket", world.socket().to_str().expect("text")]);
    fs::write(world.path().join("go"), "").expect("a file can be written");
    let finished = follower.finish();
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, "4\n"), "{}", finished.stderr);
    assert_eq!(finished.stderr, "tally: attempt 1 at 0..4: exited with status 3\n  some words\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_process_that_lives_on_finds_the_values_it_was_started_with() {
    let world = World::new(BINARY);
    let body = "test \"$TALLY_START-$TALLY_END-$TALLY_PARTITION-$TALLY_ATTEMPT\" = \"$s-$e-$p-$a\" && echo 1";
    run(&world, &["sum", "0..4", "--partitions", "4", "--recycle-after", "1"], &reader(body)).answered("4\n");
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
    let job = json_of(&world.ask(asked));
    assert_eq!((&job["results"][0]["value"], &job["retries"]), (&Value::from("1"), &Value::from(0)), "{job}");
    daemon.stop();
    world.finish();
}

/// A control group made for a test, removed with all below it.
struct OwnGroup(PathBuf);

impl OwnGroup {
    /// One in the hierarchy of this machine; `None`, told, where none can be made.
    fn new() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mounted = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
        let place =
            PathBuf::from(mounted.and_then(|line| line.split(' ').nth(1)).unwrap_or("/sys/fs/cgroup"));
        let group = Self(place.join(format!("tally-test-kernels-{}", std::process::id())));
        match fs::create_dir(&group.0) {
            Ok(()) if group.0.join("cgroup.kill").exists() => Some(group),
            made => {
                println!("skipped: no control group can be made in {}: {made:?}", place.display());
                None
            }
        }
    }

    /// A daemon in it, as the only one in it.
    fn daemon(&self, world: &World) -> Daemon {
        let text = format!(
            "echo $$ > {}/cgroup.procs && exec \"$TALLY\" daemon --foreground --workers 1 --socket run/tally.sock",
            self.0.display()
        );
        Daemon::over(Running::start(world.script(&text)), world.socket())
    }

    /// The groups below it.
    fn below(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.is_dir()).collect()
    }

    /// The one in which four sleeps are: those of a breeder.
    fn await_brood(&self) -> PathBuf {
        let is_sleep = |pid: &u32| proc::look(*pid).is_some_and(|one| one.name == "sleep");
        until("a group with the brood", || {
            self.below()
                .into_iter()
                .find(|group| processes_in(group).iter().filter(|pid| is_sleep(pid)).count() == 4)
        })
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        self.below().iter().chain([&self.0]).for_each(|group| drop(fs::remove_dir(group)));
    }
}

#[test]
fn commands_run_in_control_groups_where_these_may_be_made() {
    let Some(own) = OwnGroup::new() else { return };
    let world = World::new(BINARY);
    let daemon = own.daemon(&world);
    let status = json_of(&world.ask(["status", "--json"]));
    let how = status["commands"].as_str().expect("it says how").to_owned();
    if !how.starts_with("control groups in ") {
        // A group may be there that is not this daemon's: under a systemd, or above a container.
        println!("skipped: it was not handed to the daemon: {how}");
        daemon.stop();
        return world.finish();
    }
    let job = world.ask(["sum", "0..1000", "--detach", "--command", BREEDER]).stdout.trim().to_owned();
    let group = own.await_brood();
    assert_eq!(world.ask(["cancel", &job]).code(), 0);
    await_no_strangers(&world);
    until("the end of the group", || (!group.exists()).then_some(()));
    // All that could end it are gone in one moment: the next daemon sees to that.
    assert_eq!(world.ask(["sum", "0..1000", "--detach", "--command", BREEDER]).code(), 0);
    let group = own.await_brood();
    let struck: Vec<_> = ["tally-warden", "tally-guard"].iter().flat_map(|name| world.named(name)).collect();
    daemon.signal(Signal::Stop);
    struck.iter().for_each(|one| send(one.pid, Signal::Stop));
    daemon.signal(Signal::Kill);
    struck.iter().for_each(|one| send(one.pid, Signal::Kill));
    assert_eq!(daemon.finish().code(), 137);
    assert_ne!(strangers(&world), [], "nobody was left who could end them");
    let left = processes_in(&group);
    let daemon = own.daemon(&world);
    assert!(left.iter().all(|&pid| proc::look(pid).is_none()), "it ends them before it serves anybody");
    let job = world.ask(["jobs", "--json"]);
    assert_eq!(job.code(), 0, "{}", job.stderr);
    assert_eq!(world.ask(["cancel", "--all"]).code(), 0);
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
        client.call("io.tally.Workers", &serde_json::json!({}))["workers"][0]["pid"].as_u64()
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
fn a_detached_command_goes_on_after_the_daemon_was_killed() {
    let world = World::new(BINARY).with("STEP", "1");
    let daemon = world.daemon(&["--workers", "2"]);
    // It stands still where a file is missing.
    let body = "while [ $s -ge 500 ] && ! [ -e go ]; do sleep 0.1; done; echo $(((e - s) * STEP))";
    let job = world
        .ask(["sum", "0..1000", "--detach", "--partitions", "10", "--command", &reader(body)])
        .stdout
        .trim()
        .to_owned();
    let shown = |world: &World| json_of(&world.ask(["show", &job, "--json"]));
    until("the first half", || (shown(&world)["partitions"]["done"] == 5).then_some(()));
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
    world.await_nobody();
    fs::write(world.path().join("go"), "").expect("a file can be written");
    let daemon = world.daemon(&["--workers", "2"]);
    assert_eq!(world.ask(["wait", &job]).code(), 0);
    world.ask(["result", &job]).answered("1000\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_daemon_of_root_s_runs_a_command_as_its_user_and_with_no_power_of_its_own() {
    if process::own_uid() != 0 {
        println!("skipped: only root can become another user");
        return;
    }
    let world = World::new(BINARY);
    world.open_to_others();
    let daemon = world.daemon(&["--workers", "2", "--socket-mode", "0666"]);
    for start in ["forkserver", "spawn", "fork"] {
        let ask = |command: &str| {
            world.ask_as(STRANGER, STRANGER + 1, ["max", "0..2", "--start", start, "--command", command])
        };
        ask("id -u; : {start}").answered(&format!("{STRANGER}\n"));
        ask("id -g; : {start}").answered(&format!("{}\n", STRANGER + 1));
        ask("id -G; : {start}").answered(&format!("{}\n", STRANGER + 1));
        ask("grep -c NoNewPrivs:.1 /proc/self/status; : {start}").answered("1\n");
        ask("grep -cE '^Cap(Inh|Prm|Eff):.0+$' /proc/self/status; : {start}").answered("3\n");
        ask("! test -r /etc/shadow && echo 1; : {start}").answered("1\n");
    }
    // Its own users as well: what they leave can still be ended.
    let job = world.ask_as(STRANGER, STRANGER, ["sum", "0..1000", "--detach", "--command", BREEDER]);
    let job = job.stdout.trim().to_owned();
    await_brood(&world);
    assert_eq!(world.ask_as(STRANGER, STRANGER, ["cancel", &job]).code(), 0);
    await_no_strangers(&world);
    world.ask(["max", "0..2", "--command", "id -u; : {start}"]).answered("0\n");
    daemon.stop();
    world.finish();
}
