//! The examples in `examples/kernels/` answer as they say, each in the form it is meant for.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
/// What all of them compute: the sum of the squares of the numbers below 10,000.
const SUM: &str = "333283335000\n";

fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/kernels").join(name);
    assert!(path.exists(), "there is no {name}");
    path.to_str().expect("its path is text").to_owned()
}

fn answers(world: &World, command: &str) {
    for partitions in ["1", "7", "64"] {
        let fixed = ["sum", "0..10000", "--local", "--workers", "2", "--partitions", partitions];
        world.run(fixed.into_iter().chain(["--command", command])).answered(SUM);
    }
}

/// What it cannot compute it refuses: numbers that are too large, and sums.
fn refuses(world: &World, command: &str, ranges: &[&str]) {
    for range in ranges {
        let fixed = ["sum", range, "--local", "--workers", "1", "--partitions", "1", "--retries", "0"];
        let finished = world.run(fixed.into_iter().chain(["--timeout", "60s", "--command", command]));
        assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{range}: {}", finished.stderr);
        let first = finished.stderr.lines().next().unwrap_or("");
        assert!(first.ends_with("exited with status 1"), "{range}: {first}");
        assert!(
            ["too large for", "does not fit into"].iter().any(|words| finished.stderr.contains(words)),
            "{range}: {}",
            finished.stderr
        );
    }
}

/// Ranges that no kernel of 64 bits can answer.
const TOO_LARGE: [&str; 4] = [
    "1e20..100000000000000001000",
    "3000000000..3000000010",
    "9007199254740992..9007199254740994",
    "-100000000000000001000..-1e20",
];

/// Whether a program runs with these words.
fn runs(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Compiles one into the world's directory and has it answer.
fn compiled(compiler: &str, words: &[&str], name: &str) {
    if !runs(compiler, &["--version"]) {
        println!("skipped: there is no {compiler}");
        return;
    }
    let world = World::new(BINARY);
    let program = world.path().join("squares");
    let (source, program) = (example(name), program.to_str().expect("its path is text"));
    let all: Vec<&str> = words.iter().copied().chain(["-o", program, &source]).collect();
    assert!(runs(compiler, &all), "{name} does not compile");
    answers(&world, program);
    if name.ends_with(".c") {
        refuses(&world, program, &TOO_LARGE);
    }
    world.finish();
}

#[test]
fn shell_and_awk_answer() {
    let world = World::new(BINARY);
    answers(&world, &example("squares.sh"));
    let awk = format!("awk -f {} -- {{start}} {{end}}", example("squares.awk"));
    answers(&world, &awk);
    refuses(&world, &example("squares.sh"), &TOO_LARGE);
    refuses(&world, &awk, &TOO_LARGE);
    world.finish();
}

#[test]
fn python_answers() {
    let world = World::new(BINARY);
    answers(&world, &format!("python3 {}", example("squares.py")));
    world.finish();
}

#[test]
fn python_with_numpy_answers() {
    if !runs("python3", &["-c", "import numpy"]) {
        println!("skipped: there is no NumPy");
        return;
    }
    let world = World::new(BINARY);
    answers(&world, &format!("python3 {}", example("squares_numpy.py")));
    world.finish();
}

#[test]
fn c_answers() {
    compiled("cc", &["-O2", "-Wall", "-Wextra", "-Werror"], "squares.c");
}

#[test]
fn rust_answers() {
    compiled("rustc", &["--edition", "2024", "-O", "-D", "warnings"], "squares.rs");
}
