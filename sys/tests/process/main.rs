//! Checks with real processes. A fork needs a process of one thread, so each check runs in a
//! process of its own, started from this program; no check can disturb another one.
#![expect(clippy::print_stdout, reason = "the report of the checks")]

mod confined;
mod descriptors;
mod forks;
mod kin;
mod locks;
mod roles;
mod signals;
mod sockets;
mod spawns;
mod support;

use std::env;
use std::process::{Command, ExitCode};
use std::time::Duration;

use tally_sys::fd::pipe;
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{Child, Pid};

/// A check that takes longer waits for something that never comes: each needs far below a second.
const STUCK_AFTER: Duration = Duration::from_secs(60);

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

const ALL: [&[Check]; 8] = [
    confined::CHECKS,
    descriptors::CHECKS,
    forks::CHECKS,
    kin::CHECKS,
    locks::CHECKS,
    signals::CHECKS,
    sockets::CHECKS,
    spawns::CHECKS,
];

/// Runs one check in this process.
const ONE: &str = "--one-check";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(code) = roles::play(&arguments) {
        return code;
    }
    if let [mode, name] = arguments.as_slice()
        && mode == ONE
    {
        for (_, check) in ALL.into_iter().flatten().filter(|check| check.0 == name) {
            check();
        }
        return ExitCode::SUCCESS;
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
    tally_sys::process::set_child_subreaper().unwrap();
    run_all(chosen.map(|check| check.0))
}

fn run_all(names: impl Iterator<Item = &'static str>) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for name in names {
        match run(name) {
            Ok(()) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Err(why) => {
                failed += 1;
                println!("test {name} ... FAILED: {why}");
            }
        }
    }
    let (verdict, code) = if failed == 0 { ("ok", 0) } else { ("FAILED", 101) };
    println!("test result: {verdict}. {passed} passed; {failed} failed");
    ExitCode::from(code)
}

/// Runs one check in a process of its own, and ends whatever it leaves behind.
///
/// The verdict comes from the standard library: an error in the code under test must not be able
/// to hide all the others.
fn run(name: &str) -> Result<(), String> {
    let (output, stderr) = pipe().unwrap();
    let mut check = Command::new("/proc/self/exe").args([ONE, name]).stderr(stderr).spawn().unwrap();
    let pidfd = Child::adopt(Pid::from_raw(check.id().try_into().unwrap()).unwrap()).unwrap();
    let mut poll = Poll::new().unwrap();
    poll.watch(&pidfd, 1, Interest::READ).unwrap();
    let mut ended = Vec::new();
    poll.wait(Some(STUCK_AFTER), &mut ended).unwrap();
    if ended.is_empty() {
        check.kill().unwrap();
    }
    let status = check.wait().unwrap();
    support::end_descendants();
    let said = support::read_all(output);
    match (ended.is_empty(), status.success()) {
        (false, true) => Ok(()),
        (false, false) => Err(format!("{status}\n{said}")),
        (true, _) => Err(format!("it waited for ever\n{said}")),
    }
}
