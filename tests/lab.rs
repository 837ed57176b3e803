//! The studies, `running` and `compare`, by the real binary: each shows what it claims, and leaves nothing behind.
#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;
use tally_sys::signal::Signal;
use tally_tests::{World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// Runs a study with `--json`.
fn study(world: &World, words: &[&str]) -> Value {
    let finished = world.run(["lab"].iter().chain(words).chain(&["--json"]));
    assert_eq!(finished.stderr, "", "{words:?}");
    let report = finished.json();
    assert_eq!(report["schema"], "tally.lab/1");
    assert_eq!(report["study"], words[0]);
    assert!(report["wrong"].as_str().is_some_and(|text| text.len() > 40), "{report}");
    assert!(report["cure"].as_str().is_some_and(|text| text.len() > 40), "{report}");
    assert_eq!((finished.code(), &report["holds"]), (0, &Value::Bool(true)), "{report}");
    report
}

#[test]
fn a_race_loses_updates_and_a_lock_none() {
    let world = World::new(BINARY);
    let plot = world.path().join("race.svg");
    let report = study(&world, &["race", "--count", "2_000", "--plot", plot.to_str().unwrap()]);
    for table in ["counter", "bank"] {
        let rows = report[table].as_array().unwrap();
        assert_eq!(rows.len(), 10);
        for row in rows {
            let lost = row["lost"].as_u64().unwrap();
            assert_eq!(lost > 0, row["lock"] == "none", "{table}: {row}");
        }
    }
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(
        svg.starts_with("<svg ") && svg.contains("bounded-test-and-set") && svg.contains("dark"),
        "{svg}"
    );
    let one = study(&world, &["race", "--lock", "ticket,atomic", "--processes", "3", "--count", "50"]);
    let counted: Vec<&Value> = one["counter"].as_array().unwrap().iter().map(|row| &row["counted"]).collect();
    assert_eq!(counted, [150, 150]);
    world.finish();
}

#[test]
fn locks_and_spinning_are_measured() {
    let world = World::new(BINARY);
    let locks = study(&world, &["locks", "--processes", "2", "--count", "300", "--lock", "semaphore,swap"]);
    assert_eq!(locks["locks"].as_array().unwrap().len(), 4);
    let plot = world.path().join("spin.svg");
    let spin = study(&world, &["spin", "--count", "20", "--plot", plot.to_str().unwrap()]);
    assert_eq!(spin["long"].as_array().unwrap().len(), 8);
    assert!(plot.exists());
    world.finish();
}

#[test]
fn a_deadlock_is_found_and_each_cure_works() {
    let world = World::new(BINARY);
    let report = study(&world, &["deadlock", "--count", "10"]);
    let conditions = report["conditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 4);
    for (line, name) in
        conditions.iter().zip(["mutual exclusion", "hold and wait", "no preemption", "circular wait"])
    {
        assert!(line.as_str().unwrap().starts_with(name), "{line}");
    }
    let rows = report["deadlock"].as_array().unwrap();
    assert_eq!(rows[0]["ended"], "never: deadlock");
    assert_eq!(rows[0]["transfers"], 0);
    for row in &rows[1..] {
        assert_eq!((&row["transfers"], &row["money"]), (&Value::from(20), &Value::from("right")), "{row}");
    }
    let daemon: Vec<&str> = report["daemon"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(daemon[0].starts_with("tally: could not take lock '"), "{daemon:?}");
    assert!(daemon[0].contains("a deadlock of 2 waits"), "{daemon:?}");
    assert!(daemon.last().is_some_and(|line| line.contains("2 of 2 are done")), "{daemon:?}");
    let dinner = study(&world, &["philosophers", "--count", "20"]);
    assert_eq!(dinner["philosophers"][0]["ended"], "never: deadlock");
    assert_eq!(dinner["philosophers"][1]["meals"], 100);
    world.finish();
}

#[test]
fn every_item_is_handed_over() {
    let world = World::new(BINARY);
    let report = study(&world, &["producer-consumer", "--count", "500"]);
    for row in report["handover"].as_array().unwrap() {
        assert_eq!(
            (&row["items_put"], &row["items_got"]),
            (&Value::from(1_000), &Value::from(1_000)),
            "{row}"
        );
        assert_eq!(row["sum_put"], row["sum_got"], "{row}");
    }
    let lines = report["sum"].as_array().unwrap();
    assert_eq!(lines.last().unwrap(), "result: 49,999,995,000,000 = the sum of 0..10,000,000");
    world.finish();
}

#[test]
fn coroutines_take_turns_and_processes_share_nothing() {
    let world = World::new(BINARY);
    let report = study(&world, &["coroutines"]);
    let log: Vec<&str> = report["log"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(log[0].starts_with("task A") && log[1].starts_with("task B") && log[2].starts_with("task C"));
    assert_eq!(log.last(), Some(&"[2, 6, 24]"));
    let answers: Vec<&Value> =
        report["minimum"].as_array().unwrap().iter().map(|row| &row["answer"]).collect();
    assert_eq!(answers, ["10", "4", "4", "-6"]);
    let report = study(&world, &["processes"]);
    let sees: Vec<&Value> =
        report["memory"].as_array().unwrap().iter().map(|row| &row["main_sees"]).collect();
    assert_eq!(sees, [1, 2, 2, 4]);
    world.finish();
}

#[test]
fn every_study_has_a_drawing() {
    let world = World::new(BINARY);
    let plot = world.path().join("out.svg");
    for words in [
        &["deadlock", "--count", "5", "--timeout", "20ms"][..],
        &["philosophers", "--count", "5"],
        &["producer-consumer", "--count", "50"],
        &["locks", "--count", "50", "--processes", "1"],
        &["coroutines"],
        &["processes"],
    ] {
        study(&world, &[words, &["--plot", plot.to_str().unwrap()]].concat());
        let svg = std::fs::read_to_string(&plot).unwrap();
        assert!(
            svg.starts_with("<svg ") && svg.contains("class=\"c0\"") | svg.contains("class=\"l0\""),
            "{svg}"
        );
        std::fs::remove_file(&plot).unwrap();
    }
    world.finish();
}

#[test]
fn options_without_use_are_refused() {
    let world = World::new(BINARY);
    let why = "tally: could not use --processes with 'lab coroutines': it has no use for it";
    world.run(["lab", "coroutines", "--processes", "3"]).failed(2, why);
    assert_eq!(world.run(["lab", "rase"]).code(), 2);
    assert_eq!(world.run(["lab", "race", "--lock", "tickets"]).code(), 2);
    world.finish();
}

#[test]
fn an_interrupt_ends_a_study_and_all_its_processes() {
    let world = World::new(BINARY);
    for signal in [Signal::Int, Signal::Term, Signal::Kill] {
        let running =
            world.start(["lab", "race", "--count", "10000000", "--timeout", "1h", "--lock", "ticket"]);
        until("its processes", || (world.processes().len() > 8).then_some(()));
        running.signal(signal);
        assert_eq!(running.finish().code(), 128 + signal.raw());
        world.await_nobody();
    }
    world.finish();
}

#[test]
fn an_interrupt_ends_a_comparison_and_all_its_processes() {
    let world = World::new(BINARY);
    for signal in [Signal::Int, Signal::Kill] {
        // The product is a long one: some way of running it is under way for as long as it takes us.
        let running = world.start(["compare", "1..3000000", "--reduce", "product", "--workers", "2"]);
        until("the measured process", || (world.processes().len() > 1).then_some(()));
        running.signal(signal);
        assert_eq!(running.finish().code(), 128 + signal.raw());
        world.await_nobody();
    }
    world.finish();
}

#[test]
fn programs_in_python_end_with_the_comparison() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        return;
    }
    let world = World::new(BINARY);
    for signal in [Signal::Int, Signal::Kill] {
        let words = ["compare", "0..12_000_000", "--workers", "1", "--python", "always"];
        let running = world.start(words);
        // A main process with children of its own.
        let python = || world.processes().iter().filter(|process| process.name.starts_with("python")).count();
        until("a program with children", || (python() >= 3).then_some(()));
        running.signal(signal);
        assert_eq!(running.finish().code(), 128 + signal.raw());
        world.await_nobody();
    }
    world.finish();
}

#[test]
fn a_running_reduction_answers_in_a_conversation() {
    let world = World::new(BINARY);
    let mut command = world.command(["running", "min,sum"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut say, mut hear) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    // Each answer comes before the next line is sent.
    for (number, answer) in [("10", "10\t10"), ("4", "4\t14"), ("22", "4\t36"), ("-6", "-6\t30")] {
        writeln!(say, "{number}").unwrap();
        let mut line = String::new();
        hear.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), answer);
    }
    drop(say);
    assert!(child.wait().unwrap().success());
    world.finish();
}

#[test]
fn a_running_reduction_is_exact_and_strict() {
    let world = World::new(BINARY);
    std::fs::write(world.path().join("n.txt"), "0.1\n0.2\nx\n0.3").unwrap();
    let strict = world.run(["running", "sum", "n.txt"]);
    assert_eq!((strict.code(), strict.stdout.as_str()), (1, "0.1\n0.30000000000000004\n"));
    assert_eq!(strict.stderr.lines().next(), Some("tally: could not read line 3 of n.txt: 'x' is no number"));
    let lenient = world.run(["running", "sum", "n.txt", "--on-bad", "skip"]);
    assert_eq!((lenient.code(), lenient.stdout.as_str()), (0, "0.1\n0.30000000000000004\n0.6\n"));
    assert_eq!(lenient.stderr, "tally: left out 1 line\n");
    let json = world.run(["running", "count", "n.txt", "--on-bad", "skip", "--json", "-q"]);
    let last = object(json.stdout.lines().last().unwrap());
    assert_eq!((&last["schema"], &last["results"][0]["value"]), (&"tally.running/1".into(), &"3".into()));
    // A reader that has had enough ends it, though the input never does.
    let output = world.script("yes 1 | \"$TALLY\" running sum - | head -2").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n2\n");
    world.finish();
}

#[test]
fn the_same_job_in_every_way() {
    let world = World::new(BINARY);
    let plot = world.path().join("out.svg");
    let words = ["compare", "0..300000", "--workers", "2", "--transports", "--json", "--plot"];
    let finished = world.run(words.iter().chain(&[plot.to_str().unwrap()]));
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    let report = finished.json();
    assert_eq!(report["results"][0]["value"], "44999850000");
    assert_eq!(report["same"], true);
    let (python, runs): (Vec<_>, Vec<_>) =
        report["runs"].as_array().unwrap().iter().partition(|run| run["mode"] == "python");
    assert_eq!(runs.len(), 1 + 2 + 2 + 4);
    // Where there is a python3, its programs answer the same.
    let programs: Vec<&Value> = python.iter().map(|run| &run["program"]).collect();
    let all = ["one thread", "two threads", "two processes", "process pool"];
    assert!(programs.is_empty() || programs == all, "{programs:?}");
    for run in runs {
        assert!(run["cpu_us"].as_u64() > Some(0) && run["peak_bytes"].as_u64() > Some(1 << 20), "{run}");
    }
    assert!(std::fs::read_to_string(plot).unwrap().contains("2 processes"));
    let text = world.run(["compare", "0..1000", "--of", "i * i", "--workers", "1", "--reduce", "max,count"]);
    assert!(text.stdout.contains("answer: max 998001, count 1000, the same each time"), "{}", text.stdout);
    assert_eq!(world.run(["compare", "0..10", "--mode", "threads"]).code(), 2);
    let failed = world.run(["compare", "0..10", "--of", "1 // (i - 5)", "--workers", "1"]);
    assert_eq!((failed.code(), failed.stdout.as_str()), (1, ""));
    assert!(
        failed.stderr.starts_with("tally: could not ") && failed.stderr.contains("division by zero at i = 5"),
        "{}",
        failed.stderr
    );
    assert_eq!(failed.stderr.matches("tally: ").count(), 1, "{}", failed.stderr);
    let squares =
        ["compare", "5..1000", "--of", "i * i % 7", "--workers", "1", "--python", "always", "--json"];
    assert_eq!(world.run(squares).json()["same"], true);
    let never = world.run(["compare", "0..10", "--workers", "1", "--python", "never"]);
    assert!(never.code() == 0 && !never.stdout.contains("python"), "{}", never.stdout);
    let drawn = world.run(["compare", "0..10", "--workers", "1", "--python", "never", "--plot", "-"]);
    assert!(drawn.stdout.starts_with("<svg") && drawn.stderr.contains("the same each time"), "{drawn:?}");
    // A place where nothing can be written is found before anything is measured.
    let begun = world.run(["compare", "0..1e15", "--of", "sqrt(i)", "--plot", "nowhere/x.svg"]);
    begun.failed(1, "tally: could not write nowhere/x.svg: no such file or directory");
    let none = world.run(["compare", "0..10", "--workers", "1", "--reduce", "max", "--python", "always"]);
    assert_eq!(
        none.stderr,
        "tally: note: the programs in Python are left out: they can only add up a range of integers\n"
    );
    world.finish();
}

/// The commands of docs/lab.md run as they are written there.
#[test]
fn the_documents_commands_run() {
    let text = include_str!("../docs/lab.md");
    let world = World::new(BINARY);
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines: Vec<&str> = blocks.flat_map(str::lines).filter(|line| line.contains("tally")).collect();
    assert!(lines.len() >= 10, "{lines:?}");
    for line in lines {
        let output = world.script(&format!("tally() {{ \"$TALLY\" \"$@\"; }}; {line}")).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !output.stdout.is_empty(), "{line}: {told}");
    }
    world.finish();
}
