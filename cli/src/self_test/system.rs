//! What the daemon finds around it: its control group, and the unit that starts it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tally_sys::{cgroup, process};

use super::Finding;

/// Where the service manager looks for a unit, the first that has it counts.
const SYSTEM_UNITS: [&str; 4] = [
    "/etc/systemd/system/tally.service",
    "/run/systemd/system/tally.service",
    "/usr/local/lib/systemd/system/tally.service",
    "/usr/lib/systemd/system/tally.service",
];
const USER_UNIT: &str = "/usr/lib/systemd/user/tally.service";

pub(super) fn look() -> Vec<Finding> {
    vec![control_group(), unit()]
}

fn control_group() -> Finding {
    const NAME: &str = "control group";
    let Some(group) = cgroup::own() else {
        return Finding::warn(
            NAME,
            "none can be seen",
            "without one, a worker that dies for want of memory is told as killed by SIGKILL; mount cgroup2 to know more",
        );
    };
    let delegated = if group.delegated {
        "delegated: commands of a daemon here get groups of their own"
    } else {
        "not delegated: commands are held by their process trees"
    };
    let text = format!("{}, {delegated}", group.path.display());
    if group.counts_memory {
        Finding::ok(NAME, text)
    } else {
        Finding::warn(
            NAME,
            format!("{text}; it does not count memory"),
            "a worker that dies for want of memory is told as killed by SIGKILL; the unit tally.service has a group of its own",
        )
    }
}

fn unit() -> Finding {
    const NAME: &str = "unit";
    let units = SYSTEM_UNITS.iter().copied().chain((process::own_uid() != 0).then_some(USER_UNIT));
    let Some((path, text)) =
        units.map(PathBuf::from).find_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?)))
    else {
        return Finding::ok(NAME, "none is installed: the daemon is started by hand");
    };
    let shown = path.display();
    let Some(program) = program_of(&text) else {
        return Finding::fail(NAME, format!("{shown} starts nothing"), "install the unit anew");
    };
    match (fs::metadata(&program), own_program()) {
        (Err(why), _) => Finding::fail(
            NAME,
            format!("{shown} starts {}: {}", program.display(), crate::place::reason(&why)),
            "install the program there, or mend ExecStart=",
        ),
        (Ok(unit), Some(own)) if !same(&unit, &own) => Finding::warn(
            NAME,
            format!("{shown} starts {}, which is another file than this program", program.display()),
            "make sure that both are the same version: 'tally --version'",
        ),
        _ => Finding::ok(NAME, format!("{shown} starts {}", program.display())),
    }
}

/// The program of the last `ExecStart=`, without the marks that may stand before it.
fn program_of(unit: &str) -> Option<PathBuf> {
    let line = unit.lines().rev().find_map(|line| line.trim().strip_prefix("ExecStart="))?;
    let program = line.trim_start_matches(['@', '-', ':', '+', '!']).split_whitespace().next()?;
    Some(PathBuf::from(program))
}

/// The file of this very process.
pub(super) fn own_program() -> Option<Metadata> {
    fs::metadata("/proc/self/exe").ok()
}

/// The file that another process runs; nobody but its user and root is told.
pub(super) fn program_of_process(pid: u32) -> Option<Metadata> {
    fs::metadata(Path::new("/proc").join(pid.to_string()).join("exe")).ok()
}

pub(super) fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_unit_is_found() {
        let unit =
            "[Service]\nExecStart=\nExecStart=-/usr/bin/tally daemon --foreground\nExecReload=/bin/x\n";
        assert_eq!(program_of(unit), Some(PathBuf::from("/usr/bin/tally")));
        assert_eq!(program_of("[Service]\nType=notify\n"), None);
    }
}
