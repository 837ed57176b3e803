//! A real systemd of the test's own, as process 1 in namespaces, with tally installed in it. Needs root.
//!
//! Nothing of it stays: everything in it dies with its first process, its files are in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::until;

/// A booted system.
#[derive(Debug)]
pub struct Booted {
    outer: Child,
    init: u32,
    place: TempDir,
}

/// How a command in it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// Why no system can be booted here; `None` when one can.
#[must_use]
pub fn obstacle() -> Option<String> {
    if tally_sys::process::own_uid() != 0 {
        return Some("it takes root".to_owned());
    }
    for needed in ["/lib/systemd/systemd", "/usr/bin/unshare", "/usr/bin/nsenter", "/usr/bin/findmnt"] {
        if !Path::new(needed).exists() {
            return Some(format!("there is no {needed}"));
        }
    }
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let writable = mounts.lines().filter(|line| line.split(' ').nth(2) == Some("cgroup2"));
    if writable.filter(|line| line.split(' ').nth(3).is_some_and(|how| how.starts_with("rw"))).count() == 0 {
        return Some("no cgroup2 file system is mounted to be written".to_owned());
    }
    None
}

impl Booted {
    /// Boots one with this binary and the units of this project. `None`, told aloud, where that cannot be.
    pub fn new(binary: &str) -> Option<Self> {
        let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/install.sh");
        let booted = Self::over(Path::new("/"), binary, &install)?;
        booted.must(&["systemd-sysusers"]);
        booted.must(&["systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/tally.conf"]);
        Some(booted)
    }

    /// Boots one over the files of `lower`, which has a systemd, with nothing installed. The same otherwise.
    pub fn bare(lower: &Path) -> Option<Self> {
        Self::over(lower, "", Path::new("/bin/true"))
    }

    fn over(lower: &Path, binary: &str, install: &Path) -> Option<Self> {
        if let Some(why) = obstacle() {
            skip(&why);
            return None;
        }
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let place = TempDir::with_prefix("tally-boot-").expect("a directory can be made");
        let mut command = Command::new(project.join("src/boot.sh"));
        let log = fs::File::create(place.path().with_extension("log")).expect("a log can be made");
        command
            .arg(place.path())
            .arg(binary)
            .arg(install)
            .env("LOWER", lower)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log can be shared"))
            .stderr(log);
        let mut outer = command.spawn().expect("a shell can be run");
        let pid = outer.id();
        let init = until("the first process", || {
            if let Some(status) = outer.try_wait().expect("a child can be looked at") {
                let log = fs::read_to_string(place.path().with_extension("log")).unwrap_or_default();
                panic!("systemd was not booted: {status}\n{log}");
            }
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
            let init: u32 = children.split_whitespace().next()?.parse().ok()?;
            let name = fs::read_to_string(format!("/proc/{init}/comm")).ok()?;
            (name.trim() == "systemd").then_some(init)
        });
        let booted = Self { outer, init, place };
        until("the end of the boot", || {
            let told = booted.run(&["systemctl", "is-system-running", "--wait"]);
            matches!(told.stdout.trim(), "running" | "degraded").then_some(())
        });
        Some(booted)
    }

    /// A command in it, not started yet.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command
            .args(["-t", &self.init.to_string(), "-p", "-m", "-u", "-i", "-n", "-C", "-r", "-w", "--"])
            .args([
                "/usr/bin/env",
                "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "TALLY_SOCKET=/run/tally/tally.sock",
            ])
            // A client of a service that does not come up would wait for ever.
            .args(["timeout", "60"])
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command in it to its end.
    pub fn run(&self, arguments: &[&str]) -> Told {
        let output = self.command(arguments).output().expect("nsenter runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Told { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub fn must(&self, arguments: &[&str]) -> String {
        let told = self.run(arguments);
        assert_eq!(told.code, Some(0), "{arguments:?}: {}{}\n{}", told.stdout, told.stderr, self.journal());
        told.stdout
    }

    /// A property of a unit.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.must(&["systemctl", "show", "--value", "-p", name, unit]).trim().to_owned()
    }

    /// Waits until a property of a unit is as wanted.
    pub fn await_property(&self, unit: &str, name: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let begun = tally_sys::clock::monotonic_ns();
        loop {
            let value = self.property(unit, name);
            if wanted(&value) {
                return value;
            }
            if value != last {
                last.clone_from(&value);
            }
            assert!(
                tally_sys::clock::monotonic_ns() - begun < crate::PATIENCE_NS,
                "{name} of {unit} stays '{last}'\n{}",
                self.journal()
            );
        }
    }

    /// Puts settings for tests beside the unit's own.
    pub fn drop_in(&self, text: &str) {
        let directory = self.root().join("run/systemd/system/tally.service.d");
        fs::create_dir_all(&directory).expect("a directory can be made");
        fs::write(directory.join("test.conf"), text).expect("a file can be written");
        self.must(&["systemctl", "daemon-reload"]);
    }

    /// Its root directory, seen from outside.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init))
    }

    /// The pids in a unit's group and those below it.
    pub fn processes_of(&self, unit: &str) -> Vec<u32> {
        self.groups_of(unit).iter().flat_map(|group| processes_in(group)).collect()
    }

    /// A unit's group and all below it, as directories seen from outside; none if it has none.
    pub fn groups_of(&self, unit: &str) -> Vec<PathBuf> {
        let mut all = vec![self.root().join("sys/fs/cgroup/system.slice").join(unit)];
        let mut at = 0;
        while at < all.len() {
            let below = fs::read_dir(&all[at]).into_iter().flatten().flatten().map(|entry| entry.path());
            let below: Vec<_> = below.filter(|path| path.is_dir()).collect();
            all.extend(below);
            at += 1;
        }
        all.retain(|group| group.is_dir());
        all
    }

    /// What the journal has of tally.
    pub fn journal(&self) -> String {
        self.run(&[
            "journalctl",
            "--no-pager",
            "-o",
            "short-monotonic",
            "-u",
            "tally.service",
            "-u",
            "tally.socket",
        ])
        .stdout
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        let group = group_of(self.outer.id());
        self.outer.kill().ok();
        self.outer.wait().ok();
        // The namespace is empty when its first process is gone.
        until("the end of the booted system", || {
            (!Path::new(&format!("/proc/{}", self.init)).exists()).then_some(())
        });
        if let Some(group) = group {
            until("the end of its groups", || remove_groups(&group).then_some(()));
        }
        fs::remove_file(self.place.path().with_extension("log")).ok();
    }
}

/// The processes in a group itself, as this machine counts them.
#[must_use]
pub fn processes_in(group: &Path) -> Vec<u32> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The group that the boot has made, in the hierarchy of this machine.
fn group_of(outer: u32) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounted = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?.split(' ').nth(1)?;
    Some(Path::new(mounted).join(format!("tally-test-{outer}")))
}

/// Removes a group with those below it; false while somebody is in one.
fn remove_groups(group: &Path) -> bool {
    let below = fs::read_dir(group).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let mut emptied = true;
    for entry in below {
        emptied &= remove_groups(&entry.path());
    }
    emptied && (fs::remove_dir(group).is_ok() || !group.exists())
}

#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn skip(why: &str) {
    eprintln!("SKIPPED: a real systemd cannot be booted here: {why}");
}
