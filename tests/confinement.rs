//! Workers confined: what they try beyond their work fails or ends them, and the death says so; memory has its bounds.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use serde_json::{Value, json};
use tally_tests::{World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// Whether this kernel filters system calls at all.
fn has_seccomp() -> bool {
    let has = std::path::Path::new("/proc/sys/kernel/seccomp/actions_avail").exists();
    if !has {
        println!("skipped: this kernel has no seccomp filters");
    }
    has
}

/// A job whose only partition tries something at every attempt: its failure.
fn attempt(how: &str, further: &[&str]) -> Value {
    let world = World::new(BINARY).with("TALLY_CRASH_AT", &format!("fold,how={how}"));
    let arguments =
        ["sum", "0..1", "--workers", "1", "--retries", "1", "--json"].iter().chain(further).copied();
    let finished = world.run(arguments);
    assert_eq!(finished.code(), 1, "{how}: {}{}", finished.stdout, finished.stderr);
    world.finish();
    finished.json()["error"].clone()
}

fn message(error: &Value) -> &str {
    error["message"].as_str().expect("a message")
}

#[test]
fn what_a_worker_must_not_do_ends_it_and_is_named() {
    if !has_seccomp() {
        return;
    }
    for how in ["socket", "exec", "ptrace"] {
        let error = attempt(how, &[]);
        let named = "killed by SIGSYS: it tried something its confinement forbids";
        assert!(message(&error).contains(named), "{how}: {error}");
    }
    let error = attempt("open", &[]);
    assert!(message(&error).contains("exited with status 4"), "{error}");
    assert_eq!(error["stderr"], json!("open: Permission denied (os error 13)"), "{error}");
}

#[test]
fn a_worker_over_its_memory_limit_names_the_limit() {
    let error = attempt("memory", &["--memory-limit", "256M"]);
    let named = "its memory limit of 256 MiB was reached (an allocation of ";
    assert!(message(&error).contains(named), "{error}");
}

/// The partial of a product is as long as its factors together.
#[test]
fn a_product_that_does_not_fit_costs_only_itself() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let finished = world.ask([
        "product",
        "1..=3000000",
        "--partitions",
        "1",
        "--retries",
        "0",
        "--memory-limit",
        "12M",
        "--json",
    ]);
    assert_eq!(finished.code(), 1, "{}{}", finished.stdout, finished.stderr);
    let answer = finished.json();
    let named = "its memory limit of 12 MiB was reached";
    assert!(message(&answer["error"]).contains(named), "{answer}");
    world.ask(["sum", "0..10"]).answered("45\n");
    daemon.stop();
    world.finish();
}

fn confined(world: &World) -> Value {
    // A worker says what confines it when it is ready to begin.
    until("workers that have begun", || {
        let finished = world.ask(["workers", "--json"]);
        let answer = finished.json();
        let worker = answer["workers"][0].clone();
        (worker["state"] == json!("idle")).then(|| worker["confined"].clone())
    })
}

#[test]
fn workers_tell_what_confines_them() {
    for transport in ["shm", "shm-named", "pipe", "mqueue", "channel"] {
        for start in ["forkserver", "spawn", "fork"] {
            let world = World::new(BINARY);
            let daemon = world.daemon(&["--workers", "1", "--transport", transport, "--start", start]);
            world.ask(["sum", "0..1000"]).answered("499500\n");
            let parts = confined(&world);
            let parts: Vec<_> = parts.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
            assert!(parts.contains(&"rlimits"), "{transport} {start}: {parts:?}");
            assert!(!has_seccomp() || parts.contains(&"seccomp"), "{transport} {start}: {parts:?}");
            daemon.stop();
            world.finish();
        }
    }
}

#[test]
fn confinement_can_be_switched_off() {
    let world = World::new(BINARY).with("TALLY_CONFINE", "false");
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(confined(&world), json!([]));
    daemon.stop();
    world.finish();
}
