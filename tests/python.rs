//! The Python package against the real binary: its own tests, and CPython's tests of executors with its executor.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it does, and what it skips")]

use std::process::{Command, Stdio};

use tally_tests::{Finished, Running, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// What `run_cpython.py` ends with where the interpreter has no tests of its own.
const NO_TESTS: i32 = 77;

/// The first interpreter on the path of a world that is new enough.
fn has_python() -> bool {
    let check = "import sys; sys.exit(sys.version_info < (3, 9))";
    let mut python = Command::new("/usr/bin/env");
    python.args(["PATH=/usr/bin:/bin", "python3", "-c", check]).stdout(Stdio::null()).stderr(Stdio::null());
    let found = python.status().is_ok_and(|status| status.success());
    if !found {
        println!("skipped: there is no python3 of 3.9 or later");
    }
    found
}

/// Runs Python in a world of its own, and looks for what it leaves behind.
fn python(arguments: &str) -> Finished {
    let world = World::new(BINARY);
    // Compiled once for all the processes of all tests, and not beside the sources.
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/pycache");
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    let text = format!(
        "export TALLY_BINARY=\"$TALLY\" PYTHONPYCACHEPREFIX='{cache}'; exec python3 -W error::ResourceWarning {arguments}"
    );
    let finished = Running::start(world.script(&text.replace("{python}", python))).finish();
    world.finish();
    finished
}

#[test]
fn the_tests_of_the_package_pass() {
    if has_python() {
        for module in ["numbers", "client", "shared", "kernel", "executor", "docs"] {
            let said = python(&format!("{{python}}/tests/test_{module}.py"));
            assert!(said.code() == 0 && said.stderr.contains("\nOK"), "{module}: {}{}", said.stdout, said.stderr);
        }
    }
}

#[test]
fn cpythons_own_tests_pass_with_the_executor() {
    if !has_python() {
        return;
    }
    let said = python("{python}/tests/run_cpython.py");
    if said.code() == NO_TESTS {
        println!("{}", said.stdout);
    } else {
        assert_eq!(said.code(), 0, "{}{}", said.stdout, said.stderr);
        assert!(said.stdout.contains("7 classes, failed: none"), "{}", said.stdout);
    }
}

#[test]
fn the_package_has_the_version_of_the_workspace() {
    let version = include_str!("../python/tally/_version.py");
    assert!(version.contains(concat!("\"", env!("CARGO_PKG_VERSION"), "\"")), "{version}");
}
