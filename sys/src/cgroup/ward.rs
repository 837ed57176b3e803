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

/// What a group has counted of those in it; nothing where it does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many the system has killed for want of memory.
    pub memory_kills: u64,
    /// How often there was nothing left of what this group may have.
    pub memory_spent: u64,
    /// How often one was refused another process or thread by this group's own limit.
    pub refused_tasks: u64,
}

/// Why somebody was killed for want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starved {
    /// The group had all that it may have.
    ByItsLimit,
    /// There was no more in what is above it: a service, or the whole system.
    FromAbove,
}

impl Counted {
    /// Whether somebody was killed for want of memory since then, and why.
    #[must_use]
    pub fn starved_since(&self, before: Self) -> Option<Starved> {
        match (self.memory_kills > before.memory_kills, self.memory_spent > before.memory_spent) {
            (false, _) => None,
            (true, true) => Some(Starved::ByItsLimit),
            (true, false) => Some(Starved::FromAbove),
        }
    }
}

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

    /// What befell those in it up to now.
    pub fn counted(&self) -> Counted {
        let of = |file: &Option<File>, name| file.as_ref().and_then(|file| field(file, name)).unwrap_or(0);
        Counted {
            memory_kills: of(&self.memory, "oom_kill "),
            memory_spent: of(&self.memory, "oom "),
            refused_tasks: if self.was_full() { of(&self.tasks, "max ") } else { 0 },
        }
    }

    /// Whether this group had as many tasks as it may have. Up to Linux 6.10 it counts also whom a group above refuses, and
    /// systems that tell those apart have a file more. Others tell how many there were at most, or only how many there are.
    fn was_full(&self) -> bool {
        let number = |file| fs::read_to_string(self.path.join(file)).ok()?.trim().parse::<u64>().ok();
        let Some(most) = number("pids.max") else { return false };
        let peak = || number("pids.peak").map(|peak| peak >= most);
        let is = || number("pids.current").is_some_and(|current| current.saturating_add(OWN_TASKS) >= most);
        self.path.join("pids.events.local").exists() || peak().unwrap_or_else(is)
    }

    /// The bytes that were given to `limit`, if some were.
    pub fn memory_limit(&self) -> Option<u64> {
        let text = fs::read_to_string(self.path.join("memory.max")).ok()?;
        Some(text.trim().parse::<u64>().ok()?.saturating_sub(OWN_BYTES))
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
        assert_eq!(ward.memory_limit(), Some(64 << 20));
        fs::write(place.path().join("memory.max"), "max\n").unwrap();
        assert_eq!(ward.memory_limit(), None);
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
            ("pids.max", "28\n"),
            ("pids.peak", "28\n"),
        ];
        let place = looks_like_one(&events);
        let ward = Ward::open(place.path()).unwrap();
        assert_eq!(ward.counted(), Counted { memory_kills: 3, memory_spent: 4, refused_tasks: 7 });
        let bare = looks_like_one(&[("cgroup.kill", "")]);
        let ward = Ward::open(bare.path()).unwrap();
        assert_eq!(ward.counted(), Counted::default());
    }

    #[test]
    fn tasks_that_a_group_above_refuses_are_not_its_own() {
        let of = |more: &[(&str, &str)]| {
            let place = looks_like_one(&[&[("cgroup.kill", ""), ("pids.events", "max 7\n")], more].concat());
            Ward::open(place.path()).unwrap().counted().refused_tasks
        };
        assert_eq!(of(&[("pids.max", "28\n"), ("pids.peak", "28\n")]), 7);
        assert_eq!(of(&[("pids.max", "28\n"), ("pids.peak", "27\n")]), 0);
        assert_eq!(of(&[("pids.max", "max\n"), ("pids.peak", "27\n")]), 0);
        assert_eq!(of(&[("pids.max", "28\n"), ("pids.peak", "27\n"), ("pids.events.local", "max 9\n")]), 7);
        assert_eq!(of(&[("pids.max", "28\n"), ("pids.current", "20\n")]), 7);
        assert_eq!(of(&[("pids.max", "28\n"), ("pids.current", "19\n")]), 0);
    }

    #[test]
    fn a_limit_is_named_only_where_it_was_reached() {
        let of = |memory_kills, memory_spent| Counted { memory_kills, memory_spent, refused_tasks: 0 };
        let before = of(1, 2);
        assert_eq!(of(1, 9).starved_since(before), None, "nobody was killed");
        assert_eq!(of(2, 3).starved_since(before), Some(Starved::ByItsLimit));
        assert_eq!(of(2, 2).starved_since(before), Some(Starved::FromAbove));
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
