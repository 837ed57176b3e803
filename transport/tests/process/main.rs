//! Checks with real processes: workers and supervisors to kill. A fork needs a process of one
//! thread, so each check runs in a process of its own, started from this program.
#![expect(clippy::print_stdout, reason = "the report of the checks")]

mod death;
mod leftovers;
mod limits;
mod start;
mod support;

use std::env;
use std::process::{Command, ExitCode};

/// A check and its name.
pub(crate) type Check = (&'static str, fn());

/// Builds the list of checks of a module, each named `module::function`.
macro_rules! checks {
    ($module:literal: $($check:ident),* $(,)?) => {
        pub(crate) const CHECKS: &[crate::Check] =
            &[$((concat!($module, "::", stringify!($check)), $check as fn())),*];
    };
}
pub(crate) use checks;

const ALL: [&[Check]; 4] = [death::CHECKS, leftovers::CHECKS, limits::CHECKS, start::CHECKS];

/// Runs one check in this process.
const ONE: &str = "--one-check";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [role] if role == start::ECHO => return start::echo(),
        [mode, name] if mode == ONE => {
            for (_, check) in ALL.into_iter().flatten().filter(|check| check.0 == name) {
                check();
            }
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let listing = arguments.iter().any(|argument| argument == "--list");
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = ALL.into_iter().flatten().filter(|check| wanted.is_none_or(|part| check.0.contains(part)));
    if listing {
        chosen.for_each(|check| println!("{}: test", check.0));
        return ExitCode::SUCCESS;
    }
    // Whatever this program was started with is no business of the checks.
    tally_sys::fd::close_all_on_exec().unwrap();
    run_all(chosen.map(|check| check.0))
}

fn run_all(names: impl Iterator<Item = &'static str>) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for name in names {
        let output = Command::new("/proc/self/exe").args([ONE, name]).output().unwrap();
        if output.status.success() {
            passed += 1;
            println!("test {name} ... ok");
        } else {
            failed += 1;
            println!("test {name} ... FAILED: {}", output.status);
            println!("{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let (verdict, code) = if failed == 0 { ("ok", 0) } else { ("FAILED", 101) };
    println!("test result: {verdict}. {passed} passed; {failed} failed");
    ExitCode::from(code)
}
