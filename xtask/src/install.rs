//! `install`: builds the release, writes the manual pages, and hands both to `systemd/install.sh`, which puts them and the units
//! in their places.

use std::path::PathBuf;
use std::process::Command;

/// Arguments go to the script: `--destdir DIR`, `--prefix DIR`.
pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new(env!("CARGO"));
    succeed(build.args(["build", "--release", "--locked"]).current_dir(&root))?;
    let man = root.join("target/man");
    crate::man::write(&man)?;
    let mut install = Command::new(root.join("systemd/install.sh"));
    succeed(install.arg(root.join("target/release/tally")).arg("--man").arg(man).args(rest))
}

pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", command.get_program().display())),
        Err(why) => Err(format!("could not run {}: {why}", command.get_program().display())),
    }
}
