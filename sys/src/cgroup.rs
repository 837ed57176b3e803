//! What the control group of this process tells: how many of its processes died for want of memory, and what it allows.
//!
//! Read only; groups are made in `ward`. Where there is no control group, or none that counts, nothing is known, and that is no error.

mod ward;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

pub use ward::{Counted, Starved, Ward, Wards};

/// The system's counter of processes of this control group that it killed for want of memory.
#[derive(Debug, Default)]
pub struct OomKills {
    begun: bool,
    file: Option<File>,
    seen: u64,
}

impl OomKills {
    /// Finds the counter of this process's group, if there is one and this is the first call. Kills up to now do not
    /// count.
    pub fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        self.file = paths(&groups).find_map(|path| File::open(path).ok());
        self.seen = self.read().unwrap_or(0);
    }

    /// Whether there were more since the last question.
    pub fn grew(&mut self) -> bool {
        let Some(now) = self.read() else { return false };
        now > std::mem::replace(&mut self.seen, now)
    }

    fn read(&self) -> Option<u64> {
        field(self.file.as_ref()?, "oom_kill ")
    }
}

/// The control group of this process in the one hierarchy of today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its directory.
    pub path: PathBuf,
    /// This process's user may make groups below it.
    pub delegated: bool,
    /// The system counts in it who died for want of memory.
    pub counts_memory: bool,
}

/// The group of this process, where one can be seen.
pub fn own() -> Option<Group> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = group_in(&groups, "", "/sys/fs/cgroup").filter(|path| path.join("cgroup.procs").exists());
    let path =
        path.or_else(|| group_in(&groups, "", "/sys/fs/cgroup/unified").filter(|path| path.exists()))?;
    let delegated = rustix::fs::access(path.join("cgroup.procs"), rustix::fs::Access::WRITE_OK).is_ok()
        && rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_ok();
    let counts_memory = paths(&groups).any(|path| path.exists());
    Some(Group { path, delegated, counts_memory })
}

/// How many more tasks the control group of this process and those above it allow; `None` when nothing is bounded.
pub fn task_room() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let unified = group_in(&groups, "", "/sys/fs/cgroup");
    let own = group_in(&groups, "pids", "/sys/fs/cgroup/pids");
    let read = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let room =
        |group: &Path| Some(read(group.join("pids.max"))?.saturating_sub(read(group.join("pids.current"))?));
    let all = unified.iter().chain(&own).flat_map(|path| path.ancestors());
    all.filter(|path| path.starts_with("/sys/fs/cgroup")).filter_map(room).min()
}

/// The directory of the group of these controllers below `mounted`.
fn group_in(groups: &str, wanted: &str, mounted: &str) -> Option<PathBuf> {
    groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        (controllers == wanted).then(|| Path::new(mounted).join(path.trim_start_matches('/')))
    })
}

/// Where the counter may be: in the one hierarchy of today, then in the memory controller's own of before.
fn paths(groups: &str) -> impl Iterator<Item = std::path::PathBuf> + '_ {
    let of = |wanted: &'static str| {
        groups.lines().filter_map(move |line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            (controllers == wanted).then(|| path.trim_start_matches('/'))
        })
    };
    let unified = of("").map(|path| Path::new("/sys/fs/cgroup").join(path).join("memory.events"));
    let own =
        of("memory").map(|path| Path::new("/sys/fs/cgroup/memory").join(path).join("memory.oom_control"));
    unified.chain(own)
}

/// The number in the line of a file that begins like this: `oom_kill 3`.
fn field(file: &File, name: &str) -> Option<u64> {
    let mut bytes = [0; 1024];
    let length = file.read_at(&mut bytes, 0).ok()?;
    number(&String::from_utf8_lossy(&bytes[..length]), name)
}

fn number(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found_in_either_hierarchy() {
        let found: Vec<_> = paths("4:memory:/a/b\n1:cpu,cpuacct:/x\n0::/s/t.service\n").collect();
        assert_eq!(
            found,
            [
                Path::new("/sys/fs/cgroup/s/t.service/memory.events"),
                Path::new("/sys/fs/cgroup/memory/a/b/memory.oom_control")
            ]
        );
        assert_eq!(paths("nonsense").count(), 0);
    }

    #[test]
    fn the_group_is_that_of_its_controllers() {
        let groups = "9:pids:/a\n0::/s/t.service\n";
        let of = |wanted, mounted| group_in(groups, wanted, mounted);
        assert_eq!(of("", "/m"), Some(PathBuf::from("/m/s/t.service")));
        assert_eq!(of("pids", "/m/pids"), Some(PathBuf::from("/m/pids/a")));
        assert_eq!(of("memory", "/m"), None);
        // Whatever this machine has, asking does no harm.
        let _seen = (own(), task_room());
    }

    #[test]
    fn only_kills_count() {
        let kills = |text| number(text, "oom_kill ");
        assert_eq!(kills("low 1\noom 9\noom_kill 3\noom_group_kill 7\n"), Some(3));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"), Some(4));
        assert_eq!(kills("oom 9\n"), None);
    }
}
