//! The Python package against the real binary: its own tests, and CPython's tests of executors with its executor.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it does, and what it skips")]

use std::process::{Command, Output, Stdio};

use tally_tests::World;

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
fn python(arguments: &str) -> Output {
    let world = World::new(BINARY);
    // Compiled once for all the processes of all tests, and not beside the sources.
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/pycache");
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    let text = format!(
        "export TALLY_BINARY=\"$TALLY\" PYTHONPYCACHEPREFIX='{cache}'; exec timeout 500 python3 -W error::ResourceWarning {arguments}"
    );
    // Longer than any other test may take: this is many of them, and some of CPython's sleep.
    let output = world.script(&text.replace("{python}", python)).output().expect("bash can be started");
    world.finish();
    output
}

/// All that it said.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_tests_of_the_package_pass() {
    if has_python() {
        for module in ["numbers", "client", "shared", "kernel", "executor", "reach", "docs"] {
            let output = python(&format!("{{python}}/tests/test_{module}.py"));
            let said = said(&output);
            assert!(output.status.success() && said.contains("\nOK"), "{module}: {said}");
        }
    }
}

#[test]
fn cpythons_own_tests_pass_with_the_executor() {
    if !has_python() {
        return;
    }
    let output = python("{python}/tests/run_cpython.py");
    let said = said(&output);
    if output.status.code() == Some(NO_TESTS) {
        println!("{said}");
    } else {
        assert!(output.status.success() && said.contains("7 classes, failed: none"), "{said}");
    }
}

#[test]
fn the_package_has_the_version_of_the_workspace() {
    let version = include_str!("../python/tally/_version.py");
    assert!(version.contains(concat!("\"", env!("CARGO_PKG_VERSION"), "\"")), "{version}");
}
