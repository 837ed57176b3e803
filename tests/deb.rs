//! The Debian package: what is in it, and its life in a booted system, from the installation to the purge.
//!
//! The system is one over this machine's files, or over the root that `TALLY_DEB_ROOT` names: `cargo xtask deb --test` makes
//! one that has nothing but Debian in it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a test says what it leaves out, and how long things took")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tally_tests::{Booted, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const SERVICE: &str = "tally.service";

/// Packs the binary of this build; `None`, told aloud, where that cannot be.
fn pack(place: &Path, version: &str) -> Option<PathBuf> {
    for tool in ["dpkg-deb", "strip", "readelf"] {
        if !Path::new("/usr/bin").join(tool).exists() {
            eprintln!("SKIPPED: there is no {tool} to make a package with");
            return None;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/deb.sh");
    let output = Command::new(script)
        .args([BINARY, "--compress", "gzip", "--version", version, "--output"])
        .arg(place)
        .output()
        .expect("a shell runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_package_holds_what_it_should() {
    let world = World::new(BINARY);
    let Some(package) = pack(world.path(), "0.1.0-1") else { return };
    let package = package.to_str().expect("text");
    let contents = said_by("dpkg-deb", &["--contents", package]);
    for path in [
        "./usr/bin/tally",
        "./etc/tally/config.toml",
        "./usr/lib/systemd/system/tally.service",
        "./usr/lib/systemd/system/tally.socket",
        "./usr/lib/systemd/user/tally.service",
        "./usr/lib/sysusers.d/tally.conf",
        "./usr/lib/tmpfiles.d/tally.conf",
        "./usr/share/doc/tally/copyright",
        "./usr/share/doc/tally/changelog.Debian.gz",
    ] {
        let line = contents
            .lines()
            .find(|line| line.ends_with(path))
            .unwrap_or_else(|| panic!("no {path}\n{contents}"));
        assert!(line.contains(" root/root "), "{line}");
    }
    let control = said_by("dpkg-deb", &["--field", package]);
    for part in ["Package: tally\n", "Version: 0.1.0-1\n", "libc6 (>= 2."] {
        assert!(control.contains(part), "no '{part}' in\n{control}");
    }
    // Everything in the settings is a comment, and each setting is there.
    let settings = Command::new("sh")
        .args(["-c", &format!("dpkg-deb --fsys-tarfile {package} | tar xO ./etc/tally/config.toml")])
        .output()
        .expect("a shell runs");
    let settings = String::from_utf8(settings.stdout).expect("text");
    assert!(settings.lines().all(|line| line.is_empty() || line.starts_with('#')), "{settings}");
    for line in
        include_str!("../config.toml").lines().filter(|line| line.contains(" = ") && !line.starts_with('#'))
    {
        assert!(settings.contains(&format!("\n# {line}\n")), "{line}");
    }
    if Path::new("/usr/bin/lintian").exists() {
        let output = Command::new("/usr/bin/lintian")
            .args(["--allow-root", "--fail-on", "error,warning", package])
            .env("LC_ALL", "C")
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&output.stdout);
        let told: Vec<&str> = told.lines().filter(|line| !line.starts_with("N:")).collect();
        assert!(output.status.success() && told.is_empty(), "{told:?}");
    } else {
        eprintln!("SKIPPED: there is no lintian");
    }
    world.finish();
}

/// All files of the booted system that a package could have left, but what the system itself writes.
fn files(booted: &Booted) -> BTreeSet<String> {
    let listed = booted.must(&["find", "/etc", "/usr", "/var", "/run", "-xdev", "-iname", "*tally*"]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn it_is_installed_upgraded_removed_and_purged() {
    let world = World::new(BINARY);
    let (Some(old), Some(new)) = (pack(world.path(), "0.1.0-1"), pack(world.path(), "0.1.0-2")) else {
        return;
    };
    let lower = std::env::var_os("TALLY_DEB_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    if !lower.join("usr/bin/deb-systemd-helper").exists() {
        eprintln!("SKIPPED: this is no Debian");
        return;
    }
    let Some(booted) = Booted::bare(&lower) else { return };
    for (package, name) in [(&old, "old.deb"), (&new, "new.deb")] {
        fs::copy(package, booted.root().join("run").join(name)).expect("it can be copied");
    }
    booted.run(&["mkdir", "-p", "/run/tally"]);
    // A container's machine may forbid that packages start services.
    booted.must(&["rm", "-f", "/usr/sbin/policy-rc.d"]);
    let before = files(&booted);

    let begun_ns = tally_sys::clock::monotonic_ns();
    booted.must(&["dpkg", "-i", "/run/old.deb"]);
    assert_eq!(booted.must(&["tally", "sum", "1..=100"]), "5050\n");
    let took_ms = (tally_sys::clock::monotonic_ns() - begun_ns) / 1_000_000;
    eprintln!("from dpkg -i to an answer of the service: {took_ms} ms");
    assert_eq!(booted.must(&["systemctl", "is-enabled", "tally.socket", SERVICE]), "enabled\nenabled\n");
    let status = booted.must(&["tally", "status"]);
    assert!(status.contains("/var/lib/tally/jobs.redb"), "{status}");
    let told = booted.run(&["tally", "self-test", "--json"]);
    assert!(told.stdout.contains("tally.service starts /usr/bin/tally\""), "{told:?}");

    // A setting of the administrator, and a job at work: an upgrade keeps both, and the process.
    booted.must(&["sh", "-c", "echo 'workers = 2' >> /etc/tally/config.toml && systemctl reload tally"]);
    let job = booted.must(&["tally", "sum", "0..1e15", "--detach"]);
    let job = job.trim();
    until("the job to have come some way", || {
        let shown: serde_json::Value =
            serde_json::from_str(&booted.must(&["tally", "show", job, "--json"])).ok()?;
        (shown["elements_done"].as_str()?.parse::<u64>().ok()? > 0).then_some(())
    });
    let pid = booted.property(SERVICE, "MainPID");
    let program = |pid: &str| booted.must(&["readlink", &format!("/proc/{pid}/exe")]);
    booted.must(&["dpkg", "-i", "/run/new.deb"]);
    assert_eq!(booted.property(SERVICE, "MainPID"), pid, "{}", booted.journal());
    // The path of a program that was replaced ends in '(deleted)'.
    assert!(program(&pid).ends_with("/usr/bin/tally\n"), "the old program goes on: {}", program(&pid));
    assert!(booted.must(&["dpkg-query", "-W", "-f", "${Version}", "tally"]).ends_with("-2"));
    let shown = booted.must(&["tally", "show", job, "--json"]);
    assert!(shown.contains("\"state\":\"running\""), "{shown}");
    assert!(booted.must(&["tail", "-n", "1", "/etc/tally/config.toml"]).contains("workers = 2"));
    assert!(booted.must(&["tally", "config", "show"]).contains("workers = 2 "));
    booted.must(&["tally", "cancel", job]);

    // What is disabled stays so over an upgrade.
    booted.must(&["systemctl", "disable", "--now", "tally.socket", SERVICE]);
    booted.must(&["dpkg", "-i", "/run/new.deb"]);
    assert_eq!(booted.run(&["systemctl", "is-enabled", SERVICE]).stdout, "disabled\n");
    booted.must(&["systemctl", "enable", "--now", "tally.socket", SERVICE]);

    booted.must(&["dpkg", "--remove", "tally"]);
    assert_eq!(booted.run(&["systemctl", "is-active", SERVICE]).stdout, "inactive\n");
    assert_eq!(booted.processes_of(SERVICE), [0_u32; 0]);
    booted.must(&["test", "-e", "/etc/tally/config.toml"]);
    booted.must(&["test", "-e", "/var/lib/tally/jobs.redb"]);
    booted.must(&["dpkg", "--purge", "tally"]);
    let mut after = files(&booted);
    // The journal and dpkg keep their own books; /run/tally was made above.
    after.retain(|path| !path.starts_with("/var/log/"));
    let left: Vec<&String> = after.difference(&before).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let users = booted.must(&["getent", "passwd", "tally"]);
    assert!(users.starts_with("tally:"), "the user stays");
    drop(booted);
    world.finish();
}
