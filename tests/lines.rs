//! Commands that read files: lines in blocks, and files as units, whatever the command does with them.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::fs;

use tally_sys::signal::Signal;
use tally_tests::gate::{make_gate, open_gate};
use tally_tests::run::Running;
use tally_tests::{Finished, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const GREP: &str = "grep -c ERROR";

/// Lines of many lengths, every third of which names an error; without an end of the last one.
fn log(lines: u32) -> String {
    let mut text = String::new();
    for at in 0..lines {
        let what = if at % 3 == 0 { "ERROR" } else { "fine" };
        let length = usize::try_from(at.wrapping_mul(2_654_435_761) >> 24).expect("it is small");
        writeln!(text, "{at} {what} {}", "x".repeat(length)).expect("a text grows");
    }
    text.push_str("the last ERROR without an end");
    text
}

fn put(world: &World, name: &str, text: &str) -> String {
    let path = world.path().join(name);
    fs::write(&path, text).expect("a file can be written");
    path.to_str().expect("its path is text").to_owned()
}

fn run(world: &World, command: &str, words: &[&str]) -> Finished {
    let fixed = ["sum", "--local", "--workers", "2", "--command", command];
    world.run(fixed.iter().chain(words).copied())
}

fn matching(text: &str) -> usize {
    text.lines().filter(|line| line.contains("ERROR")).count()
}

#[test]
fn lines_are_counted_as_by_one_process_however_they_are_cut() {
    let world = World::new(BINARY);
    let text = log(3_000);
    let path = put(&world, "big.log", &text);
    let expected = format!("{}\n", matching(&text));
    for partitions in [1, 2, 3, 7, 13, 32, 64] {
        let pieces = partitions.to_string();
        let words = ["--lines", &path, "--accept-status", "0,1", "--partitions", &pieces];
        run(&world, GREP, &words).answered(&expected);
    }
    run(&world, GREP, &["--lines", &path, "--accept-status", "0,1"]).answered(&expected);
    // Bytes as well, of blocks of a few bytes of few lines.
    let small = put(&world, "small.log", "a\n\nERROR\nbc");
    for partitions in ["1", "4", "12", "64"] {
        let words = ["--lines", &small, "--partitions", partitions];
        run(&world, "wc -l", &words).answered("4\n");
        run(&world, "sh -c 'wc -c'", &words).answered("12\n");
        let thrice = ["--lines", &small, &small, &small, "--partitions", partitions];
        run(&world, "wc -l", &thrice).answered("12\n");
    }
    world.finish();
}

#[test]
fn several_files_empty_ones_and_standard_input_are_read() {
    let world = World::new(BINARY);
    let (first, second) = (log(500), log(77));
    let paths = [put(&world, "1.log", &first), put(&world, "no.log", ""), put(&world, "2.log", &second)];
    let expected = format!("{}\n", matching(&first) + matching(&second));
    for partitions in ["1", "5", "64"] {
        let words = ["--lines", &paths[0], &paths[1], &paths[2], "--partitions", partitions];
        let more = ["--accept-status", "0,1"];
        let all: Vec<&str> = words.into_iter().chain(more).collect();
        run(&world, GREP, &all).answered(&expected);
    }
    run(&world, GREP, &["--lines", &paths[1]]).answered("0\n");
    let piped = format!(
        "cat {} | {BINARY} sum --local --workers 2 --lines - --partitions 9 --command '{GREP}' --accept-status 0,1",
        paths[0]
    );
    Running::start(world.script(&piped)).finish().answered(&format!("{}\n", matching(&first)));
    world.finish();
}

#[test]
fn a_command_may_read_what_it_likes() {
    let world = World::new(BINARY);
    let path = put(&world, "big.log", &log(20_000));
    // More than a pipe holds, of which nothing is read, or the beginning; and output all the while.
    run(&world, "echo 1", &["--lines", &path, "--partitions", "4"]).answered("4\n");
    run(&world, "sh -c 'exec <&-; echo 1'", &["--lines", &path, "--partitions", "4"]).answered("4\n");
    run(&world, "sh -c 'head -n 1 | wc -l'", &["--lines", &path, "--partitions", "4"]).answered("4\n");
    run(&world, "sh -c 'tee /dev/stderr; echo; echo 1'", &["--lines", &path, "--partitions", "4"])
        .answered("4\n");
    let failed = run(&world, "sh -c 'exit 7'", &["--lines", &path, "--retries", "0"]);
    assert_eq!(failed.code(), 1);
    assert!(failed.stderr.contains("exited with status 7"), "{}", failed.stderr);
    assert!(failed.stderr.contains("bytes "), "{}", failed.stderr);
    world.finish();
}

#[test]
fn each_file_is_a_partition_of_its_own() {
    let world = World::new(BINARY);
    let odd = put(&world, "odd $(touch gone); name.log", "ERROR\nfine\nERROR");
    let paths = [put(&world, "1.log", "ERROR\n"), put(&world, "no.log", ""), odd];
    let files: Vec<&str> = ["--files"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    run(&world, "sh -c 'echo 1'", &files).answered("3\n");
    run(&world, "wc -c", &files).answered("22\n");
    let status: Vec<&str> = files.iter().copied().chain(["--accept-status", "0,1"]).collect();
    run(&world, "grep -c ERROR {file}", &status).answered("3\n");
    run(&world, "grep -c ERROR < \"$TALLY_FILE\"", &status).answered("3\n");
    assert!(!world.path().join("gone").exists(), "a file name was run");
    let nameless = format!("echo ERROR | {BINARY} sum --local --files - --command 'grep -c ERROR {{file}}'");
    let refused = Running::start(world.script(&nameless)).finish();
    assert!(refused.stderr.contains("it has no name"), "{}", refused.stderr);
    let daemon = world.daemon(&["--workers", "2"]);
    let by_daemon = ["sum", "--command", "grep -c ERROR {file}"].into_iter().chain(status.iter().copied());
    world.ask(by_daemon).answered("3\n");
    daemon.stop();
    world.finish();
}

#[test]
fn what_cannot_be_is_refused() {
    let world = World::new(BINARY);
    let path = put(&world, "a.log", "1\n");
    let refused = |command: &str, words: &[&str], part: &str| {
        let finished = run(&world, command, words);
        assert_eq!(finished.code(), 2, "{}", finished.stderr);
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    };
    refused("wc -l", &[&path], "--lines gives it the lines of files");
    refused("wc -l", &["--lines", "0..10"], "the source is a range");
    refused("wc -l", &["--lines", "--files", &path], "--files");
    refused("wc -l {file}", &["--lines", &path], "no partition is a file");
    refused("wc -l {file} | cat", &["--files", &path], "$TALLY_FILE");
    refused("wc -l", &["--files", &path, "--partitions", "3"], "--partitions has nothing to say");
    world.finish();
}

#[test]
fn packed_files_have_no_lines_and_are_given_whole() {
    let world = World::new(BINARY);
    for (packed, by) in
        [(&b"\x1f\x8b\x08\x00 and so on"[..], "gzip"), (b"\x28\xb5\x2f\xfd and so on", "zstd")]
    {
        let path = world.path().join("some.log");
        fs::write(&path, packed).expect("a file can be written");
        let path = path.to_str().expect("its path is text");
        let finished = run(&world, "wc -l", &["--lines", path]);
        finished.failed(1, &format!("tally: could not read the lines of {path}: it is packed by {by}"));
        assert!(finished.stderr.contains("--lines -"), "{}", finished.stderr);
        run(&world, "wc -c", &["--files", path]).answered("14\n");
    }
    world.finish();
}

#[test]
fn a_detached_job_over_lines_goes_on_after_the_daemon_was_killed_unless_they_changed() {
    let world = World::new(BINARY);
    let text = log(400);
    let path = put(&world, "big.log", &text);
    let gate = make_gate(&world, "gate");
    let command = format!("sh -c ': < {}; grep -c ERROR'", gate.display());
    for changed in [false, true] {
        let daemon = world.daemon(&["--workers", "2"]);
        let words = ["sum", "--lines", &path, "--accept-status", "0,1", "--detach", "--partitions", "6"];
        let told = world.ask(words.into_iter().chain(["--command", &command]));
        assert_eq!(told.code(), 0, "{}", told.stderr);
        let job = told.stdout.trim().to_owned();
        until("the command", || world.processes().iter().any(|one| one.name == "sh").then_some(()));
        daemon.signal(Signal::Kill);
        assert_eq!(daemon.finish().code(), 137);
        world.await_nobody();
        if changed {
            fs::write(&path, &text[1..]).expect("a file can be written");
        }
        let _open = open_gate(&gate);
        let daemon = world.daemon(&["--workers", "2"]);
        let ended = world.ask(["wait", &job]);
        if changed {
            assert_ne!(ended.code(), 0);
            assert!(ended.stderr.contains("was changed since it was submitted"), "{}", ended.stderr);
        } else {
            assert_eq!(ended.code(), 0, "{}", ended.stderr);
            world.ask(["result", &job]).answered(&format!("{}\n", matching(&text)));
        }
        daemon.stop();
    }
    world.finish();
}
