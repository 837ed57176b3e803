//! A short campaign: every link, every way to start workers and every kind of fault, with a seed that stays.
//! `cargo xtask torture --minutes N` is the long one; `TALLY_TORTURE_SEED`, `_FROM` and `_ROUNDS` are another short one.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it did, and what it left out")]

use std::path::PathBuf;

use tally_tests::torture::{Torture, Until};

/// Rounds: one of each fault, which is more than one of each link.
const ROUNDS: u64 = 7;

/// A number from the environment.
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn nothing_is_wrong_or_missing_whoever_is_struck() {
    let report = Torture {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_tally")),
        seed: number("TALLY_TORTURE_SEED", 20_261_128),
        from: number("TALLY_TORTURE_FROM", 0),
        until: Until::Rounds(number("TALLY_TORTURE_ROUNDS", ROUNDS)),
        jobs: 5,
        keep_going: true,
        tell: |line| println!("{line}"),
    }
    .run();
    println!("{report}");
    assert!(report.wrong.is_empty(), "{report}");
    assert!(report.kills() >= report.rounds, "the campaign strikes nobody: {report}");
}
