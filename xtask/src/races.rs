//! `races`: daemons that start at the same moment, over and over; exactly one may win each time.

use std::path::PathBuf;
use std::process::Command;

use tally_tests::World;
use tally_tests::races::{Leaving, race};

/// Daemons in one race.
const DAEMONS: usize = 10;

/// Runs `--count N` races, 1000 unless told. Panics at the first that has not exactly one winner.
pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let count: u32 = match rest {
        [] => 1000,
        [flag, count] if flag == "--count" => count.parse().map_err(|_| format!("'{count}' is no count"))?,
        _ => return Err("races takes --count N".to_owned()),
    };
    let binary = build()?;
    let begun = tally_sys::clock::monotonic_ns();
    let world = World::new(binary.to_str().ok_or("the path of the binary is no text")?);
    for round in 0..count {
        // The last one leaves nothing behind.
        let leaving = if round % 3 == 2 || round + 1 == count { Leaving::Stopped } else { Leaving::Killed };
        race(&world, DAEMONS, leaving);
    }
    world.finish();
    let seconds = (tally_sys::clock::monotonic_ns() - begun) / 1_000_000_000;
    println!("{count} races of {DAEMONS} starting daemons: one winner each ({seconds} s)");
    Ok(())
}

fn build() -> Result<PathBuf, String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new(env!("CARGO")).args(["build", "--quiet"]).current_dir(&root).status();
    match built {
        Ok(status) if status.success() => Ok(root.join("target/debug/tally")),
        Ok(status) => Err(format!("cargo build: {status}")),
        Err(why) => Err(format!("could not run cargo: {why}")),
    }
}
