//! One line for each that it was asked: one too many, or one too early, is never taken for an answer.

use super::*;

/// A kernel in Python that lives on: what it does first, and then with each `start end`.
fn python(world: &World, first: &str, body: &str) -> String {
    let text =
        format!("import sys\n{first}\nfor line in sys.stdin:\n s,e,p,a=map(int,line.split())\n {body}\n");
    fs::write(world.path().join("k.py"), text).expect("a file can be written");
    "python3 k.py".to_owned()
}

/// Partitions differ in their answers, so that a line which passes for another's makes the sum a wrong one.
#[test]
fn a_line_too_many_is_never_taken_for_an_answer() {
    let world = World::new(BINARY);
    let right = "print((s+e-1)*(e-s)//2,flush=True)";
    let twice = format!("{right}; {right}");
    let kernels = [
        ("print(1,flush=True)", right),
        ("pass", twice.as_str()),
        ("import atexit; atexit.register(print, 1)", right),
    ];
    let judge = |finished: &Finished, count: u64| {
        // Once in some hundred runs on a crowded machine nobody heard it; never was it counted.
        if finished.code() == 0 {
            assert_eq!(finished.stdout, sum_below(count), "{}", finished.stderr);
            return println!("a line too many was not heard");
        }
        assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
        let line = finished.stderr.lines().next().unwrap_or("");
        let doubled = line.contains("it answered") && line.ends_with("and then more");
        let start = "tally: could not finish j1: the command answered more lines than it was asked: '";
        assert!(line.starts_with(start) || doubled, "{line}");
    };
    for (first, body) in kernels {
        let command = python(&world, first, body);
        for partitions in ["2", "50", "500"] {
            judge(&run(&world, &["sum", "0..10000", "--partitions", partitions], &command), 10_000);
        }
    }
    let replaced = python(&world, "print(1,flush=True)", right);
    judge(&run(&world, &["sum", "0..1000", "--partitions", "9", "--recycle-after", "2"], &replaced), 1_000);
    world.finish();
}

#[test]
fn a_line_that_comes_late_does_not_pass_for_the_last_answer() {
    let world = World::new(BINARY);
    // What it says during the second question is a second word on the first; the answer to the second never comes.
    let late = "print(99 if s else e,flush=True); s and signal.pause()";
    let command = python(&world, "import signal", late);
    let words = ["sum", "0..1000", "--partitions", "2", "--workers", "1"];
    let finished = run(&world, &words, &command);
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
    assert!(finished.stderr.contains("did not end within 5s of the end of its input"), "{}", finished.stderr);
    // Nor where it is replaced before the end.
    let replaced = ["sum", "0..1000", "--partitions", "4", "--workers", "1", "--recycle-after", "2"];
    let finished = run(&world, &replaced, &command);
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
