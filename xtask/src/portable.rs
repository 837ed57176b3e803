//! `static`, `old-glibc`: binaries for machines unlike this one. Each is looked at as a file, then tried: the self-test, and
//! jobs over every link with every way of starting workers.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::succeed;
use crate::package::{OUTPUT, project};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Systems with a kernel of 5.4 have it, and whatever the crates cannot do without is in it (`getrandom` since 2.25).
const OLDEST_GLIBC: Version = (2, 26);
const LINKS: [&str; 5] = ["shm", "shm-named", "pipe", "mqueue", "channel"];
const STARTS: [&str; 3] = ["forkserver", "spawn", "fork"];

/// Of a C library: 2.36.
type Version = (u32, u32);

/// What a binary asks of the machine it runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needs {
    /// Programs and libraries that load it.
    files: Vec<String>,
    /// The newest version of symbols of the C library that it names.
    glibc: Option<Version>,
}

/// `static [--check FILE]`.
pub(crate) fn fixed(rest: &[String]) -> Result<(), String> {
    let binary = match rest {
        [] => build_static()?,
        [flag, file] if flag == "--check" => PathBuf::from(file),
        _ => return Err("static takes --check FILE".to_owned()),
    };
    if !rest.is_empty() {
        check_static(&binary)?;
    }
    try_out(&binary)?;
    println!("{}: static, and works", binary.display());
    Ok(())
}

/// `old-glibc [VERSION] [--check FILE]`.
pub(crate) fn old_glibc(rest: &[String]) -> Result<(), String> {
    let bad = || "old-glibc takes a version (2.26) and --check FILE".to_owned();
    let (given, file) = match rest {
        [flag, file] | [_, flag, file] if flag == "--check" => (&rest[..rest.len() - 2], Some(file)),
        rest => (rest, None),
    };
    let most = match given {
        [] => OLDEST_GLIBC,
        [version] => version_of(version).ok_or_else(bad)?,
        _ => return Err(bad()),
    };
    let binary = match file {
        Some(file) => PathBuf::from(file),
        None => build_for(most)?,
    };
    let needs = needs(&binary)?;
    let newest = needs.glibc.ok_or("it asks for no glibc at all")?;
    if newest > most {
        return Err(format!("{} needs glibc {}.{}", binary.display(), newest.0, newest.1));
    }
    try_out(&binary)?;
    println!("{}: works with glibc {}.{} and later", binary.display(), newest.0, newest.1);
    Ok(())
}

