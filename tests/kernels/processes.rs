//! Processes that live on: when they end, and when they are replaced.

use super::*;

#[test]
fn who_does_not_end_with_its_input_is_ended_and_not_believed() {
    let world = World::new(BINARY);
    let stays = "sh -c 'while read -r s e p a; do echo $((e - s)); done; sleep 1000'";
    let finished = run(&world, &["sum", "0..1000"], stays);
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
    let first = "tally: could not finish j1: the command did not end within 5s of the end of its input: ";
    assert!(finished.stderr.starts_with(first), "{}", finished.stderr);
    assert!(finished.stderr.contains("is to end, or to close its output"), "{}", finished.stderr);
    // The end of its output says that nothing more comes.
    let mute = "sh -c 'while read -r s e p a; do echo $((e - s)); done; exec >&-; sleep 1000'";
    run(&world, &["sum", "0..1000"], mute).answered("1000\n");
    let fails = "sh -c 'while read -r s e p a; do echo $((e - s)); done; exit 7'";
    run(&world, &["sum", "0..1000"], fails).answered("1000\n");
    world.finish();
}

#[test]
fn a_process_that_ends_after_its_answer_is_replaced_unblamed() {
    let world = World::new(BINARY);
    // However it ends, as long as it has not read the next question.
    for end in [":", "exit 3", "kill -SEGV $$", "exec <&-; exit 1", "exec <&- >&-; sleep 1000"] {
        let once = format!("sh -c 'read -r s e p a; echo $((e - s)); {end}'");
        let partitions = if end.contains("sleep") { "3" } else { "20" };
        let words = ["sum", "0..1000", "--json", "--retries", "0", "--partitions", partitions];
        let job = run(&world, &words, &once).json();
        assert_eq!(
            (&job["results"][0]["value"], &job["retries"]),
            (&Value::from("1000"), &Value::from(0)),
            "{end}: {job}"
        );
    }
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
