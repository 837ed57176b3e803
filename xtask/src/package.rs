//! `deb`, `tarball`, `wheel`: builds the release and hands it to the scripts of `packaging/`, which need no cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::succeed;
use crate::portable::build_static;

/// Where packages go.
pub(crate) const OUTPUT: &str = "target/packages";
/// The system that a package is tried in.
const ROOT: &str = "target/debian";
const SUITE: &str = "bookworm";

/// The root of the project.
pub(crate) fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The manual pages, written.
fn pages() -> Result<PathBuf, String> {
    let man = project().join("target/man");
    crate::man::write(&man).map(|_| man)
}

/// Builds the release; `fixed` has the C library in it, and runs on any Linux of this processor.
fn release(fixed: bool) -> Result<PathBuf, String> {
    if fixed {
        return build_static();
    }
    let mut build = Command::new(env!("CARGO"));
    succeed(build.args(["build", "--release", "--locked"]).current_dir(project()))?;
    Ok(project().join("target/release/tally"))
}

/// `deb`, with `--test` also tried in a Debian of its own; what else is given goes to the script.
pub(crate) fn deb(rest: &[String]) -> Result<(), String> {
    let (test, rest): (Vec<&String>, Vec<&String>) = rest.iter().partition(|argument| *argument == "--test");
    succeed(
        Command::new(project().join("packaging/deb.sh"))
            .arg(release(false)?)
            .arg("--man")
            .arg(pages()?)
            .args(["--output", OUTPUT])
            .args(rest)
            .current_dir(project()),
    )?;
    if test.is_empty() { Ok(()) } else { try_out() }
}

/// A Debian with nothing but systemd in it, and the test of the package's life over that.
fn try_out() -> Result<(), String> {
    let root = project().join(ROOT);
    if !root.join("lib/systemd/systemd").exists() {
        if Command::new("debootstrap").arg("--version").output().is_err() {
            return Err("could not make a Debian to try the package in: there is no debootstrap".to_owned());
        }
        let mut make = Command::new("debootstrap");
        make.args(["--variant=minbase", "--include=systemd,systemd-sysv,dbus,init-system-helpers", SUITE])
            .arg(&root);
        succeed(&mut make)?;
    }
    let root: PathBuf =
        Path::new(&root).canonicalize().map_err(|why| format!("could not find {}: {why}", root.display()))?;
    let mut test = Command::new(env!("CARGO"));
    test.args(["test", "--locked", "--test", "deb", "--", "--nocapture"]).env("TALLY_DEB_ROOT", root);
    succeed(test.current_dir(project()))
}

/// `wheel`: the Python package with the static program in it.
pub(crate) fn wheel(rest: &[String]) -> Result<(), String> {
    let script = project().join("packaging/wheel.py");
    succeed(
        Command::new("python3")
            .arg(script)
            .arg(release(true)?)
            .args(["--output", OUTPUT])
            .args(rest)
            .current_dir(project()),
    )
}

/// `tarball`, static unless `--dynamic`.
pub(crate) fn tarball(rest: &[String]) -> Result<(), String> {
    let (dynamic, rest): (Vec<&String>, Vec<&String>) =
        rest.iter().partition(|argument| *argument == "--dynamic");
    let binary = release(dynamic.is_empty())?;
    succeed(
        Command::new(project().join("packaging/tarball.sh"))
            .arg(binary)
            .arg("--man")
            .arg(pages()?)
            .args(["--output", OUTPUT])
            .args(rest)
            .current_dir(project()),
    )
}
