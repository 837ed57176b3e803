//! However a command fails, it is named as what it is, and charged to the range that it happened in.

use super::*;

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
    fails(&["--partition-timeout", "200ms"], &reader("sleep 1000"), "it gave no answer within 200ms");
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
    assert!(long.code() == 1 && long.stderr.contains("a line of more than 1 MiB"), "{}", long.stderr);
    let long = run(&world, &["sum", "0..4", "--retries", "0"], "head -c 3000000 /dev/zero");
    assert!(long.code() == 1 && long.stderr.contains("a line of more than 1 MiB"), "{}", long.stderr);
    world.finish();
}

#[test]
fn a_warden_that_its_command_strikes_is_told_as_that() {
    let world = World::new(BINARY);
    for signal in ["KILL", "TERM"] {
        let command = format!("kill -{signal} $PPID; sleep 1000; : {{start}}");
        let finished = run(&world, &["sum", "0..4", "--partitions", "1", "--retries", "0"], &command);
        let line = finished.stderr.lines().next().unwrap_or("");
        assert!(
            finished.code() == 1 && line.contains(&format!("killed by SIG{signal}")),
            "{}",
            finished.stderr
        );
        assert!(!finished.stderr.contains("as its warden"), "{}", finished.stderr);
    }
    world.finish();
}

#[test]
fn only_the_guilty_range_is_blamed() {
    let world = World::new(BINARY);
    let body = "[ $s -le 777 ] && [ $e -gt 777 ] && exit 5; echo $((e - s))";
    let finished = run(&world, &["sum", "0..1000", "--json", "--retries", "2"], &reader(body));
    assert_eq!(finished.code(), 1);
    let job = finished.json();
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
        let job = finished.json();
        assert_eq!(job["results"][0]["value"], "1000", "{first}: {job}");
        assert_eq!(job["retries"], 4, "{first}: {job}");
    }
    world.finish();
}