/// The release with the C library in it.
pub(crate) fn build_static() -> Result<PathBuf, String> {
    let mut build = Command::new(env!("CARGO"));
    // With a target named, what runs while building (macros) is not made static, which it could not be.
    build.args(["build", "--release", "--locked", "--target", TARGET]).current_dir(project());
    succeed(build.env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    let binary = project().join("target").join(TARGET).join("release/tally");
    check_static(&binary)?;
    Ok(binary)
}

/// The release, linked with the symbols that a C library of this version has: zig brings those of all versions.
fn build_for((major, minor): Version) -> Result<PathBuf, String> {
    let directory = project().join("target/old-glibc");
    let mut build = Command::new("cargo-zigbuild");
    build
        .args(["zigbuild", "--release", "--locked", "--target", &format!("{TARGET}.{major}.{minor}")])
        .arg("--target-dir")
        .arg(&directory)
        .current_dir(project());
    succeed(&mut build).map_err(|why| {
        format!("{why}\n       it takes cargo-zigbuild and zig: pip install cargo-zigbuild ziglang")
    })?;
    let made = directory.join(TARGET).join("release/tally");
    let kept = project().join(OUTPUT).join(format!("tally-glibc{major}.{minor}"));
    let failed = |why: std::io::Error| format!("could not write {}: {why}", kept.display());
    std::fs::create_dir_all(project().join(OUTPUT)).map_err(failed)?;
    std::fs::copy(&made, &kept).map_err(failed)?;
    Ok(kept)
}

fn check_static(binary: &Path) -> Result<(), String> {
    match needs(binary)? {
        needs if needs == Needs::default() => Ok(()),
        needs => Err(format!("{} is not static: {needs:?}", binary.display())),
    }
}

fn needs(binary: &Path) -> Result<Needs, String> {
    let told = Command::new("readelf")
        .args(["--wide", "--program-headers", "--dynamic", "--version-info"])
        .arg(binary)
        .env("LC_ALL", "C")
        .output()
        .map_err(|why| format!("could not run readelf: {why}"))?;
    if !told.status.success() {
        return Err(format!("{}: {}", binary.display(), String::from_utf8_lossy(&told.stderr).trim()));
    }
    Ok(read(&String::from_utf8_lossy(&told.stdout)))
}

/// What readelf says of a binary. The loader wants every version that is listed, also one of weak symbols alone.
fn read(told: &str) -> Needs {
    let mut needs = Needs::default();
    for line in told.lines() {
        let bracketed =
            || line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(name, _)| name);
        if line.contains("program interpreter:") {
            let name = line.split_once("interpreter: ").map_or("", |(_, rest)| rest.trim_end_matches(']'));
            needs.files.push(name.to_owned());
        } else if line.contains("(NEEDED)") {
            needs.files.extend(bracketed().map(str::to_owned));
        } else if let Some((_, rest)) = line.split_once("Name: GLIBC_") {
            needs.glibc = needs.glibc.max(rest.split(' ').next().and_then(version_of));
        }
    }
    needs
}

fn version_of(text: &str) -> Option<Version> {
    let mut numbers = text.trim().split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The self-test, a file, and a sum over every link with every way of starting.
fn try_out(binary: &Path) -> Result<(), String> {
    let place = tempfile::TempDir::with_prefix("tally-portable-").map_err(|why| why.to_string())?;
    let ask = |arguments: &[&str], answer: &str| {
        let mut command = Command::new(binary);
        command.args(arguments).current_dir(place.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", place.path()).env("XDG_RUNTIME_DIR", place.path());
        // Not the store of a daemon that this machine may have.
        command.env("TALLY_STATE_DIR", place.path().join("state"));
        let told = command.output().map_err(|why| format!("could not run {}: {why}", binary.display()))?;
        let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        if told.status.success() && out.contains(answer) {
            return Ok(());
        }
        Err(format!("{} {}: {}\n{out}{err}", binary.display(), arguments.join(" "), told.status))
    };
    std::fs::write(place.path().join("n.csv"), "n\n1e16\n1\n-1e16\n").map_err(|why| why.to_string())?;
    ask(&["self-test", "--json"], "\"good\":true")?;
    ask(&["sum", "n.csv", "--local"], "1.0\n")?;
    ask(&["sum", "0..100", "--command", "sh -c 'echo $(({end} - {start}))'", "--local"], "100\n")?;
    for link in LINKS {
        for start in STARTS {
            let job = ["sum", "0..1e6", "--workers", "2", "--local", "--transport", link, "--start", start];
            ask(&job, "499999500000\n")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_binary_needs_is_read() {
        let told = "  INTERP         0x000318\n      [Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]\n \
                    0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]\n     \
  000000: Version: 1  File: libc.so.6  Cnt: 3\n  0x0010:   Name: GLIBC_2.2.5  Flags: none  Version: 9\n  \
                    0x0020:   Name: GLIBC_2.25  Flags: none  Version: 11\n  \
                    0x0030:   Name: GLIBC_2.9  Flags: none  Version: 8\n";
        let files = vec!["/lib64/ld-linux-x86-64.so.2".to_owned(), "libc.so.6".to_owned()];
        assert_eq!(read(told), Needs { files, glibc: Some((2, 25)) });
        assert_eq!(read("There are no dynamic symbols\n"), Needs::default());
        assert!(version_of("2.9") < version_of("2.34") && version_of("2.2.5") == Some((2, 2)));
    }
}
