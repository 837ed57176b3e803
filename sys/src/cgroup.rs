//! What the control group of this process tells: how many of its processes died for want of memory.
//!
//! Read only. Where there is no control group, or none that counts, nothing is known, and that is no error.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

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
        let mut bytes = [0; 1024];
        let length = self.file.as_ref()?.read_at(&mut bytes, 0).ok()?;
        kills(&String::from_utf8_lossy(&bytes[..length]))
    }
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

/// Both files hold a line `oom_kill N`.
fn kills(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
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
    fn only_kills_count() {
        assert_eq!(kills("low 1\noom 9\noom_kill 3\noom_group_kill 7\n"), Some(3));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"), Some(4));
        assert_eq!(kills("oom 9\n"), None);
    }
}
