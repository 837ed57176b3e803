//! Benchmarks of the main job: `cargo run --release -p tally-benches [NAME...]`.
//!
//! Speed is told as a ratio to a peer or to the hardware, measured in the same run, alternating, medians of several
//! rounds. Nothing is asserted: a busy machine is no defect of the program. The release binary is built first.
//! `peers [OPTION...]` alone compares with other programs (`peers/run.py`, whose options it passes on).
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "it prints a table of ratios")]

mod add;
mod aside;
mod batch;
mod crowd;
mod csv;
mod decisions;
mod expr;
mod float_folds;
mod float_sum;
mod floor;
mod folds;
mod gone;
mod idle;
mod kernels;
mod kill;
mod locks;
mod measure;
mod objects;
mod peers;
mod pool;
mod scale;
mod start;
mod top;
mod words;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// A benchmark: its name, and what it measures.
type Bench = (&'static str, fn(&str));

const ALL: &[Bench] = &[
    ("expr", expr::expressions),
    ("pool", pool::one_element_partitions),
    ("round-trip", floor::round_trips),
    ("start", start::warm_start),
    ("words", words::texts),
    ("scale", scale::two_workers),
    ("kill", kill::replacement),
    ("kernels", kernels::a_process_for_each),
    ("gone", gone::whole_trees),
    ("locks", locks::named_locks),
    ("add-job", add::add_job),
    ("batch", batch::small_jobs),
    ("idle", idle::a_minute),
    ("float-sum", float_sum::columns),
    ("csv", csv::columns),
    ("aside", aside::pings),
    ("objects", objects::shared_things),
    ("top", top::a_busy_daemon),
    ("crowd", crowd::many),
    ("decisions", decisions::decisions),
    ("ranges", folds::ranges),
    ("float-folds", float_folds::columns),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((_, options)) = words.split_first().filter(|(first, _)| *first == peers::NAME) {
        let well = release_binary().is_some_and(|binary| peers::run(&binary, options));
        return if well { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let wanted: Vec<String> = words.into_iter().filter(|name| !name.starts_with('-')).collect();
    if let Some(unknown) = wanted.iter().find(|name| !ALL.iter().any(|(known, _)| known == name)) {
        let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
        println!("no benchmark '{unknown}'; there are {}, {}", names.join(", "), peers::NAME);
        return ExitCode::from(2);
    }
    let Some(binary) = release_binary() else {
        println!("could not build the release binary");
        return ExitCode::FAILURE;
    };
    for (name, bench) in ALL {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            println!("\n== {name}");
            bench(&binary);
        }
    }
    ExitCode::SUCCESS
}

/// Builds and finds the binary that users run.
fn release_binary() -> Option<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent()?.to_path_buf();
    let built = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--bin", "tally"])
        .current_dir(&root)
        .status();
    built.ok()?.success().then_some(())?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Some(target.join("release/tally").to_str()?.to_owned())
}
