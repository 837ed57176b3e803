//! A control group for one process and all that descends from it: limited together, and ended as a whole.
//!
//! The process enters it once, and whatever it starts is born in it, out of whose reach no session and no parent leads.
//! That is for a system that has such groups and lets this process make some; whoever uses this must do without as well.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::getxattr;

use super::{Group, field, own};
use crate::clock;
use crate::process::Pid;

/// Where a daemon itself goes, so that there may be groups beside it: one that has processes can limit none below it.
const LEAF: &str = "daemon";
/// What can be limited here, each where it is there.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// What the process in a group, which is not what is limited, may take of it.
const OWN_BYTES: u64 = 32 << 20;
const OWN_TASKS: u64 = 8;
/// Between two looks at a group that is ending.
const LOOK: Duration = Duration::from_millis(5);

/// A group, and what is asked of it and told to it.
#[derive(Debug)]
pub struct Ward {
    path: PathBuf,
    kill: File,
    memory: Option<File>,
    tasks: Option<File>,
}

impl Ward {
    /// Makes it, if it is not there.
    ///
    /// # Errors
    /// The system refuses, or has no groups that can be ended as a whole (Linux 5.14).
    pub fn make(path: &Path) -> io::Result<Self> {
        match fs::create_dir(path) {
            Err(why) if why.kind() != io::ErrorKind::AlreadyExists => return Err(why),
            _ => {}
        }
        Self::open(path).inspect_err(|_| drop(fs::remove_dir(path)))
    }

    /// One that was made.
    ///
    /// # Errors
    /// It is not there, or is none of this process's.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_path_buf(),
            kill: OpenOptions::new().write(true).open(path.join("cgroup.kill"))?,
            memory: File::open(path.join("memory.events")).ok(),
            tasks: File::open(path.join("pids.events")).ok(),
        })
    }

    /// Moves this process into it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn enter(&self) -> io::Result<()> {
        tell(&self.path, "cgroup.procs", "0")
    }

    /// Bounds what all in it have together. What cannot be bounded here is not.
    pub fn limit(&self, memory_bytes: Option<u64>, processes: Option<u64>) {
        let bound = |file: &str, most: u64| drop(tell(&self.path, file, &most.to_string()));
        if let Some(bytes) = memory_bytes {
            bound("memory.max", bytes.saturating_add(OWN_BYTES));
            // What is swapped out is not gone.
            bound("memory.swap.max", 0);
        }
        if let Some(processes) = processes {
            bound("pids.max", processes.saturating_add(OWN_TASKS));
        }
    }

    /// How many in it the system has killed for want of memory; `None` where it does not count that.
    pub fn memory_kills(&self) -> Option<u64> {
        field(self.memory.as_ref()?, "oom_kill ")
    }

    /// How often one in it was refused another process or thread; `None` where that is not counted.
    pub fn refused_tasks(&self) -> Option<u64> {
        field(self.tasks.as_ref()?, "max ")
    }

    /// Kills all in it, at once.
    pub fn kill(&self) {
        // One that is gone has nobody left in it.
        drop((&self.kill).write_all(b"1"));
    }

    /// Kills all in it and removes it; false if somebody is left in it after `within`.
    pub fn end(&self, within: Duration) -> bool {
        let begun = clock::monotonic_ns();
        let most = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        loop {
            self.kill();
            match fs::remove_dir(&self.path) {
                Ok(()) => return true,
                Err(why) if why.kind() == io::ErrorKind::NotFound => return true,
                Err(_) if clock::monotonic_ns().saturating_sub(begun) >= most => return false,
                Err(_) => self.await_change(),
            }
        }
    }

    /// Waits a moment for somebody in it to end.
    fn await_change(&self) {
        // Where no descriptor is left the moment is waited all the same.
        let events = File::open(self.path.join("cgroup.events")).ok();
        let mut fds: Vec<_> = events.iter().map(|events| PollFd::new(events, PollFlags::PRI)).collect();
        let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
        rustix::event::poll(&mut fds, Some(&timeout)).ok();
    }
}

/// Where this process may make groups, and what they can limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wards {
    /// The directory in which they are made.
    pub base: PathBuf,
    /// Of `CONTROLLERS`, those that are there.
    pub controllers: Vec<String>,
}

impl Wards {
    /// Finds the place, if this process's group was handed to it. `ours`: the processes of this program that there are. If
    /// they are all that there is in the group, they move into one below it, so that there can be limits.
    pub fn find(ours: &[Pid]) -> Option<Self> {
        let group = own()?;
        let base = base_of(&group)?;
        let there = listed(&base, "cgroup.controllers");
        let wanted: Vec<&str> =
            CONTROLLERS.iter().copied().filter(|one| there.iter().any(|name| name == one)).collect();
        if base == group.path && !wanted.is_empty() && is_alone(&base, ours) {
            make_room(&base, ours);
        }
        for one in wanted {
            drop(tell(&base, "cgroup.subtree_control", &format!("+{one}")));
        }
        let enabled = listed(&base, "cgroup.subtree_control");
        let controllers = enabled.into_iter().filter(|name| CONTROLLERS.contains(&name.as_str())).collect();
        Some(Self { base, controllers })
    }

