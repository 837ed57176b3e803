//! A file that holds a command up until the test lets it go on.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::World;

/// A file in the world's directory that holds up whoever reads it until somebody writes.
pub fn make_gate(world: &World, name: &str) -> PathBuf {
    let path = world.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    path
}

/// Lets the one who reads it go on. Never waits: it stays open as long as the returned file does.
#[must_use]
pub fn open_gate(path: &Path) -> fs::File {
    let mut gate = fs::File::options().read(true).write(true).open(path).expect("the gate is there");
    gate.write_all(b"go\n").expect("there is room");
    gate
}
