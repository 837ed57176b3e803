//! `fuzz`: the fuzzers of `fuzz/`, one after the other, for so many runs each; a table at the end.
//!
//! What each does, and what was found so far: `docs/testing.md`. New inputs go to `fuzz/target/inputs/`, not to the corpus.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What libFuzzer is told: its own books cost more than most targets, a run that takes a minute hangs.
const OPTIONS: [&str; 4] = ["-entropic=0", "-max_len=256", "-timeout=60", "-print_final_stats=1"];

/// Targets whose inputs are strings of choices: a fuzzer that is told what is compared with what learns nothing from it,
/// and pays for it with a third of the time or more.
const CHOICES: [&str; 6] = ["expressions", "frames", "links", "machine", "segment", "store"];

/// Where files and sockets that a target makes are in memory.
const IN_MEMORY: &str = "/dev/shm";

/// Line of a log that tells how many runs there were, and line that tells which input failed.
const RUNS: &str = "stat::number_of_executed_units:";
const INPUT: &str = "Test unit written to ";

struct Row {
    target: String,
    runs: u64,
    seconds: u64,
    found: String,
}

/// Runs the chore.
pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let place = place.canonicalize().map_err(|why| format!("could not find {}: {why}", place.display()))?;
    let known = targets(&place)?;
    let (runs, mut chosen) = parse(rest, &known)?;
    if chosen.is_empty() {
        chosen = known;
    }
    let triple = host()?;
    let mut rows = Vec::new();
    for target in chosen {
        let binary = build(&place, &triple, &target)?;
        let row = fuzz(&place, &binary, &target, runs)?;
        println!("{target}: {} runs in {} s{}", row.runs, row.seconds, row.found);
        rows.push(row);
    }
    println!("\n| target | runs | seconds | found |\n|---|---|---|---|");
    for Row { target, runs, seconds, found } in &rows {
        println!("| `{target}` | {runs} | {seconds} |{found} |");
    }
    match rows.iter().filter(|row| !row.found.is_empty()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} targets found something", rows.len())),
    }
}

fn targets(place: &Path) -> Result<Vec<String>, String> {
    let sources = fs::read_dir(place.join("fuzz_targets"));
    let sources = sources.map_err(|why| format!("could not read fuzz/fuzz_targets: {why}"))?;
    let stems = sources.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = stems.collect();
    names.sort();
    Ok(names)
}

/// How many runs, ten million unless told, and of which targets.
fn parse(rest: &[String], known: &[String]) -> Result<(u64, Vec<String>), String> {
    let (mut runs, mut chosen) = (10_000_000, Vec::new());
    let mut left: VecDeque<&str> = rest.iter().map(String::as_str).collect();
    while let Some(name) = left.pop_front() {
        match name {
            "--runs" => {
                let value = left.pop_front().ok_or("could not read --runs: it needs a number")?;
                let number = value.parse().ok().filter(|runs| *runs > 0);
                runs =
                    number.ok_or_else(|| format!("could not read --runs: '{value}' is no number of runs"))?;
            }
            option if option.starts_with('-') => {
                return Err(format!("could not read '{option}': it is no option of fuzz"));
            }
            target if known.iter().any(|one| one == target) => chosen.push(target.to_owned()),
            other => return Err(format!("there is no target '{other}', only {}", known.join(", "))),
        }
    }
    Ok((runs, chosen))
}

/// A tool of the nightly toolchain.
fn nightly(tool: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", tool]);
    command
}

/// What the nightly toolchain builds for; says what to install where it or cargo-fuzz is not there.
fn host() -> Result<String, String> {
    let told = nightly("rustc").arg("-vV").output();
    let told =
        told.map_err(|why| format!("could not run rustup, by which the nightly toolchain is found: {why}"))?;
    if !told.status.success() {
        return Err("could not find a nightly toolchain: rustup toolchain install nightly".to_owned());
    }
    let there =
        nightly("cargo").args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return Err("could not find cargo-fuzz: cargo install --locked cargo-fuzz".to_owned());
    }
    let text = String::from_utf8_lossy(&told.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "could not read what rustc -vV says".to_owned())
}