    /// Ends and removes the groups whose names begin like this, which an earlier program has left. How many there were.
    pub fn sweep(&self, prefix: &str, within: Duration) -> usize {
        let Ok(entries) = fs::read_dir(&self.base) else { return 0 };
        let left = entries.flatten().filter(|entry| {
            entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) && entry.path().is_dir()
        });
        let left: Vec<Ward> = left.filter_map(|entry| Ward::open(&entry.path()).ok()).collect();
        left.iter().for_each(Ward::kill);
        let begun = clock::monotonic_ns();
        let rest =
            || within.saturating_sub(Duration::from_nanos(clock::monotonic_ns().saturating_sub(begun)));
        left.iter().filter(|ward| ward.end(rest())).count()
    }
}

/// The directory in which groups may be made: one that a service manager has handed over, or one that nobody else
/// manages.
fn base_of(group: &Group) -> Option<PathBuf> {
    let path = match group.path.parent().filter(|_| group.path.ends_with(LEAF)) {
        // After an upgrade this process is in the group that the one before it has made.
        Some(parent) if parent.join("cgroup.procs").exists() => parent,
        _ => &group.path,
    };
    let may_write = |name| rustix::fs::access(path.join(name), rustix::fs::Access::WRITE_OK).is_ok();
    if !may_write("") || !may_write("cgroup.procs") {
        return None;
    }
    let root_s = rustix::process::geteuid().is_root() && Path::new("/run/systemd/system").exists();
    (!root_s || is_delegated(path)).then(|| path.to_path_buf())
}

/// What systemd writes on a group that it hands over: to root each group can be written.
fn is_delegated(path: &Path) -> bool {
    let mut value = [0; 8];
    getxattr(path, "user.delegate", &mut value).is_ok_and(|length| value[..length] == *b"1")
}

/// Whether nobody else is in a group. The first one of a hierarchy may have processes beside its groups.
fn is_alone(base: &Path, ours: &[Pid]) -> bool {
    let Ok(text) = fs::read_to_string(base.join("cgroup.procs")) else { return false };
    let mut pids = text.split_ascii_whitespace().map(|pid| pid.parse().ok().and_then(Pid::from_raw));
    base.join("cgroup.events").exists() && pids.all(|pid| pid.is_some_and(|pid| ours.contains(&pid)))
}

fn make_room(base: &Path, ours: &[Pid]) {
    let leaf = base.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists => return,
        _ => {}
    }
    for pid in ours {
        drop(tell(&leaf, "cgroup.procs", &pid.to_string()));
    }
}

fn listed(group: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(group.join(file)).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Writes to a file of a group, which is there or is not made.
fn tell(group: &Path, file: &str, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(group.join(file))?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that looks like a group.
    fn looks_like_one(files: &[(&str, &str)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(place.path().join(name), text).unwrap();
        }
        place
    }

    fn text(place: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(place.path().join(name)).unwrap()
    }

    #[test]
    fn limits_go_where_they_are_and_nowhere_else() {
        let files = [("cgroup.kill", ""), ("memory.max", ""), ("memory.swap.max", ""), ("pids.max", "")];
        let place = looks_like_one(&files);
        let ward = Ward::open(place.path()).unwrap();
        ward.limit(Some(64 << 20), Some(20));
        assert_eq!(text(&place, "memory.max"), ((64 << 20) + OWN_BYTES).to_string());
        assert_eq!((text(&place, "memory.swap.max"), text(&place, "pids.max")), ("0".into(), "28".into()));
        ward.kill();
        assert_eq!(text(&place, "cgroup.kill"), "1");
        let bare = looks_like_one(&[("cgroup.kill", "")]);
        Ward::open(bare.path()).unwrap().limit(Some(1), Some(1));
        assert_eq!(fs::read_dir(bare.path()).unwrap().count(), 1, "nothing is made");
        assert!(Ward::open(looks_like_one(&[]).path()).is_err(), "this one cannot be ended");
    }

    #[test]
    fn what_befell_those_in_it_is_counted() {
        let events = [
            ("cgroup.kill", ""),
            ("memory.events", "low 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n"),
            ("pids.events", "max 7\n"),
        ];
        let place = looks_like_one(&events);
        let ward = Ward::open(place.path()).unwrap();
        assert_eq!((ward.memory_kills(), ward.refused_tasks()), (Some(3), Some(7)));
        let bare = looks_like_one(&[("cgroup.kill", "")]);
        let ward = Ward::open(bare.path()).unwrap();
        assert_eq!((ward.memory_kills(), ward.refused_tasks()), (None, None));
    }

    #[test]
    fn a_group_with_others_in_it_is_left_alone() {
        let own = crate::process::own_pid();
        let of = |procs: String| looks_like_one(&[("cgroup.procs", &procs), ("cgroup.events", "")]);
        assert!(is_alone(of(format!("{own}\n")).path(), &[own]));
        assert!(!is_alone(of(format!("{own}\n1\n")).path(), &[own]));
        assert!(!is_alone(looks_like_one(&[("cgroup.procs", "")]).path(), &[own]), "the first of all");
    }
}
