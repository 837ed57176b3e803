//! A file that holds a command up until the test lets it go on: opening a pipe waits until somebody has its other end.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::World;

/// A file in the world's directory that holds up whoever opens it to read until [`open_gate`] has opened it, too.
///
/// `read line < gate` lets one go on each time it is opened; `: < gate`, which only opens it, lets any number pass for
/// as long as it stays open.
pub fn make_gate(world: &World, name: &str) -> PathBuf {
    let path = world.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    path
}

/// Lets those who wait at it go on. Never waits: it stays open as long as the returned file does.
#[must_use]
pub fn open_gate(path: &Path) -> fs::File {
    let mut gate = fs::File::options().read(true).write(true).open(path).expect("the gate is there");
    gate.write_all(b"go\n").expect("there is room");
    gate
}
