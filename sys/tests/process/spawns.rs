//! Children that start the running program anew.

use std::process::Command;

use tally_sys::fd::{null_device, pipe, write_some};
use tally_sys::process::{ExitStatus, spawn_self};

use crate::roles::{REPLACED, REPORT};
use crate::support::{Directory, read_all};

crate::checks!("spawns":
    a_spawned_child_gets_what_it_was_given_and_nothing_else,
    a_program_replaced_on_disk_still_starts_itself,
);

fn a_spawned_child_gets_what_it_was_given_and_nothing_else() {
    for own_group in [false, true] {
        let (stdin, input) = pipe().unwrap();
        let (output, stderr) = pipe().unwrap();
        let mut child = spawn_self(&[REPORT, "a b"], stdin, stderr, own_group).unwrap();
        write_some(&input, b"in").unwrap();
        drop(input);
        let expected = format!("tally [\"a b\"] \"in\" {own_group} /dev/null [0, 1, 2]\n");
        assert_eq!(read_all(output), expected);
        assert_eq!(child.reap().unwrap(), ExitStatus::Exited(42));
    }
}

fn a_program_replaced_on_disk_still_starts_itself() {
    let directory = Directory::new();
    let path = directory.join("program");
    std::fs::copy("/proc/self/exe", &path).unwrap();
    let output = Command::new(&path).arg(REPLACED).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(null_device().is_ok());
}
