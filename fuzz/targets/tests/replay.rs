//! Every input that was kept, and a bounded number of others like them, given to every target: what a fuzzer found once
//! is found by every run of the tests.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a failure shows its input")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use tally_fuzz_targets::mutate::{Random, mutated};
use tally_fuzz_targets::{TARGETS, Target};

/// Bytes of an input that is made here.
const BYTES_MAX: usize = 4096;

/// Inputs that are made for a target, unless `TALLY_FUZZ_RUNS` says how many.
fn runs(name: &str) -> u64 {
    let usual = match name {
        // Each opens a file or a link.
        "store" => 150,
        "links" => 1_000,
        "machine" | "rows" => 2_000,
        _ => 5_000,
    };
    std::env::var("TALLY_FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(usual)
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(name);
    let entries = fs::read_dir(&directory).unwrap_or_else(|why| panic!("{}: {why}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() >= 3, "{} has lost its files", directory.display());
    paths.into_iter().map(|path| fs::read(path).expect("a file")).collect()
}

/// Runs one input; a panic is told with it, so that it can be kept.
fn give((name, run): Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) {
        let text: String = input.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        println!("the input of {name}: {text}");
        resume_unwind(panic);
    }
}

fn replay(name: &str) {
    let target = *TARGETS.iter().find(|target| target.0 == name).expect("a target");
    let known = corpus(name);
    for input in &known {
        give(target, input);
    }
    let mut random = Random(20_261_128);
    for _ in 0..runs(name) {
        give(target, &mutated(&known, &mut random, BYTES_MAX));
    }
}

macro_rules! each {
    ($($target:ident),+ $(,)?) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })+

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(TARGETS.map(|target| target.0).to_vec(), [$(stringify!($target)),+]);
            for (name, _) in TARGETS {
                let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fuzz_targets/{name}.rs"));
                assert!(source.exists(), "{} is missing", source.display());
            }
        }
    };
}

each!(
    answer,
    config,
    control,
    csv,
    expressions,
    frames,
    links,
    machine,
    npy,
    partial,
    rows,
    segment,
    store,
    text,
    unpack
);
