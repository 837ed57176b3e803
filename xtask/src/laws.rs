//! `laws`: the property tests of the crates that have some, with cases that were never tried before.
//!
//! `.cargo/config.toml` fixes the cases of every other run, so that it can be repeated; here each round has another seed,
//! which is told and repeats it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Command;

/// Crates whose tests have laws (a dependency on proptest), which a test of this file holds.
const CRATES: [&str; 4] = ["tally-reduce", "tally-columns", "tally-expr", "tally-protocol"];

/// Runs so many rounds, one unless told.
pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let (mut rounds, mut seed) = (1_u64, tally_sys::clock::wall_ms());
    let mut left: VecDeque<&str> = rest.iter().map(String::as_str).collect();
    while let Some(name) = left.pop_front() {
        let value = left.pop_front().ok_or_else(|| format!("could not read {name}: it needs a number"))?;
        let value = value.parse().map_err(|_| format!("could not read {name}: '{value}' is no number"))?;
        match name {
            "--rounds" => rounds = value,
            "--seed" => seed = value,
            other => return Err(format!("could not read '{other}': it is no option of laws")),
        }
    }
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        println!("round {} of {rounds}: cargo xtask laws --seed {seed}", round + 1);
        let mut tests = Command::new(env!("CARGO"));
        tests.args(["test", "--quiet", "--locked"]);
        tests.args(CRATES.iter().flat_map(|name| ["--package", *name]));
        tests.env("PROPTEST_RNG_SEED", seed.to_string());
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        match tests.current_dir(root).status() {
            Ok(status) if status.success() => {}
            Ok(status) => {
                return Err(format!("a law does not hold ({status}): cargo xtask laws --seed {seed}"));
            }
            Err(why) => return Err(format!("could not run cargo: {why}")),
        }
    }
    println!("{rounds} rounds: the laws hold");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_with_laws_is_named() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let with_laws = std::fs::read_dir(root).expect("the project").filter_map(|entry| {
            let manifest = std::fs::read_to_string(entry.ok()?.path().join("Cargo.toml")).ok()?;
            let name =
                manifest.lines().find_map(|line| line.strip_prefix("name = "))?.trim_matches('"').to_owned();
            (name != "tally" && manifest.contains("\nproptest")).then_some(name)
        });
        let mut with_laws: Vec<String> = with_laws.collect();
        with_laws.sort();
        let mut named = CRATES.map(str::to_owned).to_vec();
        named.sort();
        assert_eq!(with_laws, named);
    }
}
