//! The wheel: the Python package with the program in it, installed into an environment of its own.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a test that is left out says so")]

use std::path::Path;
use std::process::Command;

use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

fn run(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_wheel_brings_the_program_and_the_package() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !project.join("python/tally/__init__.py").exists() {
        eprintln!("SKIPPED: there is no Python package to make a wheel of");
        return;
    }
    let world = World::new(BINARY);
    let place = world.path().join("wheel");
    let environment = place.join("env");
    let python = Path::new("/usr/bin/env");
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    if run(python, &["python3", "-m", "venv", &text(&environment)]).is_none() {
        eprintln!("SKIPPED: there is no python3 with venv");
        return;
    }
    let script = text(&project.join("packaging/wheel.py"));
    let told =
        run(python, &["python3", &script, BINARY, "--output", &text(&place)]).expect("a wheel is made");
    let pip = environment.join("bin/pip");
    assert!(
        run(&pip, &["install", "--quiet", "--no-index", told.trim()]).is_some(),
        "{told} cannot be installed"
    );
    let sum = run(&environment.join("bin/tally"), &["sum", "1..=100", "--local"]);
    assert_eq!(sum.as_deref(), Some("5050\n"));
    let import = "import tally, os; print(os.path.basename(os.path.dirname(tally.__file__)))";
    assert_eq!(run(&environment.join("bin/python"), &["-c", import]).as_deref(), Some("tally\n"));
    world.finish();
}
