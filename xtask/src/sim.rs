//! `cargo xtask sim`: as many simulated worlds of the machine as one has time for. A world that fails is told in full.

use std::collections::VecDeque;

use tally_machine::sim;

/// What was asked for.
struct Options {
    seeds: u64,
    from: u64,
    trace: Option<u64>,
    /// Go on after a failure and say only how many there were.
    keep_going: bool,
}

/// Runs the chore.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    match options.trace {
        Some(seed) => trace(seed),
        None if options.keep_going => count(&options),
        None => search(&options),
    }
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { seeds: 100_000, from: 0, trace: None, keep_going: false };
    let mut left: VecDeque<&str> = arguments.iter().map(String::as_str).collect();
    while let Some(name) = left.pop_front() {
        match name {
            "--seeds" => options.seeds = number(name, left.pop_front())?,
            "--from" => options.from = number(name, left.pop_front())?,
            "--trace" => options.trace = Some(number(name, left.pop_front())?),
            "--keep-going" => options.keep_going = true,
            other => return Err(format!("could not read '{other}': it is no option of sim")),
        }
    }
    Ok(options)
}

fn number(name: &str, value: Option<&str>) -> Result<u64, String> {
    let value = value.ok_or_else(|| format!("could not read {name}: it needs a number"))?;
    value.parse().map_err(|_| format!("could not read {name}: '{value}' is no number"))
}

fn trace(seed: u64) -> Result<(), String> {
    let (lines, outcome) = sim::trace(seed);
    for line in lines {
        println!("{line}");
    }
    outcome.map_err(|why| format!("seed {seed}: {why}"))
}

fn search(options: &Options) -> Result<(), String> {
    let mut events = 0;
    for seed in options.from..options.from.saturating_add(options.seeds) {
        events += sim::run(seed).map_err(|failure| failure.to_string())?;
    }
    println!("{} worlds from seed {} on, {events} events: all went well", options.seeds, options.from);
    Ok(())
}

fn count(options: &Options) -> Result<(), String> {
    let mut failed = 0;
    for seed in options.from..options.from.saturating_add(options.seeds) {
        if let Err(failure) = sim::run(seed) {
            failed += 1;
            println!("seed {seed} ({} lines): {}", failure.trace.len(), failure.why);
        }
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} worlds failed", options.seeds)) }
}
