//! `torture`: the campaign of `tests/src/torture/`, for as long as one has time.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tally_tests::torture::{Torture, Until};

/// Jobs that each client asks for in a round.
const JOBS: usize = 12;

/// Runs a campaign; tells its table, and fails with a story at the first thing that is wrong.
pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let seed = tally_sys::clock::wall_ms();
    let mut torture = Torture {
        binary: PathBuf::new(),
        seed,
        from: 0,
        until: Until::Minutes(10),
        jobs: JOBS,
        keep_going: false,
        tell: |line| println!("{line}"),
    };
    let mut left: VecDeque<&str> = rest.iter().map(String::as_str).collect();
    while let Some(name) = left.pop_front() {
        match name {
            "--minutes" => torture.until = Until::Minutes(number(name, left.pop_front())?),
            "--rounds" => torture.until = Until::Rounds(number(name, left.pop_front())?),
            "--kills" => torture.until = Until::Kills(number(name, left.pop_front())?),
            "--seed" => torture.seed = number(name, left.pop_front())?,
            "--from" => torture.from = number(name, left.pop_front())?,
            "--keep-going" => torture.keep_going = true,
            other => return Err(format!("could not read '{other}': it is no option of torture")),
        }
    }
    let place = tempfile::TempDir::with_prefix("tally-torture-").map_err(|why| why.to_string())?;
    torture.binary = place.path().join("tally");
    // A copy: another build meanwhile changes nothing.
    fs::copy(build()?, &torture.binary).map_err(|why| format!("could not copy the binary: {why}"))?;
    println!("seed {}", torture.seed);
    let report = torture.run();
    println!("{report}");
    match report.wrong.len() {
        0 => Ok(()),
        wrong => Err(format!("{wrong} things were wrong; the seed is {}", report.seed)),
    }
}

fn number(name: &str, value: Option<&str>) -> Result<u64, String> {
    let value = value.ok_or_else(|| format!("could not read {name}: it needs a number"))?;
    value.parse().map_err(|_| format!("could not read {name}: '{value}' is no number"))
}

/// The binary of the tests, which has crash points.
fn build() -> Result<PathBuf, String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new(env!("CARGO"));
    build.args(["test", "--quiet", "--no-run", "--locked", "--package", "tally", "--test", "torture"]);
    match build.current_dir(&root).status() {
        Ok(status) if status.success() => Ok(root.join("target/debug/tally")),
        Ok(status) => Err(format!("cargo test --no-run: {status}")),
        Err(why) => Err(format!("could not run cargo: {why}")),
    }
}
