//! What this program does when a check starts it again.

use std::io::{Read, Write};
use std::process::ExitCode;

use tally_sys::fd::null_device;
use tally_sys::process::{own_pid, spawn_self};

/// Tells on standard error what it was given.
pub(crate) const REPORT: &str = "role-report";
/// Exits with the status named by the next argument.
pub(crate) const EXIT: &str = "role-exit";
/// Has the file at the path of the next argument, which it runs from, replaced, and starts itself.
pub(crate) const REPLACED: &str = "role-replaced";

/// Plays a role, if the arguments name one.
pub(crate) fn play(arguments: &[String]) -> Option<ExitCode> {
    let (role, rest) = arguments.split_first()?;
    match role.as_str() {
        REPORT => Some(report(rest)),
        EXIT => Some(ExitCode::from(rest[0].parse::<u8>().unwrap())),
        REPLACED => Some(replaced(&rest[0])),
        _ => None,
    }
}

fn report(rest: &[String]) -> ExitCode {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let leads = rustix::process::getpgrp().as_raw_pid() == own_pid().raw();
    let name = std::env::args().next().unwrap();
    let output = std::fs::read_link("/proc/self/fd/1").unwrap();
    let descriptors = crate::support::open_descriptors();
    let mut error = std::io::stderr();
    writeln!(error, "{name} {rest:?} {input:?} {leads} {} {descriptors:?}", output.display()).unwrap();
    ExitCode::from(42)
}

fn replaced(path: &str) -> ExitCode {
    let other = format!("{path}.new");
    std::fs::write(&other, "not a program").unwrap();
    std::fs::rename(&other, path).unwrap();
    let start = || spawn_self(&[EXIT, "7"], null_device().unwrap(), null_device().unwrap(), false).unwrap();
    let replaced = start().reap().unwrap();
    std::fs::remove_file(path).unwrap();
    let removed = start().reap().unwrap();
    assert_eq!(
        (replaced.to_string(), removed.to_string()),
        ("exited with status 7".to_owned(), replaced.to_string())
    );
    ExitCode::SUCCESS
}
