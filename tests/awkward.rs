//! Awkward inputs, each with the right answer from Python's integers and fractions (`tests/data/awkward.py`).
#![forbid(unsafe_code)]

use std::fs;

use serde_json::Value;
use tally_tests::World;

/// One case a line: `args`, `answer` or `fails` (a part of the error) with `code`, the file it reads as `file` and
/// `hex`, and in `others` what other programs say.
const TABLE: &str = include_str!("data/awkward.jsonl");

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(pair).collect()
}

#[test]
fn every_awkward_case_has_its_right_answer() {
    let world = World::new(env!("CARGO_BIN_EXE_tally"));
    let daemon = world.daemon(&["--workers", "2"]);
    let mut wrong = Vec::new();
    for line in TABLE.lines() {
        let case: Value = serde_json::from_str(line).expect("a line of the table is JSON");
        if let (Some(name), Some(hex)) = (case["file"].as_str(), case["hex"].as_str()) {
            fs::write(world.path().join(name), bytes(hex)).expect("a file can be written");
        }
        let arguments = case["args"].as_array().expect("arguments");
        let arguments: Vec<&str> = arguments.iter().map(|one| one.as_str().expect("text")).collect();
        let finished = world.ask(&arguments);
        let right = match (case["answer"].as_str(), case["fails"].as_str()) {
            (Some(answer), _) => finished.code() == 0 && finished.stdout.trim_end_matches('\n') == answer,
            (None, Some(part)) => {
                Some(i64::from(finished.code())) == case["code"].as_i64()
                    && finished.stdout.is_empty()
                    && finished.stderr.starts_with("tally: could not ")
                    && finished.stderr.contains(part)
            }
            (None, None) => panic!("a case says what is right: {line}"),
        };
        if !right {
            wrong.push(format!(
                "{line}\n  got {} {:?} {:?}",
                finished.code(),
                finished.stdout,
                finished.stderr
            ));
        }
    }
    assert!(TABLE.lines().count() >= 100, "the table has shrunk");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    daemon.stop();
    world.finish();
}
