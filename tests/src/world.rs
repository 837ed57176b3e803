//! One test's directory, environment and processes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tally_sys::signal::{self, Signal};
use tempfile::TempDir;

use crate::proc::{self, Process};
use crate::run::{Daemon, Finished, Running};
use crate::until;

/// A test's own small world. End it with `finish`, which looks for what was left behind.
#[derive(Debug)]
pub struct World {
    binary: PathBuf,
    directory: TempDir,
    mark: String,
    variables: Vec<(String, String)>,
}

impl World {
    /// A fresh one for the binary under test.
    #[must_use]
    pub fn new(binary: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // A shell that has no jobs starts what it leaves in the background deaf to these, and all that is started here
        // would be as deaf.
        for signal in [Signal::Int, Signal::Quit] {
            signal::restore_default(signal).expect("a signal can have its default effect");
        }
        let directory = TempDir::with_prefix("tally-test-").expect("a temporary directory can be made");
        for name in ["run", "tmp", "home"] {
            fs::create_dir(directory.path().join(name)).expect("a directory can be made");
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mark = format!("TALLY_TEST_WORLD={}-{number}", std::process::id());
        Self { binary: PathBuf::from(binary), directory, mark, variables: Vec::new() }
    }

    /// A variable in the environment of every process started from now on.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The test's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where its daemon listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path().join("run/tally.sock")
    }

    /// Where its daemon keeps jobs.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// The binary with arguments, in this world and in no other: no file, socket or setting of the machine is seen.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let (mark, value) = self.mark.split_once('=').expect("the mark is a variable");
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path().join("home"))
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("TMPDIR", self.path().join("tmp"))
            // Never the machine's own: the tests may be root's.
            .env("TALLY_STATE_DIR", self.state())
            .env(mark, value)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// A shell script in this world, in which `$TALLY` is the binary: for limits that a shell sets.
    #[must_use]
    pub fn script(&self, text: &str) -> Command {
        let binary = self.command::<&str>([]);
        let mut command = Command::new("/bin/bash");
        command.args(["-c", text]).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TALLY", &self.binary);
        command
    }

    /// Starts the binary; its outputs are collected.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        Running::start(self.command(arguments))
    }

    /// Runs the binary to its end with a private supervisor: whatever daemon the machine has is not asked.
    #[must_use]
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Finished {
        self.start(arguments).finish()
    }

    /// Starts a daemon with flags and waits until it listens.
    #[must_use]
    pub fn daemon(&self, flags: &[&str]) -> Daemon {
        let socket = self.socket();
        let socket = socket.to_str().expect("the path is text");
        let arguments =
            ["daemon", "--foreground", "--socket", socket].into_iter().chain(flags.iter().copied());
        Daemon::over(self.start(arguments), self.socket())
    }

    /// A client command to this world's daemon, not started yet.
    #[must_use]
    pub fn client<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.command(arguments);
        command.env("TALLY_SOCKET", self.socket());
        command
    }

    /// The same, started.
    #[must_use]
    pub fn begin<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        Running::start(self.client(arguments))
    }

    /// The same, to its end.
    #[must_use]
    pub fn ask<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Finished {
        self.begin(arguments).finish()
    }

    /// The directory with the program by its name, to be put into a path: made by whoever asks first, unless a test
    /// has put another one there.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        let directory = self.path().join("bin");
        fs::create_dir_all(&directory).expect("a directory can be made");
        let name = directory.join("tally");
        if !name.exists() {
            symlink(&self.binary, name).expect("a link can be made");
        }
        directory
    }

    /// Runs a line as one types it into a shell: `tally` is found, and asks this world's daemon.
    #[must_use]
    pub fn typed(&self, line: &str) -> Finished {
        let mut command = self.script(line);
        command
            .env("PATH", format!("{}:/usr/bin:/bin", self.programs().display()))
            .env("TALLY_SOCKET", self.socket());
        Running::start(command).finish()
    }

    /// Lets other users pass to its socket, as `/run` does.
    pub fn open_to_others(&self) {
        for path in [self.path().to_path_buf(), self.path().join("run")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is this user's own");
        }
    }

    /// A client command to this world's daemon by another user, of this group and no other. Only root can do this.
    #[must_use]
    pub fn start_as<A: AsRef<OsStr>>(
        &self,
        user: u32,
        group: u32,
        arguments: impl IntoIterator<Item = A>,
    ) -> Running {
        let mut command = self.client(arguments);
        command.current_dir("/").uid(user).gid(group);
        Running::start(command)
    }

    /// The same, to its end.
    #[must_use]
    pub fn ask_as<A: AsRef<OsStr>>(
        &self,
        user: u32,
        group: u32,
        arguments: impl IntoIterator<Item = A>,
    ) -> Finished {
        self.start_as(user, group, arguments).finish()
    }

    /// Every live process of this world.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        proc::marked(&self.mark)
    }

    /// Live processes with this name: `tally-worker`, `tally-forkserve`, `tally-supervise`.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.name == name).collect()
    }

    /// Waits until exactly this many processes have this name.
    #[must_use]
    pub fn await_named(&self, name: &str, count: usize) -> Vec<Process> {
        until(&format!("{count} processes named {name}"), || {
            let found = self.named(name);
            (found.len() == count).then_some(found)
        })
    }

    /// Waits until no process is left; panics when one stays.
    pub fn await_nobody(&self) {
        until("the end of every process", || self.processes().is_empty().then_some(()));
    }

    /// Looks for what was left behind: a process, a socket, a segment, a queue, a temporary file.
    pub fn finish(self) {
        self.await_nobody();
        let mut left = Vec::new();
        for directory in ["tmp", "home", "run"] {
            left.extend(files(&self.path().join(directory)));
        }
        // The store is to stay, and the lock of a daemon that was killed.
        let may_stay = ["jobs.redb", "lock"].map(|name| self.state().join(name));
        left.extend(files(&self.state()).into_iter().filter(|path| !may_stay.contains(path)));
        assert!(left.is_empty(), "left behind: {left:?}");
        // What a killed daemon of a test beside this one has left is swept by its next one; what is ours stays.
        let named: Vec<PathBuf> =
            ["/dev/shm", "/dev/mqueue"].iter().flat_map(|path| files(Path::new(path))).collect();
        let abandoned: Vec<PathBuf> = named.into_iter().filter(|path| is_abandoned(path)).collect();
        until(&format!("the sweep of {abandoned:?}"), || {
            abandoned.iter().all(|path| !path.exists()).then_some(())
        });
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// Whether a name like `tally-USER-NAMESPACE-PID-STARTED-TAG` is one of ours whose process is gone. Those of live
/// processes belong to tests that run beside this one.
fn is_abandoned(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
    let Some(rest) = name.strip_prefix("tally-") else { return false };
    rest.split('-').nth(2).and_then(|pid| pid.parse().ok()).is_some_and(|pid: u32| proc::look(pid).is_none())
}