/// The fuzzer of a target. What is built with other options is in another directory, and so is built once.
fn build(place: &Path, triple: &str, target: &str) -> Result<PathBuf, String> {
    let choices = CHOICES.contains(&target);
    let directory = place.join("target").join(if choices { "choices" } else { "compares" });
    let mut build = nightly("cargo");
    build.args(["fuzz", "build", "--sanitizer", "none", "--target", triple, "--target-dir"]).arg(&directory);
    if choices {
        build.arg("--no-trace-compares");
    }
    match build.arg(target).current_dir(place).status() {
        Ok(status) if status.success() => Ok(directory.join(triple).join("release").join(target)),
        Ok(status) => Err(format!("could not build {target}: cargo fuzz build: {status}")),
        Err(why) => Err(format!("could not run cargo: {why}")),
    }
}

fn fuzz(place: &Path, binary: &Path, target: &str, runs: u64) -> Result<Row, String> {
    let could_not = |what: &str, why: std::io::Error| format!("could not {what} for {target}: {why}");
    let inputs = place.join("target/inputs").join(target);
    fs::create_dir_all(&inputs).map_err(|why| could_not("make a directory", why))?;
    let artifacts = place.join("artifacts").join(target);
    fs::create_dir_all(&artifacts).map_err(|why| could_not("make a directory", why))?;
    let path = inputs.with_extension("log");
    let log = File::create(&path).map_err(|why| could_not("make a log", why))?;
    let mut fuzzer = Command::new(binary);
    fuzzer.args(OPTIONS).arg(format!("-runs={runs}"));
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzzer.arg(&inputs).arg(place.join("corpus").join(target));
    if Path::new(IN_MEMORY).is_dir() {
        fuzzer.env("TMPDIR", IN_MEMORY);
    }
    println!("{target}: see {}", path.display());
    let begun = tally_sys::clock::monotonic_ns();
    let status =
        fuzzer.stdout(Stdio::null()).stderr(log).status().map_err(|why| could_not("run the fuzzer", why))?;
    let seconds = (tally_sys::clock::monotonic_ns() - begun) / 1_000_000_000;
    let log = fs::read(&path).map_err(|why| could_not("read the log", why))?;
    let (runs, input) = told(&String::from_utf8_lossy(&log));
    let found = match (status.success(), input) {
        (true, _) => String::new(),
        (false, Some(input)) => format!(" {input}"),
        (false, None) => format!(" {status}, see {}", path.display()),
    };
    Ok(Row { target: target.to_owned(), runs, seconds, found })
}

/// What a log says at its end: how many runs there were, and where the input is that failed.
fn told(log: &str) -> (u64, Option<String>) {
    let last =
        |mark: &str| log.lines().rev().find_map(|line| line.split_once(mark)).map(|(_, rest)| rest.trim());
    (last(RUNS).and_then(|runs| runs.parse().ok()).unwrap_or(0), last(INPUT).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_targets_are_those_of_the_tests() {
        let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let corpora = fs::read_dir(place.join("corpus")).expect("the corpora");
        let mut corpora: Vec<String> =
            corpora.map(|entry| entry.expect("one").file_name().into_string().expect("text")).collect();
        corpora.sort();
        let known = targets(&place).expect("some");
        assert_eq!(known, corpora);
        assert!(CHOICES.iter().all(|name| known.iter().any(|one| one == name)), "a target of another name");
    }

    #[test]
    fn what_is_asked_for_is_read_or_refused() {
        let known = words(&["csv", "npy"]);
        assert_eq!(parse(&[], &known), Ok((10_000_000, Vec::new())));
        assert_eq!(parse(&words(&["npy", "--runs", "5", "csv"]), &known), Ok((5, words(&["npy", "csv"]))));
        for (wrong, why) in [
            (vec!["--runs"], "could not read --runs: it needs a number"),
            (vec!["--runs", "0"], "could not read --runs: '0' is no number of runs"),
            (vec!["--walks"], "could not read '--walks': it is no option of fuzz"),
            (vec!["cvs"], "there is no target 'cvs', only csv, npy"),
        ] {
            assert_eq!(parse(&words(&wrong), &known), Err(why.to_owned()));
        }
    }

    #[test]
    fn the_end_of_a_log_is_understood() {
        let clean = "#2 INITED\nDone 70 runs in 1 second(s)\nstat::number_of_executed_units: 70\n";
        assert_eq!(told(clean), (70, None));
        let failed =
            "stat::number_of_executed_units: 9\nartifact_prefix='a/'; Test unit written to a/crash-1\n";
        assert_eq!(told(failed), (9, Some("a/crash-1".to_owned())));
        assert_eq!(told("killed"), (0, None));
    }
}
